"""The moves of an import's life. Each is one conditional update: two people start it once."""

from django.db import transaction

from config.clock import database_now
from config.errors import DomainError
from customers.imports.batches import OUTCOMES
from customers.imports.lease import Status
from customers.imports.storage import REJECTS, UPLOAD, delete_parts
from customers.models import CustomerImport

# Where an import may come from to get to a state.
MOVES = {
    Status.UPLOADED: (Status.CHECKED,),
    Status.CHECKING: (Status.UPLOADED,),
    Status.RUNNING: (Status.UPLOADED, Status.CHECKED, Status.FAILED),
    Status.DISCARDED: (
        Status.UPLOADED,
        Status.CHECKING,
        Status.CHECKED,
        Status.RUNNING,
        Status.FAILED,
    ),
}


def _move(import_id: int, status: Status, *, start_over: bool) -> CustomerImport:
    """Move an import, freeing it from whoever works on it.

    Raises DomainError ``not_possible_now`` from any other state.
    """
    from_start = dict.fromkeys(("rows_done", *OUTCOMES), 0) if start_over else {}
    moved = CustomerImport.objects.filter(pk=import_id, status__in=MOVES[status]).update(
        status=status,
        error="",
        lease_token=None,
        lease_until=None,
        touched_at=database_now(),
        **from_start,
    )
    if not moved:
        raise DomainError(
            "not_possible_now",
            "The import has moved on in the meantime: look at its page again.",
        )
    customer_import = CustomerImport.objects.get(pk=import_id)
    if start_over:
        delete_parts(customer_import, REJECTS)
    return customer_import


@transaction.atomic
def start_check(*, import_id: int) -> None:
    """Let ``run_import`` do the dry run.

    Raises DomainError ``not_possible_now``.
    """
    _move(import_id, Status.CHECKING, start_over=True)


@transaction.atomic
def start_import(*, import_id: int) -> None:
    """Let ``run_import`` apply the list, or the rest of it after an error.

    Raises DomainError ``not_possible_now``.
    """
    failed = CustomerImport.objects.filter(pk=import_id, status=Status.FAILED).exists()
    _move(import_id, Status.RUNNING, start_over=not failed)


@transaction.atomic
def choose_columns_again(*, import_id: int) -> None:
    """Go back from the dry run to the choice of columns.

    Raises DomainError ``not_possible_now``.
    """
    _move(import_id, Status.UPLOADED, start_over=True)


@transaction.atomic
def discard_import(*, import_id: int) -> None:
    """Stop an import, and delete its file and its rejected rows. Rows that are in stay in.

    Raises DomainError ``not_possible_now``.
    """
    customer_import = _move(import_id, Status.DISCARDED, start_over=False)
    delete_parts(customer_import, UPLOAD, REJECTS)
