"""Erase a customer."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.errors import DomainError
from customers.erase_customer import erase_customer


class Command(BaseCommand):
    help = "Remove everything personal about a customer. Statistics stay. This cannot be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", metavar="ID", type=int, help="The customer's number.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            erase_customer(customer_id=options["id"], source="command")
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"Customer {options['id']} is erased.")
