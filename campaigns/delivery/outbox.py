"""The only place where a Delivery changes state, its counter on Campaign in the same transaction.

pending → sending (claim) → sent, failed, skipped, unconfirmed, or pending again (retry, hand back).
Every update names the state it comes from, and while sending the lease's token: a worker that slept
through its lease changes nothing (D-3).
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, Q, Value, When

from campaigns.delivery.outcomes import Action, Outcome
from campaigns.delivery.pacing import Charge, Lane, lock_permits, settle_charge
from campaigns.models import Campaign, Delivery
from config.clock import database_now
from customers.models import Channel

Status = Delivery.Status

COUNTERS: dict[tuple[str, str], str] = {
    (Channel.EMAIL, Status.SENT): "emails_sent",
    (Channel.EMAIL, Status.FAILED): "emails_failed",
    (Channel.SMS, Status.SENT): "sms_sent",
    (Channel.SMS, Status.FAILED): "sms_failed",
}
CANCEL_BATCH = 1_000
_RELEASED = {"lease_token": None, "lease_until": None, "call_started_at": None}


def _count(campaign_id: int, channel: str, status: str, difference: int) -> None:
    column = COUNTERS[channel, status]
    if difference:
        Campaign.objects.filter(pk=campaign_id).update(**{column: F(column) + difference})


def claim(*, lane: Lane, limit: int, token: uuid.UUID) -> list[Delivery]:
    """Take up to ``limit`` due deliveries of a lane under a lease; skip those without consent.

    Two workers never get the same row: locked rows are skipped, and SQLite admits one at a time.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            # A lost claim is claimed again; the mark is durable and comes later in the log.
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit TO off")
        now = database_now()
        ids = list(
            Delivery.objects.due(now)
            .in_lane(lane.campaign_id, lane.channel)
            .order_by("not_before", "id")
            .select_for_update(skip_locked=True)
            .values_list("pk", flat=True)[:limit]
        )
        rows = list(Delivery.objects.filter(pk__in=ids).select_related("customer").order_by("pk"))
        taken = [row for row in rows if row.customer.takes(lane.channel)]
        _skip([row for row in rows if not row.customer.takes(lane.channel)], lane.channel)
        until = now + timedelta(seconds=settings.LEASE_SECONDS)
        Delivery.objects.filter(pk__in=[row.pk for row in taken], status=Status.PENDING).update(
            status=Status.SENDING, lease_token=token, lease_until=until
        )
    return taken


def _skip(rows: Iterable[Delivery], channel: str) -> None:
    for row in rows:
        reason = row.customer.exclusion_reason(channel)
        Delivery.objects.filter(pk=row.pk).update(status=Status.SKIPPED, code=reason, **_RELEASED)


def skip_claimed(*, ids: Iterable[int], token: uuid.UUID, code: str) -> int:
    """Skip claimed deliveries that were not called; return how many."""
    return (
        Delivery.objects.filter(pk__in=list(ids), status=Status.SENDING, lease_token=token)
        .filter(call_started_at=None)
        .update(status=Status.SKIPPED, code=code, **_RELEASED)
    )


def fail_claimed(*, lane: Lane, ids: Iterable[int], token: uuid.UUID, code: str) -> int:
    """Fail claimed deliveries that cannot be called at all; return how many."""
    with transaction.atomic():
        failed = (
            Delivery.objects.filter(pk__in=list(ids), status=Status.SENDING, lease_token=token)
            .filter(call_started_at=None)
            .update(status=Status.FAILED, code=code, **_RELEASED)
        )
        _count(lane.campaign_id, lane.channel, Status.FAILED, failed)
    return failed


def hand_back(*, ids: Iterable[int], token: uuid.UUID) -> int:
    """Make claimed deliveries that were not called due again; costs no attempt."""
    return (
        Delivery.objects.filter(pk__in=list(ids), status=Status.SENDING, lease_token=token)
        .filter(call_started_at=None)
        .update(status=Status.PENDING, **_RELEASED)
    )


@dataclass(frozen=True)
class Marked:
    """What may be called now: attempts by delivery id, and what was charged for them.

    ``blocked`` tells that the pace let nothing through.
    """

    attempts: dict[int, int]
    charge: Charge | None
    blocked: bool = False


def mark(*, lane: Lane, ids: Sequence[int], units: Sequence[int], token: uuid.UUID) -> Marked:
    """Record, durably and just before the call, that these deliveries are being called.

    In one transaction: as many as the pace permits, whose lease lasts longer than a call, whose
    campaign still sends and whose customer still takes the channel (C-7, D-3, D-4). ``units`` are
    the provider's permits each message costs.
    """
    with transaction.atomic():
        permits = lock_permits(lane)
        allowed = permits.allowed(list(units))
        if not allowed:
            return Marked({}, None, blocked=True)
        enough = permits.now + timedelta(seconds=settings.PROVIDER_TIMEOUT_SECONDS * 1.25)
        rows = list(
            Delivery.objects.select_for_update(of=("self",))
            .filter(pk__in=ids[:allowed], status=Status.SENDING, lease_token=token)
            .filter(lease_until__gt=enough, campaign__status=Campaign.Status.SENDING)
            .select_related("customer")
            .order_by("pk")
        )
        _skip([row for row in rows if not row.customer.takes(lane.channel)], lane.channel)
        attempts = {row.pk: row.attempts + 1 for row in rows if row.customer.takes(lane.channel)}
        if not attempts:
            return Marked({}, None)
        Delivery.objects.filter(pk__in=attempts).update(
            call_started_at=permits.now, attempts=F("attempts") + 1
        )
        cost = dict(zip(ids, units, strict=True))
        charge = permits.take([cost[pk] for pk in attempts])
    return Marked(attempts, charge)


def record(*, lane: Lane, token: uuid.UUID, charge: Charge, outcomes: dict[int, Outcome]) -> None:
    """Write what became of called deliveries, where the lease's token still matches."""
    with transaction.atomic():
        delays = [o.delay for o in outcomes.values() if o.action is Action.SLOW_DOWN]
        settle_charge(charge, slow_down=max(delays, default=0))
        now = database_now()
        mine = Delivery.objects.filter(status=Status.SENDING, lease_token=token)
        sent = {pk: o for pk, o in outcomes.items() if o.action is Action.SENT}
        sent_count = _record_sent(mine, sent, now) if sent else 0
        failed_count = 0
        for pk, outcome in outcomes.items():
            if outcome.action is Action.SENT:
                continue
            hit = mine.filter(pk=pk).update(**_columns_after(outcome, lane.channel, now))
            failed_count += hit if outcome.action is Action.FAIL else 0
        _count(lane.campaign_id, lane.channel, Status.SENT, sent_count)
        _count(lane.campaign_id, lane.channel, Status.FAILED, failed_count)


def _record_sent(mine: object, sent: dict[int, Outcome], now: datetime) -> int:
    provider_ids = [When(pk=pk, then=Value(o.provider_id[:120])) for pk, o in sent.items()]
    return mine.filter(pk__in=sent).update(  # type: ignore[attr-defined, no-any-return]
        status=Status.SENT, code="", sent_at=now, provider_id=Case(*provider_ids), **_RELEASED
    )


def _columns_after(outcome: Outcome, channel: str, now: datetime) -> dict[str, object]:
    columns: dict[str, object] = {"code": outcome.code, **_RELEASED}
    if outcome.action is Action.FAIL:
        columns["status"] = Status.FAILED
    elif outcome.action is Action.UNCONFIRMED:
        columns |= _unconfirmed(now)
    else:
        columns["status"] = Status.PENDING
        columns["not_before"] = now + timedelta(seconds=outcome.delay)
        if outcome.action is Action.SLOW_DOWN:
            columns["attempts"] = F("attempts") - 1
    return columns


def _unconfirmed(now: datetime) -> dict[str, object]:
    grace = timedelta(seconds=settings.UNCONFIRMED_GRACE_SECONDS)
    # For an unconfirmed email not_before is when it is tried again.
    return {"status": Status.UNCONFIRMED, "not_before": now + grace}


@dataclass(frozen=True)
class Expired:
    """What the leases of dead workers held."""

    handed_back: int
    unconfirmed: int


def expire_leases() -> Expired:
    """Free what dead workers held: not called, due again; called, unconfirmed (D-6)."""
    now = database_now()
    over = Delivery.objects.filter(status=Status.SENDING, lease_until__lt=now)
    handed_back = over.filter(call_started_at=None).update(status=Status.PENDING, **_RELEASED)
    unconfirmed = over.exclude(call_started_at=None).update(
        code="lease_expired", **_unconfirmed(now), **_RELEASED
    )
    return Expired(handed_back, unconfirmed)


def retry_unconfirmed_emails() -> int:
    """Try unconfirmed emails again after their grace, with the same code; return how many.

    When the tries are used up they fail. Unconfirmed texts cost money and wait for a person.
    """
    now = database_now()
    over = Delivery.objects.filter(
        status=Status.UNCONFIRMED,
        channel=Channel.EMAIL,
        not_before__lte=now,
        campaign__status__in=[Campaign.Status.SENDING, Campaign.Status.PAUSED],
    )
    tries = len(settings.RETRY_BACKOFF_SECONDS) + 1
    retried = over.filter(attempts__lt=tries).update(status=Status.PENDING)
    with transaction.atomic():
        exhausted = over.filter(attempts__gte=tries).select_for_update(skip_locked=True)
        for campaign_id, pk in exhausted.values_list("campaign_id", "pk"):
            failed = Delivery.objects.filter(pk=pk, status=Status.UNCONFIRMED).update(
                status=Status.FAILED, code="too_many_attempts"
            )
            _count(campaign_id, Channel.EMAIL, Status.FAILED, failed)
    return retried


def cancel_pending(*, campaign_id: int) -> int:
    """Cancel what has not left and is not being called; return how many."""
    waiting = Q(status=Status.PENDING) | Q(status=Status.SENDING, call_started_at=None)
    stopped = 0
    while True:
        with transaction.atomic():
            # Never waits for a sender: what one holds now, it gives back and the sweeper ends.
            ids = list(
                Delivery.objects.select_for_update(skip_locked=True)
                .filter(waiting, campaign_id=campaign_id)
                .order_by("pk")
                .values_list("pk", flat=True)[:CANCEL_BATCH]
            )
            if not ids:
                return stopped
            stopped += Delivery.objects.filter(pk__in=ids).update(
                status=Status.CANCELLED, code="campaign_cancelled", **_RELEASED
            )


def cancel_leftovers() -> int:
    """Cancel what came back to a cancelled campaign after its last call; return how many."""
    leftovers = Delivery.objects.filter(
        status=Status.PENDING, campaign__status=Campaign.Status.CANCELLED
    )
    return leftovers.update(status=Status.CANCELLED, code="campaign_cancelled")


def retry_failed(*, campaign_id: int) -> int:
    """Make the failed deliveries of a campaign due again, with fresh attempts; return how many."""
    now = database_now()
    retried = 0
    with transaction.atomic():
        for channel in Channel.values:
            failed = (
                Delivery.objects.filter(campaign_id=campaign_id, channel=channel)
                .filter(status=Status.FAILED)
                .update(status=Status.PENDING, code="", attempts=0, not_before=now)
            )
            _count(campaign_id, channel, Status.FAILED, -failed)
            retried += failed
    return retried
