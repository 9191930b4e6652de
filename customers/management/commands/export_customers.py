"""Export customers as CSV."""

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.errors import DomainError
from customers.encryption import DecryptionError
from customers.export_customers import export_customers
from customers.models import Customer
from customers.segments import ALL, find_segments


class Command(BaseCommand):
    help = "Export customers as CSV, in the form that import_customers reads back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--segment", metavar="NAME", help="Only the customers of a segment.")
        parser.add_argument("--output", type=Path, metavar="FILE", help="Instead of the terminal.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._export(options["segment"], options["output"])
        except (DomainError, DecryptionError) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(
                f"{options['output']} cannot be written: {error.strerror}."
            ) from None

    def _export(self, segment: str | None, output: Path | None) -> None:
        customers = Customer.objects.alive()
        if segment and segment.upper() != ALL:
            customers = customers.in_segments(find_segments([segment]))
        lines = export_customers(customers=customers)
        if output is None:
            for text in lines:
                self.stdout.write(text, ending="")
            return
        # Complete or absent, and for this user's eyes only.
        scratch = output.with_name(f".{output.name}.{os.getpid()}")
        try:
            scratch.touch(mode=0o600)
            with scratch.open("w", encoding="utf-8", newline="") as file:
                file.writelines(lines)
            scratch.replace(output)
        finally:
            scratch.unlink(missing_ok=True)
