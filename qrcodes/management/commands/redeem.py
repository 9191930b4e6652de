"""``redeem CODE``: for a till system without the API, and for scripts."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.errors import DomainError
from qrcodes.amounts import read_amount
from qrcodes.locations import find_location
from qrcodes.models import Source
from qrcodes.redeem import check_code, redeem_code
from qrcodes.verdicts import Verdict

EXIT_REJECTED = 3


class Command(BaseCommand):
    help = "Redeem a coupon. Exit code 0: accepted; 3: rejected; 1: the request was wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "code", metavar="CODE", help="The token, the short code or an address with one of them."
        )
        parser.add_argument("--amount", help="The bill, such as 23.50.")
        parser.add_argument("--discount", help="What is taken off the bill, such as 4.70.")
        parser.add_argument("--location", metavar="NAME", help="Where it is redeemed.")
        parser.add_argument(
            "--nonce",
            default="",
            help="Any text of your own: the same one again returns the first answer.",
        )
        parser.add_argument(
            "--check", action="store_true", help="Only say whether it could be redeemed."
        )
        parser.add_argument("--json", action="store_true", help="Print machine-readable JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            verdict = self._answer(options)
        except DomainError as refused:
            if not options["json"]:
                raise CommandError(refused.message) from None
            self._print({"errors": [{"code": refused.code, "message": refused.message}]})
            sys.exit(1)
        if options["json"]:
            self._print(verdict.as_dict())
        else:
            self.stdout.write(f"{verdict.status.capitalize()}: {verdict.offer or 'unknown code'}")
            self.stdout.write(verdict.message)
        if not verdict.is_accepted:
            sys.exit(EXIT_REJECTED)

    def _answer(self, options: dict[str, Any]) -> Verdict:
        details = {
            "text": options["code"],
            "source": Source.COMMAND,
            # First: a wrong amount must not open a location.
            "amount": read_amount(options["amount"], what="bill"),
            "location": find_location(options["location"]) if options["location"] else None,
        }
        if options["check"]:
            return check_code(**details)
        return redeem_code(**details, discount=options["discount"], nonce=options["nonce"])

    def _print(self, figures: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(figures, ensure_ascii=False, indent=2))
