"""From waiting to a result: claimed under a lease, marked, recorded; or handed back (D-3)."""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, Value, When

from campaigns.delivery.outbox.counters import move_counters
from campaigns.delivery.outbox.states import RELEASED, sent_columns, settle_as_sent
from campaigns.delivery.outcomes import Action, Outcome
from campaigns.delivery.pacing import Charge, Lane, lock_permits, settle_charge, tests_wait
from campaigns.delivery.quiet_hours import quiet_until
from campaigns.delivery.streaks import note_outcomes
from campaigns.frequency import WAIT_UNDER_WAY, contacted_recently, lock_frequency
from campaigns.models import Campaign, Delivery
from campaigns.models.delivery import DeliveryQuerySet
from config.clock import database_now
from customers.models import Customer

Status = Delivery.Status
# The share of a call's timeout within which it has to start after its mark.
MARGIN = 0.25


def claim(*, lane: Lane, limit: int, token: uuid.UUID) -> list[Delivery]:
    """Take up to ``limit`` due deliveries of a lane under a lease; skip those without consent.

    Two workers never get the same row: locked rows are skipped, and SQLite admits one at a time.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            # A lost claim is claimed again; the mark is durable and comes later in the log.
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit TO off")
        lock_frequency()
        now = database_now()
        ids = list(
            Delivery.objects.due(now)
            .in_lane(lane.campaign_id, lane.channel)
            # What the provider has reported on is settled by the sweep.
            .filter(confirmed_at=None)
            .order_by("not_before", "id")
            .select_for_update(skip_locked=True)
            .values_list("pk", flat=True)[:limit]
        )
        rows = list(Delivery.objects.filter(pk__in=ids).select_related("customer").order_by("pk"))
        taken = _keep_those_who_take_it(rows, lane.channel, now)
        taken = _keep_those_below_the_cap(taken, lane.campaign_id, now)
        until = now + timedelta(seconds=settings.LEASE_SECONDS)
        Delivery.objects.filter(pk__in=[row.pk for row in taken], status=Status.PENDING).update(
            status=Status.SENDING, lease_token=token, lease_until=until
        )
    return taken


def _keep_those_who_take_it(
    rows: Sequence[Delivery], channel: str, now: datetime
) -> list[Delivery]:
    """Return the rows that may leave now; skip the unsubscribed, put off who sleeps (C-7, D-10)."""
    kept = []
    for row in rows:
        same = Delivery.objects.filter(pk=row.pk)
        if not row.customer.takes(channel):
            reason = row.customer.exclusion_reason(channel)
            same.update(status=Status.SKIPPED, code=reason, **RELEASED)
        elif opens_at := quiet_until(customer=row.customer, channel=channel, now=now):
            same.update(status=Status.PENDING, code="quiet_hours", not_before=opens_at, **RELEASED)
        else:
            kept.append(row)
    return kept


def _keep_those_below_the_cap(
    rows: list[Delivery], campaign_id: int, now: datetime
) -> list[Delivery]:
    """Skip whoever has had enough, unless this campaign has already reached them (D-10).

    Where that hangs on another campaign's message that is just being sent, wait for what becomes of
    it: skipped, they might get neither.
    """
    fresh = [row.customer_id for row in rows if not row.attempts]
    enough, either = (
        contacted_recently(
            customer_ids=fresh, campaign_id=campaign_id, now=now, under_way=under_way
        )
        for under_way in (False, True)
    )
    perhaps = either - enough
    _of_customers(rows, enough).update(status=Status.SKIPPED, code="contacted_recently")
    _of_customers(rows, perhaps).update(not_before=now + WAIT_UNDER_WAY, code="another_campaign")
    return [row for row in rows if row.customer_id not in enough | perhaps]


def _of_customers(rows: list[Delivery], customer_ids: frozenset[int]) -> DeliveryQuerySet:
    ids = [row.pk for row in rows if row.customer_id in customer_ids]
    return Delivery.objects.filter(pk__in=ids, status=Status.PENDING)


def skip_claimed(*, ids: Iterable[int], token: uuid.UUID, code: str) -> int:
    """Skip claimed deliveries that were not called; return how many."""
    return (
        Delivery.objects.filter(pk__in=list(ids), status=Status.SENDING, lease_token=token)
        .filter(call_started_at=None)
        .update(status=Status.SKIPPED, code=code, **RELEASED)
    )


def fail_claimed(*, lane: Lane, ids: Iterable[int], token: uuid.UUID, code: str) -> int:
    """Fail claimed deliveries that cannot be called at all; return how many."""
    with transaction.atomic():
        failed = (
            Delivery.objects.filter(pk__in=list(ids), status=Status.SENDING, lease_token=token)
            .filter(call_started_at=None)
            .update(status=Status.FAILED, code=code, **RELEASED)
        )
        move_counters(Counter({(lane.campaign_id, lane.channel, Status.FAILED): failed}))
    return failed


def hand_back(*, ids: Iterable[int], token: uuid.UUID) -> int:
    """Make claimed deliveries that were not called due again; costs no attempt."""
    return (
        Delivery.objects.filter(pk__in=list(ids), status=Status.SENDING, lease_token=token)
        .filter(call_started_at=None)
        .update(status=Status.PENDING, **RELEASED)
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
        # A person waits in front of a test, and it is one of a few: it takes the next permits.
        if not allowed or (permits.provider_ring and tests_wait(lane.channel, now=permits.now)):
            return Marked({}, None, blocked=True)
        longest = settings.PROVIDER_TIMEOUT_SECONDS * (1 + MARGIN)
        enough = permits.now + timedelta(seconds=longest)
        rows = list(
            Delivery.objects.select_for_update(of=("self",))
            .filter(pk__in=ids[:allowed], status=Status.SENDING, lease_token=token)
            .filter(lease_until__gt=enough, campaign__status=Campaign.Status.SENDING)
            .order_by("pk")
        )
        # In a statement of its own: what was read while waiting for the locks may be old.
        customers = Customer.objects.in_bulk([row.customer_id for row in rows])
        for row in rows:
            row.customer = customers[row.customer_id]
        settle_as_sent([row for row in rows if row.confirmed_at])
        rows = [row for row in rows if not row.confirmed_at]
        leaving = _keep_those_who_take_it(rows, lane.channel, permits.now)
        attempts = {row.pk: row.attempts + 1 for row in leaving}
        if not attempts:
            return Marked({}, None)
        Delivery.objects.filter(pk__in=attempts).update(
            call_started_at=permits.now, attempts=F("attempts") + 1
        )
        cost = dict(zip(ids, units, strict=True))
        charge = permits.take([cost[pk] for pk in attempts])
    return Marked(attempts, charge)


def record(*, lane: Lane, token: uuid.UUID, marked: Marked, outcomes: dict[int, Outcome]) -> bool:
    """Write what became of marked deliveries, where the lease's token still matches.

    Returns whether the lane has to stop (D-9).
    """
    assert marked.charge is not None
    with transaction.atomic():
        # The campaign's pace is locked before the provider's, here as in the mark.
        must_stop = note_outcomes(
            pace_id=lane.pace.pk,
            first_tries=[o for pk, o in outcomes.items() if marked.attempts[pk] == 1],
            others=[o for pk, o in outcomes.items() if marked.attempts[pk] > 1],
        )
        delays = [o.delay for o in outcomes.values() if o.action is Action.SLOW_DOWN]
        settle_charge(marked.charge, slow_down=max(delays, default=0))
        now = database_now()
        mine = Delivery.objects.filter(status=Status.SENDING, lease_token=token)
        sent = {pk: o for pk, o in outcomes.items() if o.action is Action.SENT}
        sent_count = _record_sent(mine, sent, now) if sent else 0
        failed_count = 0
        for pk, outcome in outcomes.items():
            if outcome.action is Action.SENT:
                continue
            row = mine.filter(pk=pk)
            # The provider may have reported on it while the call was under way.
            hit = row.filter(confirmed_at=None).update(**_columns_after(outcome, lane.channel, now))
            failed_count += hit if outcome.action is Action.FAIL else 0
            sent_count += 0 if hit else row.update(**sent_columns(now))
        this = (lane.campaign_id, lane.channel)
        move_counters(
            Counter({(*this, Status.SENT): sent_count, (*this, Status.FAILED): failed_count})
        )
    return must_stop


def _record_sent(mine: object, sent: dict[int, Outcome], now: datetime) -> int:
    provider_ids = [When(pk=pk, then=Value(o.provider_id[:120])) for pk, o in sent.items()]
    return mine.filter(pk__in=sent).update(  # type: ignore[attr-defined, no-any-return]
        provider_id=Case(*provider_ids), **sent_columns(now)
    )


def _columns_after(outcome: Outcome, channel: str, now: datetime) -> dict[str, object]:
    columns: dict[str, object] = {"code": outcome.code, **RELEASED}
    if outcome.action is Action.FAIL:
        columns["status"] = Status.FAILED
    elif outcome.action is Action.UNCONFIRMED:
        columns |= _unconfirmed(now)
    else:
        columns["status"] = Status.PENDING
        columns["not_before"] = now + timedelta(seconds=outcome.delay)
        if outcome.action in {Action.SLOW_DOWN, Action.PAUSE}:
            columns["attempts"] = F("attempts") - 1
    return columns


def _unconfirmed(now: datetime) -> dict[str, object]:
    grace = timedelta(seconds=settings.UNCONFIRMED_GRACE_SECONDS)
    # For an unconfirmed email not_before is when it is tried again.
    return {"status": Status.UNCONFIRMED, "not_before": now + grace}


def _of_the_dead() -> DeliveryQuerySet:
    return Delivery.objects.filter(status=Status.SENDING, lease_until__lt=database_now())


def hand_back_expired() -> int:
    """Make due again what dead workers held and had not called; return how many (D-6)."""
    return _of_the_dead().filter(call_started_at=None).update(status=Status.PENDING, **RELEASED)


def expire_calls() -> int:
    """Make unconfirmed what dead workers were calling; return how many (D-6)."""
    called = _of_the_dead().exclude(call_started_at=None)
    return called.update(code="lease_expired", **_unconfirmed(database_now()), **RELEASED)
