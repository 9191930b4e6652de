"""Forgetting uploaded lists: a file goes when it is done or discarded, the rest after a week (C-2).

Rejected rows stay for a week, so that they can be fetched again, or until someone deletes them.
"""

from datetime import timedelta

from django.db import transaction

from config.clock import database_now
from customers.imports.lease import WORKING, Status
from customers.imports.storage import REJECTS, UPLOAD, delete_parts
from customers.models import CustomerImport

KEPT = timedelta(days=7)
UNFINISHED = (Status.UPLOADED, Status.CHECKED, Status.FAILED)


def forget_old_lists() -> int:
    """Delete what nobody touched for a week; return how many imports that concerned.

    Lists that were never imported are discarded by it. Called at each upload and by the worker.
    """
    old = CustomerImport.objects.filter(
        touched_at__lt=database_now() - KEPT, parts__isnull=False
    ).exclude(status__in=WORKING)
    ids = sorted(set(old.values_list("pk", flat=True)))
    for import_id in ids:
        forget_list(import_id=import_id)
    return len(ids)


@transaction.atomic
def forget_list(*, import_id: int) -> None:
    """Delete an import's file and rejected rows, unless a worker is at them."""
    customer_import = (
        CustomerImport.objects.select_for_update()
        .filter(pk=import_id)
        .exclude(status__in=WORKING)
        .first()
    )
    if customer_import is None:
        return
    delete_parts(customer_import, UPLOAD, REJECTS)
    CustomerImport.objects.filter(pk=import_id, status__in=UNFINISHED).update(
        status=Status.DISCARDED
    )
