"""``cancel_campaign ID [--withdraw-codes]``."""

from typing import Any

from django.core.management.base import CommandParser

from campaigns.lifecycle import cancel_campaign
from campaigns.management.commands._campaigns import CampaignCommand


class Command(CampaignCommand):
    help = "Cancel a campaign: what has not left never will."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int)
        parser.add_argument(
            "--withdraw-codes",
            action="store_true",
            help="Also refuse the codes that are already out.",
        )

    def run(self, **options: Any) -> None:
        stopped = cancel_campaign(
            campaign_id=options["id"], withdraw_codes=options["withdraw_codes"]
        )
        if options["json"]:
            self.print_json({"id": options["id"], "status": "cancelled", "stopped": stopped})
        else:
            self.stdout.write(f"Campaign {options['id']} is cancelled; {stopped} messages stopped.")
