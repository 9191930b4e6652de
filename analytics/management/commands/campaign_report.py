"""``campaign_report``: the figures of one campaign as CSV or JSON."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics import reports
from campaigns.models import Campaign
from config.errors import DomainError


class Command(BaseCommand):
    help = "Print the report of a campaign: what was sent, why not, and what was redeemed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int, help="the campaign's number, as campaign_status shows")
        parser.add_argument("--format", choices=["csv", "json"], default="csv")
        parser.add_argument(
            "--recipients", action="store_true", help="one row per message instead of the summary"
        )
        parser.add_argument("--output", type=Path, metavar="FILE", help="write to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            campaign = reports.find_campaign(options["id"])
        except DomainError as error:
            raise CommandError(error.message) from None
        pieces = _pieces(campaign, options["format"], recipients=options["recipients"])
        if not options["output"]:
            for piece in pieces:
                self.stdout.write(piece, ending="")
            return
        try:
            with options["output"].open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
        except OSError as error:
            raise CommandError(
                f"{options['output']} cannot be written ({error.strerror}): name another file."
            ) from None


def _pieces(campaign: Campaign, form: str, *, recipients: bool) -> Iterator[str]:
    if recipients and form == "csv":
        yield from reports.csv_lines(reports.recipient_rows(campaign))
    elif recipients:
        yield from reports.json_lines(reports.recipients(campaign))
    elif form == "csv":
        yield from reports.csv_lines(reports.summary_rows(reports.campaign_report(campaign)))
    else:
        yield json.dumps(reports.campaign_report(campaign), ensure_ascii=False, indent=2) + "\n"
