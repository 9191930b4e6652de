"""``recover``: one sweep by hand, and another chance for parked events."""

from typing import Any

from campaigns.delivery.sweeper import sweep
from campaigns.management.commands._campaigns import CampaignCommand
from campaigns.webhooks.events import process_stored_events, retry_parked_events


class Command(CampaignCommand):
    help = "Free expired leases, restart stalled campaigns, finish finished ones; safe at any time."

    def run(self, **options: Any) -> None:
        swept = sweep() | {"unparked": retry_parked_events()}
        process_stored_events()
        if options["json"]:
            self.print_json(swept)
            return
        for name, count in swept.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count}")
