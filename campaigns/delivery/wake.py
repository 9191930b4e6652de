"""Gets work onto the queue. A lost or failed message costs seconds, never a customer (D-1)."""

import logging
from datetime import UTC, datetime, timedelta

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from campaigns.models import Campaign, Delivery, SenderSlot
from config.clock import database_now

logger = logging.getLogger(__name__)

SEND_TASK = "campaigns.send"
FREEZE_TASK = "campaigns.freeze"
TESTS_TASK = "campaigns.send_tests"
# A slot that was woken this recently has its message under way.
WOKEN_SECONDS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def enqueue(task: str, *ids: int, queue: str = "default") -> bool:
    """Publish a task with these ids; when the broker is away, log that and return False.

    It never expires: a worker would judge that by its own clock, and drop everyone's messages when
    that is wrong. Late ones find nothing to do.
    """
    try:
        current_app.send_task(task, args=ids, queue=queue)
    except Exception as error:
        # The sweeper enqueues again: the rows are the truth.
        logger.warning("could not enqueue %s: %s", task, type(error).__name__)
        return False
    return True


def enqueue_freeze(*, campaign_id: int) -> None:
    """Have a worker freeze the audience of a campaign that was just queued."""
    transaction.on_commit(lambda: enqueue(FREEZE_TASK, campaign_id))


def enqueue_tests() -> None:
    """Have a worker send the test messages that wait, once this transaction is committed."""
    transaction.on_commit(lambda: enqueue(TESTS_TASK))


def enqueue_sender(*, slot: int, woken_at: datetime) -> bool:
    """Have a worker run a sender in ``slot``; tell whether the broker took it.

    ``woken_at`` is what the slot says now: once it is woken again, this message is void.
    """
    wake = (woken_at - _EPOCH) // timedelta(microseconds=1)
    return enqueue(SEND_TASK, slot, wake, queue="sending")


def time_of_wake(wake: int) -> datetime:
    """Return the ``woken_at`` that a message of ``enqueue_sender`` carries."""
    return _EPOCH + timedelta(microseconds=wake)


def work_remains() -> bool:
    """Tell whether a delivery of a running campaign may leave now."""
    due = Delivery.objects.due(database_now()).filter(campaign=OuterRef("pk"))
    return Campaign.objects.filter(Exists(due), status=Campaign.Status.SENDING).exists()


def wake_senders() -> int:
    """Enqueue a sender for each free slot, if there is work; return how many.

    A slot woken in the last ten seconds is left alone, so waking often costs nothing.
    """
    if not work_remains():
        return 0
    numbers = range(settings.SENDER_SLOTS)
    if SenderSlot.objects.filter(number__in=numbers).count() < len(numbers):
        SenderSlot.objects.bulk_create(map(_new_slot, numbers), ignore_conflicts=True)
    now = database_now()
    asleep = SenderSlot.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=now),
        Q(woken_at=None) | Q(woken_at__lt=now - timedelta(seconds=WOKEN_SECONDS)),
        number__in=numbers,
    )
    woken = 0
    for number in list(asleep.values_list("number", flat=True)):
        if asleep.filter(number=number).update(woken_at=now):
            if not enqueue_sender(slot=number, woken_at=now):
                break  # Each further try would wait as long; the next tick tries again.
            woken += 1
    return woken


def _new_slot(number: int) -> SenderSlot:
    return SenderSlot(number=number)


def wake_on_commit() -> None:
    """Wake the senders once the current transaction is committed."""
    transaction.on_commit(wake_senders)
