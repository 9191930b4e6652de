"""Importing a list in a test, as the command and the admin do."""

import csv
import io

from customers.imports.mapping import override_mapping, parse_overrides
from customers.imports.moves import start_check, start_import
from customers.imports.preview_list import read_columns
from customers.imports.run_import import run_import
from customers.imports.storage import read_rejects
from customers.imports.upload_list import set_up_import, upload_list
from customers.models import CustomerImport


def uploaded(
    content: str | bytes,
    *,
    mapping: tuple[str, ...] = (),
    tags: tuple[str, ...] = (),
    consent: tuple[str, ...] = (),
) -> CustomerImport:
    """A list that waits to be checked or imported."""
    data = content.encode() if isinstance(content, str) else content
    customer_import = upload_list(chunks=[data], file_name="list.csv")
    names = [column.name for column in read_columns(customer_import)]
    chosen = override_mapping(customer_import.mapping, names, parse_overrides(list(mapping)))
    set_up_import(import_id=customer_import.pk, mapping=chosen, tags=tags, consent=consent)
    return customer_import


def imported(content: str | bytes, **options) -> CustomerImport:
    """A list that was imported."""
    customer_import = uploaded(content, **options)
    start_import(import_id=customer_import.pk)
    assert run_import(import_id=customer_import.pk)
    customer_import.refresh_from_db()
    return customer_import


def checked(content: str | bytes, **options) -> CustomerImport:
    """A list after its dry run."""
    customer_import = uploaded(content, **options)
    start_check(import_id=customer_import.pk)
    assert run_import(import_id=customer_import.pk)
    customer_import.refresh_from_db()
    return customer_import


def counts(customer_import: CustomerImport) -> tuple[int, int, int, int]:
    """Rows created, updated, unchanged and rejected."""
    figures = customer_import.as_figures()
    assert figures["rows"] == sum(figures.values()) - figures["rows"]
    return tuple(figures[name] for name in ("created", "updated", "unchanged", "rejected"))


def rejected_rows(customer_import: CustomerImport) -> list[dict[str, str]]:
    """The rejected rows as someone reads the file."""
    text = "".join(read_rejects(customer_import))
    return list(
        csv.DictReader(io.StringIO(text, newline=""), delimiter=customer_import.delimiter or ",")
    )
