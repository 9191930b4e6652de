"""Who works on an import: one worker at a time, as long as its lease lasts."""

import logging
import uuid
from datetime import timedelta

from celery import current_app
from django.db import transaction
from django.db.models import Q

from config.clock import database_now
from customers.models import CustomerImport

logger = logging.getLogger(__name__)

RUN_TASK = "customers.run_import"
# A batch takes a second; whoever is silent for this long has died.
LEASE = timedelta(seconds=60)
# An import that waits this long for a worker has lost its message.
WAITING = timedelta(seconds=20)

Status = CustomerImport.Status
WORKING = (Status.CHECKING, Status.RUNNING)


class LeaseLostError(Exception):
    """The import was stopped, or another worker took it over: leave without writing."""


def enqueue_import(*, import_id: int) -> None:
    """Have a worker run an import once the current transaction is committed.

    When the broker is away that is logged, and ``resume_stalled_imports`` tries again.
    """

    def publish() -> None:
        try:
            current_app.send_task(RUN_TASK, args=[import_id])
        except Exception as error:
            logger.warning("could not enqueue import %s: %s", import_id, type(error).__name__)

    transaction.on_commit(publish)


def take_lease(*, import_id: int) -> CustomerImport | None:
    """Return the import, leased to the caller, or None when it is not to be worked on now."""
    now = database_now()
    token = uuid.uuid4()
    taken = CustomerImport.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=now), pk=import_id, status__in=WORKING
    ).update(lease_token=token, lease_until=now + LEASE, touched_at=now)
    return CustomerImport.objects.get(pk=import_id) if taken else None


def keep_lease(customer_import: CustomerImport) -> None:
    """Hold the import's row until the transaction ends, with its lease prolonged.

    Raises LeaseLostError when the import is no longer the caller's, or no longer in its state.
    """
    now = database_now()
    kept = CustomerImport.objects.filter(
        pk=customer_import.pk,
        lease_token=customer_import.lease_token,
        status=customer_import.status,
        rows_done=customer_import.rows_done,
    ).update(lease_until=now + LEASE, touched_at=now)
    if not kept:
        raise LeaseLostError


def stalled_imports() -> "list[int]":
    """Return the ids of imports that ought to be worked on, and are not."""
    now = database_now()
    stalled = CustomerImport.objects.filter(
        Q(lease_until=None, touched_at__lt=now - WAITING) | Q(lease_until__lt=now),
        status__in=WORKING,
    )
    return list(stalled.values_list("pk", flat=True))


def is_stalled(customer_import: CustomerImport) -> bool:
    """Tell whether an import ought to be worked on, and is not."""
    now = database_now()
    if customer_import.status not in WORKING:
        return False
    if customer_import.lease_until is None:
        return customer_import.touched_at < now - WAITING
    return customer_import.lease_until < now


def resume_stalled_imports() -> int:
    """Enqueue every import whose worker died or whose message was lost; return how many."""
    ids = stalled_imports()
    for import_id in ids:
        enqueue_import(import_id=import_id)
    return len(ids)
