"""What every way to «sent» has in common."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from campaigns.delivery.outbox.counters import Counts, move_counters
from campaigns.models import Campaign, Delivery
from config.clock import database_now

Status = Delivery.Status
RELEASED = {"lease_token": None, "lease_until": None, "call_started_at": None}


def sent_columns(at: datetime) -> dict[str, object]:
    """Return the columns of a delivery that the provider has."""
    return {"status": Status.SENT, "code": "", "sent_at": at, **RELEASED}


def settle_as_sent(rows: Iterable[Delivery]) -> None:
    """Make locked rows sent, and their counters right."""
    settled = list(rows)
    if not settled:
        return
    ids = [row.pk for row in settled]
    Delivery.objects.filter(pk__in=ids).update(**sent_columns(database_now()))
    counts: Counts = Counter((row.campaign_id, row.channel, Status.SENT) for row in settled)
    counts.subtract(
        (row.campaign_id, row.channel, Status.FAILED)
        for row in settled
        if row.status == Status.FAILED
    )
    move_counters(counts)


def ids_of_campaigns(*statuses: str) -> list[int]:
    """Return the campaigns of these states: an update must not join, or it would not look again."""
    return list(Campaign.objects.filter(status__in=statuses).values_list("pk", flat=True))
