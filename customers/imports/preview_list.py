"""What a person sees of a list before it is imported: its columns, and its first rows merged."""

import csv
from dataclasses import dataclass
from itertools import islice

from customers.imports.batches import merge_batch, prepare_batch, rules_of
from customers.imports.mapping import FIELDS
from customers.imports.merging import People, Person
from customers.imports.people import load_people
from customers.imports.reading import open_lines, open_list
from customers.imports.storage import REJECTS, PartsStream, open_upload, read_parts
from customers.models import CustomerImport

SAMPLES = 3
FIRST_ROWS = 10


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file, with values from its first rows."""

    position: int
    name: str
    samples: list[str]


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One of the first rows: its used cells, what would come of it, and why it is rejected."""

    line: int
    cells: list[str]
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows under the labels of the used fields."""

    labels: list[str]
    rows: list[PreviewRow]


def read_columns(customer_import: CustomerImport) -> list[Column]:
    """Return the columns of the stored file.

    Raises DomainError ``unreadable_file`` or DecryptionError.
    """
    header, records = open_list(open_upload(customer_import), customer_import.encoding)
    first = [record.cells for record in islice(records, 200)]
    columns = []
    for position, name in enumerate(header.names):
        values = (cells[position].strip() for cells in first if position < len(cells))
        samples = list(islice(dict.fromkeys(value for value in values if value), SAMPLES))
        columns.append(Column(position, name, [sample[:60] for sample in samples]))
    return columns


def preview_first_rows(customer_import: CustomerImport) -> Preview:
    """Return what would come of the first rows. Writes nothing."""
    header, records = open_list(open_upload(customer_import), customer_import.encoding)
    used = [
        (FIELDS.get(name, name), position)
        for name, positions in customer_import.mapping.items()
        for position in positions
    ]
    used.sort(key=lambda column: column[1])
    batch = prepare_batch(islice(records, FIRST_ROWS), rules_of(customer_import, header))
    if batch is None:
        return Preview([label for label, _ in used], [])

    def note(persons: list[Person]) -> None:
        for person in persons:
            person.mark_written()

    people = People()
    load_people(batch.clean(), people, lock=False)
    result = merge_batch(batch, people, write=note)
    rows = [
        PreviewRow(
            line=record.line,
            cells=[
                record.cells[position][:60] if position < len(record.cells) else ""
                for _, position in used
            ],
            outcome=result.outcomes[number],
            reason=result.reasons.get(number, ""),
        )
        for number, record in enumerate(batch.records)
    ]
    return Preview([label for label, _ in used], rows)


def read_reasons(customer_import: CustomerImport, *, count: int) -> list[str]:
    """Return why the first ``count`` rejected rows were rejected, each with its line."""
    stream = PartsStream(read_parts(customer_import, REJECTS))
    rows = csv.reader(open_lines(stream, "utf-8"), delimiter=customer_import.delimiter)
    return [cells[-1] for cells in islice(rows, 1, count + 1)]
