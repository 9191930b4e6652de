"""The only place where a Delivery changes state, its counter on Campaign in the same transaction.

pending → sending (claim) → sent, failed, skipped, unconfirmed, or pending again (retry, hand back).
unconfirmed → sent (the provider's report, a person), pending again or failed (policy, a person).
Every update names the state it comes from, and while sending the lease's token: a worker that slept
through its lease changes nothing (D-3).
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Greatest

from campaigns.delivery.outcomes import Action, Outcome
from campaigns.delivery.pacing import Charge, Lane, lock_permits, settle_charge
from campaigns.delivery.quiet_hours import quiet_until
from campaigns.delivery.streaks import note_outcomes
from campaigns.frequency import WAIT_UNDER_WAY, contacted_recently, lock_frequency
from campaigns.models import Campaign, Delivery, ProviderEvent
from campaigns.models.delivery import DeliveryQuerySet
from config.clock import database_now
from customers.models import Channel, Customer

Status = Delivery.Status

COUNTERS: dict[tuple[str, str], str] = {
    (Channel.EMAIL, Status.SENT): "emails_sent",
    (Channel.EMAIL, Status.FAILED): "emails_failed",
    (Channel.SMS, Status.SENT): "sms_sent",
    (Channel.SMS, Status.FAILED): "sms_failed",
}
BATCH = 1_000
# The share of a call's timeout within which it has to start after its mark.
MARGIN = 0.25
# The reason code of what a person decided not to send again.
GIVEN_UP = "given_up"
_RELEASED = {"lease_token": None, "lease_until": None, "call_started_at": None}


Counts = Counter[tuple[int, str, str]]  # campaign, channel, status → difference


def _count(counts: Counts) -> None:
    """Move the counters of campaigns: the last thing in every transaction, campaigns in order.

    Everybody locks paces, then deliveries, then campaigns.
    """
    for (campaign_id, channel, status), difference in sorted(counts.items()):
        column = COUNTERS.get((channel, status))
        if column and difference:
            # A counter that is wrong already must not keep rows from being settled.
            moved = (
                Greatest(F(column) + difference, 0) if difference < 0 else F(column) + difference
            )
            Campaign.objects.filter(pk=campaign_id).update(**{column: moved})


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
            same.update(status=Status.SKIPPED, code=reason, **_RELEASED)
        elif opens_at := quiet_until(customer=row.customer, channel=channel, now=now):
            same.update(status=Status.PENDING, code="quiet_hours", not_before=opens_at, **_RELEASED)
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
    _of_customers(rows, perhaps).update(not_before=now + WAIT_UNDER_WAY)
    return [row for row in rows if row.customer_id not in enough | perhaps]


def _of_customers(rows: list[Delivery], customer_ids: frozenset[int]) -> DeliveryQuerySet:
    ids = [row.pk for row in rows if row.customer_id in customer_ids]
    return Delivery.objects.filter(pk__in=ids, status=Status.PENDING)


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
        _count(Counter({(lane.campaign_id, lane.channel, Status.FAILED): failed}))
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
        _settle_as_sent([row for row in rows if row.confirmed_at])
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
            sent_count += 0 if hit else row.update(**_sent_columns(now))
        this = (lane.campaign_id, lane.channel)
        _count(Counter({(*this, Status.SENT): sent_count, (*this, Status.FAILED): failed_count}))
    return must_stop


def _sent_columns(at: datetime) -> dict[str, object]:
    return {"status": Status.SENT, "code": "", "sent_at": at, **_RELEASED}


def _record_sent(mine: object, sent: dict[int, Outcome], now: datetime) -> int:
    provider_ids = [When(pk=pk, then=Value(o.provider_id[:120])) for pk, o in sent.items()]
    return mine.filter(pk__in=sent).update(  # type: ignore[attr-defined, no-any-return]
        provider_id=Case(*provider_ids), **_sent_columns(now)
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
    return _of_the_dead().filter(call_started_at=None).update(status=Status.PENDING, **_RELEASED)


def expire_calls() -> int:
    """Make unconfirmed what dead workers were calling; return how many (D-6)."""
    called = _of_the_dead().exclude(call_started_at=None)
    return called.update(code="lease_expired", **_unconfirmed(database_now()), **_RELEASED)


def retry_unconfirmed() -> int:
    """Try unconfirmed messages again after their grace, with the same code; return how many.

    Where UNCONFIRMED_POLICY says so; when the tries are used up they fail. The others wait for a
    person.
    """
    now = database_now()
    # No join: the outer statement must see again that nothing has settled a row meanwhile.
    over = Delivery.objects.filter(
        status=Status.UNCONFIRMED,
        channel__in=retried_channels(),
        not_before__lte=now,
        campaign_id__in=_ids_of_campaigns(Campaign.Status.SENDING, Campaign.Status.PAUSED),
    ).exclude(
        # A report on it is stored and has not been acted on: it may well have arrived.
        Exists(ProviderEvent.objects.unprocessed().filter(public_id=OuterRef("public_id")))
    )
    tries = len(settings.RETRY_BACKOFF_SECONDS) + 1
    retried = over.filter(attempts__lt=tries).update(status=Status.PENDING)
    with transaction.atomic():
        exhausted = list(over.filter(attempts__gte=tries).select_for_update(skip_locked=True))
        Delivery.objects.filter(pk__in=[row.pk for row in exhausted]).update(
            status=Status.FAILED, code="too_many_attempts"
        )
        _count(Counter((row.campaign_id, row.channel, Status.FAILED) for row in exhausted))
    return retried


def retried_channels() -> list[str]:
    """Return the channels whose unconfirmed messages are tried again without a person."""
    return [channel for channel, policy in settings.UNCONFIRMED_POLICY.items() if policy == "retry"]


def _ids_of_campaigns(*statuses: str) -> list[int]:
    return list(Campaign.objects.filter(status__in=statuses).values_list("pk", flat=True))


class Decision(StrEnum):
    """What a person makes of messages that may or may not have arrived."""

    SEND_AGAIN = "again"
    COUNT_AS_SENT = "sent"
    GIVE_UP = "failed"


def decide_unconfirmed(
    *, campaign_id: int, decision: Decision, ids: Sequence[int] | None = None, channel: str = ""
) -> int:
    """Settle unconfirmed deliveries as a person decided: those named, else all; return how many.

    Sending again starts with fresh attempts.
    """
    now = database_now()
    columns: dict[Decision, dict[str, object]] = {
        Decision.SEND_AGAIN: {
            "status": Status.PENDING,
            "code": "",
            "attempts": 0,
            "not_before": now,
        },
        Decision.COUNT_AS_SENT: _sent_columns(now),
        Decision.GIVE_UP: {"status": Status.FAILED, "code": GIVEN_UP},
    }
    counted = str(columns[decision]["status"])
    counts: Counts = Counter()
    with transaction.atomic():
        for each in [channel] if channel else Channel.values:
            rows = Delivery.objects.in_lane(campaign_id, each).filter(status=Status.UNCONFIRMED)
            if ids is not None:
                rows = rows.filter(pk__in=ids)
            counts[campaign_id, each, counted] += rows.update(**columns[decision])
        _count(counts)
    return counts.total()


class Report(StrEnum):
    """What a provider says about a message by itself, after it took it."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    OPENED = "opened"
    CLICKED = "clicked"


_REPORT_COLUMN = {
    Report.DELIVERED: "delivered_at",
    Report.BOUNCED: "bounced_at",
    Report.OPENED: "opened_at",
    Report.CLICKED: "clicked_at",
}
# A report proves that the provider has the message, whatever became of our call.
_SETTLED_BY_REPORT = frozenset(
    {Status.UNCONFIRMED, Status.PENDING, Status.FAILED, Status.CANCELLED}
)


def note_report(
    *, public_id: uuid.UUID, report: Report, at: datetime, code: str = ""
) -> Delivery | None:
    """Keep what a provider reports beside the state, each kind once; None for an unknown delivery.

    ``code`` says why a message bounced. A delivery that was not known to have left is settled as
    sent (D-6); one that is being called is settled when the call has ended.
    """
    with transaction.atomic():
        delivery = (
            Delivery.objects.select_for_update(of=("self",))
            .select_related("campaign")
            .filter(public_id=public_id)
            .first()
        )
        if delivery is None:
            return None
        columns: dict[str, object] = {}
        if delivery.confirmed_at is None:
            columns["confirmed_at"] = at
        column = _REPORT_COLUMN.get(report)
        if column and getattr(delivery, column) is None:
            columns[column] = at
            if report is Report.BOUNCED:
                columns["bounce_code"] = code
        if columns:
            Delivery.objects.filter(pk=delivery.pk).update(**columns)
        # Whoever unsubscribed between two tries is skipped, and has got the first one after all.
        tried_and_skipped = delivery.status == Status.SKIPPED and delivery.attempts
        if delivery.status in _SETTLED_BY_REPORT or tried_and_skipped:
            _settle_as_sent([delivery])
    return delivery


def settle_confirmed() -> int:
    """Settle what the provider has reported on and nobody knew to have left; return how many."""
    with transaction.atomic():
        rows = list(
            Delivery.objects.select_for_update(skip_locked=True)
            .filter(status__in=[Status.PENDING, Status.UNCONFIRMED], confirmed_at__isnull=False)
            .order_by("pk")[:BATCH]
        )
        _settle_as_sent(rows)
    return len(rows)


def _settle_as_sent(rows: Iterable[Delivery]) -> None:
    """Make locked rows sent, and their counters right."""
    settled = list(rows)
    if not settled:
        return
    ids = [row.pk for row in settled]
    Delivery.objects.filter(pk__in=ids).update(**_sent_columns(database_now()))
    counts: Counts = Counter((row.campaign_id, row.channel, Status.SENT) for row in settled)
    counts.subtract(
        (row.campaign_id, row.channel, Status.FAILED)
        for row in settled
        if row.status == Status.FAILED
    )
    _count(counts)


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
                .values_list("pk", flat=True)[:BATCH]
            )
            if not ids:
                return stopped
            stopped += Delivery.objects.filter(pk__in=ids).update(
                status=Status.CANCELLED, code="campaign_cancelled", **_RELEASED
            )


def cancel_leftovers() -> int:
    """Cancel what came back to a cancelled campaign after its last call; return how many."""
    leftovers = Delivery.objects.filter(
        status=Status.PENDING, campaign_id__in=_ids_of_campaigns(Campaign.Status.CANCELLED)
    )
    return leftovers.update(status=Status.CANCELLED, code="campaign_cancelled")


def retry_failed(*, campaign_id: int, channel: str = "", code: str = "") -> int:
    """Make failed deliveries of a campaign due again, with fresh attempts; return how many.

    Those of one ``channel`` and of one reason ``code``, else all but those somebody gave up on: a
    second message may reach whoever got the first.
    """
    now = database_now()
    counts: Counts = Counter()
    with transaction.atomic():
        for each in [channel] if channel else Channel.values:
            failed = Delivery.objects.in_lane(campaign_id, each).filter(status=Status.FAILED)
            failed = failed.filter(code=code) if code else failed.exclude(code=GIVEN_UP)
            changed = failed.update(status=Status.PENDING, code="", attempts=0, not_before=now)
            counts[campaign_id, each, Status.FAILED] -= changed
        _count(counts)
    return -counts.total()
