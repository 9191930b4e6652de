"""What the campaign commands share: one way to show an error, one way to take an id."""

import json
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.check_campaign import CheckFailed
from campaigns.models import Campaign
from config.errors import DomainError


class CampaignCommand(BaseCommand):
    """A command whose DomainErrors become a sentence, or JSON with ``--json``; exit code 1."""

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        parser = super().create_parser(*args, **options)
        parser.add_argument("--json", action="store_true", help="Print machine-readable JSON.")
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.run(**options)
        except DomainError as error:
            self.fail(error, as_json=options["json"])

    def run(self, **options: Any) -> None:
        """Do the command's work. Raises DomainError."""
        raise CommandError("This command has nothing to do.")

    def fail(self, error: DomainError, *, as_json: bool) -> NoReturn:
        """Show an error and end with exit code 1."""
        if not as_json:
            raise CommandError(error.message)
        found: list[Any] = error.problems if isinstance(error, CheckFailed) else [error]
        self.print_json({"errors": [{"code": p.code, "message": p.message} for p in found]})
        raise SystemExit(1)

    def print_json(self, figures: Any) -> None:
        """Print one JSON document."""
        self.stdout.write(json.dumps(figures, ensure_ascii=False, indent=2))


def get_campaign(campaign_id: int) -> Campaign:
    """Return a campaign. Raises DomainError ``unknown_campaign``."""
    campaign = Campaign.objects.filter(pk=campaign_id).first()
    if campaign is None:
        raise DomainError(
            "unknown_campaign",
            f"There is no campaign {campaign_id}: see campaign_status for those there are.",
        )
    return campaign
