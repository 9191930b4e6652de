"""Provider events: stored once, then acted on, each in a transaction of its own (E-3)."""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from campaigns.models import ProviderEvent
from campaigns.webhooks.act_on_event import act_on_event
from config.clock import database_now

logger = logging.getLogger(__name__)

Kind = ProviderEvent.Kind

# A provider waits for our answer: what is not done by then is left to the next tick.
INLINE_SECONDS = 2.0
TICK_SECONDS = 2.0
BATCH = 1_000
# How long after its arrival an event is tried again that failed so many times.
RETRY_AFTER_SECONDS = (0, 5, 30, 120, 600)
KEPT = timedelta(days=30)
PRUNED_AT_ONCE = 2_000
# Those that can decide about the next message come before those that are only counted.
_URGENT_FIRST = Case(
    When(kind__in=[Kind.OPTED_OUT, Kind.OPTED_IN, Kind.COMPLAINED, Kind.BOUNCED], then=Value(0)),
    default=Value(1),
)


def receive_events(events: Iterable[ProviderEvent], *, seconds: float = INLINE_SECONDS) -> int:
    """Store new events, known ones not again, and act on the new ones for at most ``seconds``.

    Returns how many of all are left to the tick, known ones that failed included. When it returns,
    every event is stored.
    """
    waiting = _store(events)
    fresh = [event_id for event_id, attempts in waiting if not attempts]
    return len(waiting) - len(fresh) + _process(fresh, seconds=seconds)


def _store(events: Iterable[ProviderEvent]) -> list[tuple[int, int]]:
    """Insert what is not there yet; return id and attempts of those not acted on, urgent first."""
    by_key = {(event.provider, event.key): event for event in events}
    # Sorted: two batches with the same events must not lock their keys crosswise.
    ordered = sorted(by_key)
    ProviderEvent.objects.bulk_create(
        [by_key[key] for key in ordered], batch_size=BATCH, ignore_conflicts=True
    )
    waiting: list[tuple[int, datetime, int, int]] = []
    for start in range(0, len(ordered), BATCH):
        some = ordered[start : start + BATCH]
        same = Q(provider__in={provider for provider, _ in some}, key__in=[key for _, key in some])
        rows = ProviderEvent.objects.filter(same, processed_at=None)
        waiting += rows.values_list(_URGENT_FIRST, "occurred_at", "pk", "attempts")
    return [(event_id, attempts) for *_, event_id, attempts in sorted(waiting)]


def process_stored_events(*, seconds: float = TICK_SECONDS) -> int:
    """Act on stored events that nobody has acted on yet, for at most ``seconds``.

    Returns how many of those that were due are left. What fails is tried again later, at most five
    times in all; then it is parked, and ``doctor`` tells.
    """
    now = database_now()
    due = Q()
    for attempts, delay in enumerate(RETRY_AFTER_SECONDS):
        due |= Q(attempts=attempts, received_at__lte=now - timedelta(seconds=delay))
    waiting = ProviderEvent.objects.unprocessed().filter(due).order_by(_URGENT_FIRST, "pk")
    return _process(list(waiting.values_list("pk", flat=True)[:BATCH]), seconds=seconds)


def _process(ids: list[int], *, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    done = 0
    for position, event_id in enumerate(ids):
        if position and time.monotonic() > deadline:
            break
        done += process_event(event_id)
    return len(ids) - done


def process_event(event_id: int) -> bool:
    """Act on one event, once, whoever else tries; return whether that is settled.

    A failure is counted and logged without any content: one poisoned event blocks no other.
    """
    follow_up: Callable[[], None] | None = None
    try:
        with transaction.atomic():
            event = (
                ProviderEvent.objects.unprocessed()
                .select_for_update(skip_locked=True)
                .filter(pk=event_id)
                .first()
            )
            if event is None:
                # Settled already; or parked, or in the hands of somebody else who may still fail.
                return not ProviderEvent.objects.filter(pk=event_id, processed_at=None).exists()
            follow_up = act_on_event(event)
            ProviderEvent.objects.filter(pk=event_id).update(
                processed_at=Now(), address_index="", error=""
            )
        if follow_up:
            follow_up()
    except Exception as error:
        reason = type(error).__name__
        logger.error("event %s was not acted on: %s", event_id, reason)
        ProviderEvent.objects.filter(pk=event_id, processed_at=None).update(
            attempts=F("attempts") + 1, error=reason[:80]
        )
        return False
    return True


def retry_parked_events() -> int:
    """Have parked events tried again, with fresh attempts; return how many."""
    return ProviderEvent.objects.parked().update(attempts=0, error="")


def prune_events() -> int:
    """Delete events that were acted on a month ago, not too many at once; return how many."""
    old = ProviderEvent.objects.filter(processed_at__lt=database_now() - KEPT)
    ids = list(old.order_by("processed_at").values_list("pk", flat=True)[:PRUNED_AT_ONCE])
    return ProviderEvent.objects.filter(pk__in=ids).delete()[0] if ids else 0
