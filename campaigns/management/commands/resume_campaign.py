"""``resume_campaign ID``."""

from typing import Any

from django.core.management.base import CommandParser

from campaigns.lifecycle import resume_campaign
from campaigns.management.commands._campaigns import CampaignCommand


class Command(CampaignCommand):
    help = "Resume a campaign."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int)

    def run(self, **options: Any) -> None:
        resume_campaign(campaign_id=options["id"])
        if options["json"]:
            self.print_json({"id": options["id"], "status": "sending"})
        else:
            self.stdout.write(f"Campaign {options['id']} goes on where it stopped.")
