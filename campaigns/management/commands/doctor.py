"""``doctor``: is everything there, and what to do if not."""

from typing import Any

from campaigns.health import FAILED, OK, check_everything
from campaigns.management.commands._campaigns import CampaignCommand

SIGNS = {OK: "ok     ", FAILED: "FAILED ", "warning": "warning"}


class Command(CampaignCommand):
    help = "Check every dependency and setting, and say what to do. Exit code 1 when one failed."

    def run(self, **options: Any) -> None:
        checks = check_everything()
        healthy = all(check.status != FAILED for check in checks)
        if options["json"]:
            self.print_json({"ok": healthy, "checks": [check.as_dict() for check in checks]})
        else:
            for check in checks:
                self.stdout.write(f"{SIGNS[check.status]}  {check.name}: {check.message}")
                if check.fix:
                    self.stdout.write(f"{'':9}→ {check.fix}")
        if not healthy:
            raise SystemExit(1)
