"""What becomes of messages that may or may not have arrived (D-6)."""

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from campaigns.delivery.outbox.counters import Counts, move_counters
from campaigns.delivery.outbox.ending import GIVEN_UP
from campaigns.delivery.outbox.states import ids_of_campaigns, sent_columns, settle_as_sent
from campaigns.models import Campaign, Delivery, ProviderEvent
from config.clock import database_now
from customers.models import Channel

Status = Delivery.Status
# Rows settled in one transaction of a sweep.
BATCH = 1_000


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
        campaign_id__in=ids_of_campaigns(Campaign.Status.SENDING, Campaign.Status.PAUSED),
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
        move_counters(Counter((row.campaign_id, row.channel, Status.FAILED) for row in exhausted))
    return retried


def retried_channels() -> list[str]:
    """Return the channels whose unconfirmed messages are tried again without a person."""
    return [channel for channel, policy in settings.UNCONFIRMED_POLICY.items() if policy == "retry"]


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
        Decision.COUNT_AS_SENT: sent_columns(now),
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
        move_counters(counts)
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
            settle_as_sent([delivery])
    return delivery


def settle_confirmed() -> int:
    """Settle what the provider has reported on and nobody knew to have left; return how many."""
    with transaction.atomic():
        rows = list(
            Delivery.objects.select_for_update(skip_locked=True)
            .filter(status__in=[Status.PENDING, Status.UNCONFIRMED], confirmed_at__isnull=False)
            .order_by("pk")[:BATCH]
        )
        settle_as_sent(rows)
    return len(rows)
