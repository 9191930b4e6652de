"""Re-encrypt what older keys encrypted."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.encryption import DecryptionError, current_key_id
from customers.rotate_keys import rotate_keys


class Command(BaseCommand):
    help = (
        "Encrypt everything with the first key of FIELD_ENCRYPTION_KEYS. After it, the other keys "
        "can be taken off the list."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            rotated = rotate_keys()
        except DecryptionError as error:
            raise CommandError(f"{error} Add the missing key, and run this again.") from None
        if options["json"]:
            self.stdout.write(json.dumps({"rotated": rotated}))
        else:
            self.stdout.write(
                f"{rotated:,} values are now encrypted with key {current_key_id()}; no other key "
                "is needed any more."
            )
