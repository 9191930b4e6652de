"""When each channel of a campaign will have sent its messages, if it is sent at a time (M-8)."""

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.db.models import Count

from campaigns.audience import AudienceCounts, audience_of
from campaigns.delivery.pacing import provider_limit
from campaigns.finishing import Plan, plan_sending, shared_rate
from campaigns.models import Campaign, Delivery
from customers.models import Channel


def plan_campaign(
    *, campaign: Campaign, counts: AudienceCounts, start: datetime, segments_per_text: float = 1
) -> dict[str, Plan]:
    """Return channel → plan, for the channels that reach anybody.

    The provider's limit is shared with the campaigns that are being sent now, as far as their rows
    tell. Texts keep to the hours of the time zones their receivers live in.
    """
    plans = {}
    for channel, reached in counts.channels.items():
        if not reached.reachable:
            continue
        is_sms = channel == Channel.SMS
        rate = shared_rate(
            messages=reached.reachable,
            units_each=segments_per_text if is_sms else 1,
            own_limit=campaign.rate_limit(channel),
            provider_limit=provider_limit(channel),
            others=_waiting_elsewhere(campaign, channel),
        )
        hours = settings.SMS_SENDING_HOURS if is_sms else None
        plans[channel] = plan_sending(
            start=start,
            waiting=_by_zone(campaign, reached.reachable) if hours else {"": reached.reachable},
            per_minute=rate * 60 / settings.PACING_WINDOW_SECONDS,
            hours=hours,
        )
    return plans


def _by_zone(campaign: Campaign, reachable: int) -> Mapping[str, int]:
    """Return time zone → texts, in proportion to who can be reached there."""
    reached = audience_of(campaign).reachable_by(Channel.SMS).order_by()
    zones = dict(reached.values_list("time_zone").annotate(Count("pk")))
    total = sum(zones.values())
    # Fewer than these may be left by the frequency cap; it has no favourite time zone.
    return {zone: -(-count * reachable // total) for zone, count in zones.items()}


def _waiting_elsewhere(campaign: Campaign, channel: str) -> list[float]:
    if not provider_limit(channel):
        return []
    waiting = (
        Delivery.objects.filter(status=Delivery.Status.PENDING, channel=channel)
        .filter(campaign__status=Campaign.Status.SENDING)
        .exclude(campaign=campaign)
        .order_by()
        .values_list("campaign")
        .annotate(Count("pk"))
    )
    return [float(count) for _, count in waiting]
