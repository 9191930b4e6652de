"""``pause_campaign ID``."""

from typing import Any

from django.core.management.base import CommandParser

from campaigns.lifecycle import pause_campaign
from campaigns.management.commands._campaigns import CampaignCommand


class Command(CampaignCommand):
    help = "Pause a campaign."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int)

    def run(self, **options: Any) -> None:
        pause_campaign(campaign_id=options["id"], reason="Paused by the command pause_campaign.")
        if options["json"]:
            self.print_json({"id": options["id"], "status": "paused"})
        else:
            self.stdout.write(f"Campaign {options['id']} is paused.")
