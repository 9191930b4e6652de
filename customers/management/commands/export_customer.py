"""Print everything held about one customer."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.errors import DomainError
from customers.encryption import DecryptionError
from customers.export_person import export_person


class Command(BaseCommand):
    help = "Print everything held about one customer, as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", metavar="ID", type=int, help="The customer's number.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            person = export_person(customer_id=options["id"])
        except (DomainError, DecryptionError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(person, ensure_ascii=False, indent=2))
