"""Working through an import's file: the dry run, and the real one (C-5).

Rows, rejected rows and progress of a batch are one transaction: a killed import goes on after the
last batch that is in, and half a row never is.
"""

import logging
import time
from collections.abc import Iterator

from django.db import IntegrityError, OperationalError, transaction

from config.clock import database_now
from config.errors import DomainError
from customers.encryption import DecryptionError
from customers.imports.batches import (
    OUTCOMES,
    Prepared,
    Result,
    merge_batch,
    prepare_batch,
    rules_of,
)
from customers.imports.lease import LeaseLostError, Status, keep_lease, take_lease
from customers.imports.merging import People, Person
from customers.imports.people import load_people, write_people
from customers.imports.reading import Header, Record, open_list
from customers.imports.storage import (
    REJECTS,
    UPLOAD,
    add_rejects,
    csv_line,
    delete_parts,
    open_upload,
)
from customers.models import CustomerImport

logger = logging.getLogger(__name__)

# Another writer may create the same customer between our look-up and our insert, or hold what we
# wait for while it waits for us: the next try finds it done.
TRIES = 5


def run_import(*, import_id: int) -> bool:
    """Check or apply an import, whichever it waits for; tell whether it was this caller's to do.

    Safe to call twice, late or at once: only who holds the lease works. What goes wrong is kept in
    the import's ``error`` for people to see.
    """
    customer_import = take_lease(import_id=import_id)
    if customer_import is None:
        return False
    work = _check if customer_import.status == Status.CHECKING else _apply
    sentence = ""
    try:
        work(customer_import)
    except LeaseLostError:
        return False
    except OperationalError:
        # The database was away or busy: the lease runs out, and the import is resumed.
        logger.warning("import %s was interrupted by the database", import_id)
    except (DomainError, DecryptionError) as error:
        sentence = str(error)
    except Exception as error:
        # Not the error's text: it may quote a row.
        logger.error("import %s stopped: %s", import_id, type(error).__name__)
        sentence = (
            "An unexpected error stopped the import. Nothing is half done: try again, and it goes "
            "on after the last row that is in."
        )
    if sentence:
        _fail(customer_import, sentence)
    return True


def _batches(
    customer_import: CustomerImport,
) -> tuple[Header, Iterator[Prepared]]:
    header, records = open_list(open_upload(customer_import), customer_import.encoding)
    rules = rules_of(customer_import, header)

    def batches() -> Iterator[Prepared]:
        for _ in range(customer_import.rows_done):
            next(records, None)
        while batch := prepare_batch(records, rules):
            yield batch

    return header, batches()


def _check(customer_import: CustomerImport) -> None:
    """Go through the whole file as the import would, writing progress and rejected rows only."""
    with transaction.atomic():
        keep_lease(customer_import)
        _start_over(customer_import)
    # Everyone whom the file creates or changes stays in memory: a later row may mean them again.
    people = People()
    changed: set[Person] = set()

    def note(persons: list[Person]) -> None:
        changed.update(persons)
        for person in persons:
            person.mark_written()

    header, batches = _batches(customer_import)
    for batch in batches:
        loaded = load_people(batch.clean(), people, lock=False)
        result = merge_batch(batch, people, write=note)
        for person in loaded:
            if person not in changed:
                people.remove(person)
        with transaction.atomic():
            keep_lease(customer_import)
            _record(customer_import, header, batch, result)
    with transaction.atomic():
        keep_lease(customer_import)
        _finish(customer_import, Status.CHECKED)


def _apply(customer_import: CustomerImport) -> None:
    """Go through the rest of the file, a batch a transaction."""

    def write(changed: list[Person]) -> None:
        write_people(changed, source=f"import:{customer_import.pk}")

    header, batches = _batches(customer_import)
    for batch in batches:
        for attempt in range(1, TRIES + 1):
            try:
                with transaction.atomic():
                    keep_lease(customer_import)
                    people = People()
                    load_people(batch.clean(), people, lock=True)
                    result = merge_batch(batch, people, write=write)
                    _record(customer_import, header, batch, result)
                break
            except (IntegrityError, OperationalError):
                if attempt == TRIES:
                    raise
                time.sleep(0.1 * attempt)
                customer_import.refresh_from_db()
    with transaction.atomic():
        keep_lease(customer_import)
        delete_parts(customer_import, UPLOAD)
        _finish(customer_import, Status.DONE)


def _start_over(customer_import: CustomerImport) -> None:
    delete_parts(customer_import, REJECTS)
    customer_import.rows_done = 0
    for outcome in OUTCOMES:
        setattr(customer_import, outcome, 0)
    customer_import.save(update_fields=["rows_done", *OUTCOMES])


def _record(
    customer_import: CustomerImport, header: Header, batch: Prepared, result: Result
) -> None:
    """Store a batch's progress, counts and rejected rows."""
    add_rejects(customer_import, _reject_lines(header, batch.records, result, customer_import))
    customer_import.rows_done += len(batch.records)
    for outcome, count in result.counts().items():
        setattr(customer_import, outcome, getattr(customer_import, outcome) + count)
    customer_import.save(update_fields=["rows_done", *OUTCOMES])


def _reject_lines(
    header: Header, records: list[Record], result: Result, customer_import: CustomerImport
) -> list[str]:
    """Return the rejected rows as they came, as CSV, with the reason as their last column."""
    width = len(header.names)
    lines = []
    for position, reason in result.reasons.items():
        record = records[position]
        # What is too much stays in the last column, so that the reason keeps its own.
        rest = header.delimiter.join(record.cells[width - 1 :])
        cells = [*record.cells[: width - 1], rest]
        cells += [""] * (width - len(cells))
        lines.append(csv_line([*cells, f"Line {record.line}: {reason}"], header.delimiter))
    if lines and customer_import.rejected == 0:
        lines.insert(0, csv_line([*header.names, "reason"], header.delimiter))
    return lines


def _finish(customer_import: CustomerImport, status: str) -> None:
    CustomerImport.objects.filter(pk=customer_import.pk).update(
        status=status,
        rows_total=customer_import.rows_done,
        lease_token=None,
        lease_until=None,
        error="",
        finished_at=database_now() if status == Status.DONE else None,
    )


def _fail(customer_import: CustomerImport, sentence: str) -> None:
    """Say what went wrong; a check goes back to the choice of columns."""
    failed = Status.UPLOADED if customer_import.status == Status.CHECKING else Status.FAILED
    CustomerImport.objects.filter(
        pk=customer_import.pk, lease_token=customer_import.lease_token
    ).update(
        status=failed,
        error=sentence[:300],
        lease_token=None,
        lease_until=None,
        touched_at=database_now(),
    )
