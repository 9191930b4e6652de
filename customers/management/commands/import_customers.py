"""Import customers from a CSV file."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.errors import DomainError
from customers.imports.forget_lists import forget_list
from customers.imports.mapping import override_mapping, parse_overrides
from customers.imports.moves import discard_import, start_check, start_import
from customers.imports.preview_list import read_columns, read_reasons
from customers.imports.run_import import run_import
from customers.imports.storage import read_rejects
from customers.imports.upload_list import set_up_import, upload_list
from customers.models import CustomerImport
from customers.segments import parse_tags

CHUNK_BYTES = 1 << 18
REASONS_SHOWN = 10
Status = CustomerImport.Status
INTERRUPTED = "The database was away or busy: run this again, and it goes on where it stopped."
NOT_IMPORTED = (Status.UPLOADED, Status.CHECKING, Status.CHECKED)
# Nothing of such a file can be used.
UNREADABLE = {"unreadable_file", "no_key_column"}


class Command(BaseCommand):
    help = (
        "Import customers from a CSV file: new ones are created, known ones updated, by external "
        "id, email or phone. Exits with 2 when the file cannot be read at all."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="field=Header",
            help="Which column is what, where its name does not tell; may be repeated.",
        )
        parser.add_argument("--tags", default="", metavar="a,b", help="Tags for every customer.")
        parser.add_argument(
            "--consent",
            default="",
            metavar="email,sms",
            help="Channels on which everyone in the file has agreed to be written to.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Count, and write nothing.")
        parser.add_argument(
            "--rejects", type=Path, metavar="FILE", help="Where to write rejected rows, as CSV."
        )
        parser.add_argument("--json", action="store_true", help="Print the counts as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            figures = self._import(options)
        except DomainError as error:
            if options["json"]:
                failure = {"code": error.code, "message": error.message}
                self.stdout.write(json.dumps({"errors": [failure]}))
            raise CommandError(
                error.message, returncode=2 if error.code in UNREADABLE else 1
            ) from None
        if options["json"]:
            self.stdout.write(json.dumps(figures))

    def _import(self, options: dict[str, Any]) -> dict[str, int]:
        with contextlib.ExitStack() as stack:
            rejects = options["rejects"] and stack.enter_context(_open_rejects(options["rejects"]))
            customer_import = upload_list(
                chunks=_chunks(options["file"]), file_name=options["file"].name
            )
            stack.callback(_clean_up, customer_import.pk)
            columns = [column.name for column in read_columns(customer_import)]
            set_up_import(
                import_id=customer_import.pk,
                mapping=override_mapping(
                    customer_import.mapping, columns, parse_overrides(options["map"])
                ),
                tags=parse_tags(options["tags"]),
                consent=options["consent"].split(","),
            )
            start = start_check if options["dry_run"] else start_import
            start(import_id=customer_import.pk)
            run_import(import_id=customer_import.pk)
            customer_import.refresh_from_db()
            if customer_import.status not in {Status.DONE, Status.CHECKED}:
                raise DomainError("import_failed", customer_import.error or INTERRUPTED)
            if rejects:
                rejects.writelines(read_rejects(customer_import))
            if not options["json"]:
                self._show(customer_import, options)
            return customer_import.as_figures()

    def _show(self, customer_import: CustomerImport, options: dict[str, Any]) -> None:
        counts = ", ".join(
            f"{getattr(customer_import, outcome):,} {outcome}"
            for outcome in ("created", "updated", "unchanged", "rejected")
        )
        prefix = "Dry run, nothing was written. " if options["dry_run"] else ""
        self.stdout.write(f"{prefix}{customer_import.rows_done:,} rows: {counts}.")
        if not customer_import.rejected:
            return
        for reason in read_reasons(customer_import, count=REASONS_SHOWN):
            self.stdout.write(f"  {reason}")
        if options["rejects"]:
            self.stdout.write(f"The rejected rows are in {options['rejects']}.")
        else:
            self.stdout.write("Use --rejects FILE to get the rejected rows with their reasons.")


def _open_rejects(path: Path) -> IO[str]:
    try:
        return path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise DomainError(
            "unreadable_file", f"{path} cannot be read: {error.strerror}. Check its name."
        ) from None


def _clean_up(import_id: int) -> None:
    """Leave nothing of the file, however the command ends; what was imported stays traceable."""
    if CustomerImport.objects.filter(pk=import_id, status__in=NOT_IMPORTED).delete()[0]:
        return
    with contextlib.suppress(DomainError):
        discard_import(import_id=import_id)
    forget_list(import_id=import_id)
