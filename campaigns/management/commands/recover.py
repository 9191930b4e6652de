"""``recover``: one sweep by hand."""

from typing import Any

from campaigns.delivery.sweeper import sweep
from campaigns.management.commands._campaigns import CampaignCommand


class Command(CampaignCommand):
    help = "Free expired leases, restart stalled campaigns, finish finished ones; safe at any time."

    def run(self, **options: Any) -> None:
        swept = sweep().as_dict()
        if options["json"]:
            self.print_json(swept)
            return
        for name, count in swept.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count}")
