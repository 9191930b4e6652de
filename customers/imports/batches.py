"""One batch of records after the other: cleaned, merged, counted (C-5)."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from config.errors import DomainError
from customers.imports.cleaning import CleanRow, Rules, clean_record
from customers.imports.merging import CREATED, UNCHANGED, UPDATED, People, Person, merge_row
from customers.imports.reading import Header, Record
from customers.models import CustomerImport

BATCH_ROWS = 1_000
REJECTED = "rejected"
OUTCOMES = (CREATED, UPDATED, UNCHANGED, REJECTED)


@dataclass(slots=True)
class Prepared:
    """A batch of records, cleaned ahead of its transaction: a row, or why it is rejected."""

    records: list[Record]
    rows: list[CleanRow | DomainError]

    def clean(self) -> list[CleanRow]:
        """Return the rows that can be merged."""
        return [row for row in self.rows if isinstance(row, CleanRow)]


@dataclass(slots=True)
class Result:
    """What came of a batch. ``outcomes`` follow its records; ``reasons`` are of those rejected."""

    outcomes: list[str] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Return how many rows had each outcome."""
        counter = Counter(self.outcomes)
        return {outcome: counter[outcome] for outcome in OUTCOMES}


def rules_of(customer_import: CustomerImport, header: Header) -> Rules:
    """Return what holds for every row of an import."""
    return Rules(
        mapping=customer_import.mapping,
        width=len(header.names),
        tags=tuple(customer_import.tags),
        stated_consent=frozenset(customer_import.consent),
    )


def prepare_batch(records: Iterator[Record], rules: Rules) -> Prepared | None:
    """Return the next batch, cleaned, or None at the end."""
    batch = list(islice(records, BATCH_ROWS))
    if not batch:
        return None
    rows: list[CleanRow | DomainError] = []
    for record in batch:
        try:
            rows.append(clean_record(record, rules))
        except DomainError as error:
            rows.append(error)
    return Prepared(batch, rows)


Write = Callable[[list[Person]], None]


def merge_batch(batch: Prepared, people: People, *, write: Write) -> Result:
    """Merge a batch into ``people`` and hand those that changed to ``write``."""
    result = Result()
    touched: dict[Person, list[int]] = {}
    written: set[Person] = set()  # those that ``write`` got so far
    freed: dict[str, Person] = {}  # indexes of addresses, and who gave them up

    def flush() -> None:
        changed = [person for person in touched if person.has_changed()]
        write(changed)
        written.update(changed)
        for person, positions in touched.items():
            if person in written:
                continue
            # Two rows that contradict each other may leave someone as they were before.
            for position in positions:
                result.outcomes[position] = UNCHANGED
        touched.clear()
        freed.clear()

    for position, row in enumerate(batch.rows):
        result.outcomes.append(REJECTED)
        try:
            if isinstance(row, DomainError):
                raise row
            former = {freed.get(row.email_index), freed.get(row.phone_index)} - {None}
            if former and former != {people.find(row)}:
                # Someone takes an address that another gave up a few rows before.
                flush()
            merged = merge_row(people, row)
        except DomainError as error:
            result.reasons[position] = error.message
            continue
        result.outcomes[position] = merged.outcome
        freed.update(dict.fromkeys(merged.freed_keys, merged.person))
        touched.setdefault(merged.person, []).append(position)
    flush()
    return result
