"""The counters of a campaign, which move with its deliveries in one transaction."""

from collections import Counter

from django.db.models import F
from django.db.models.functions import Greatest

from campaigns.models import Campaign, Delivery
from customers.models import Channel

Status = Delivery.Status

COUNTERS: dict[tuple[str, str], str] = {
    (Channel.EMAIL, Status.SENT): "emails_sent",
    (Channel.EMAIL, Status.FAILED): "emails_failed",
    (Channel.SMS, Status.SENT): "sms_sent",
    (Channel.SMS, Status.FAILED): "sms_failed",
}

Counts = Counter[tuple[int, str, str]]  # campaign, channel, status → difference


def move_counters(counts: Counts) -> None:
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
