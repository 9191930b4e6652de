"""``create_campaign FILE.toml``: a draft from a file."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from campaigns.create_campaign import create_campaign, read_campaign_file
from campaigns.management.commands._campaigns import CampaignCommand


class Command(CampaignCommand):
    help = "Create a draft campaign from a TOML file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="TOML with the fields of a campaign.")

    def run(self, **options: Any) -> None:
        campaign = create_campaign(**read_campaign_file(options["file"]))
        if options["json"]:
            self.print_json({"id": campaign.pk, "status": campaign.status})
        else:
            self.stdout.write(f"Campaign {campaign.pk} “{campaign.name}” is a draft now.")
