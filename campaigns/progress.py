"""How far campaigns are: the figures of ``campaign_status`` and of the live page (D-8)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count

from campaigns.delivery.pacing import ring_of
from campaigns.finishing import plan_sending
from campaigns.models import Campaign, Delivery, Pace
from campaigns.waiting_zones import zones_of_waiting
from config.clock import database_now
from customers.models import Channel

Status = Delivery.Status
RUNNING = frozenset({Campaign.Status.QUEUED, Campaign.Status.SENDING, Campaign.Status.PAUSED})
PREFIX = {Channel.EMAIL.value: "emails", Channel.SMS.value: "sms"}


@dataclass(frozen=True)
class ChannelProgress:
    """One channel of one campaign: deliveries by state, messages a minute, seconds left.

    ``pending`` counts waiting and being sent; ``seconds_left`` is None when it cannot be told.
    """

    sent: int = 0
    failed: int = 0
    skipped: int = 0
    pending: int = 0
    unconfirmed: int = 0
    cancelled: int = 0
    per_minute: float = 0.0
    seconds_left: int | None = None

    @property
    def total(self) -> int:
        """Messages that are to leave or have left: everything but skipped and cancelled."""
        return self.sent + self.failed + self.pending + self.unconfirmed


@dataclass(frozen=True)
class Progress:
    """How far one campaign is."""

    campaign: Campaign
    channels: dict[str, ChannelProgress]

    @property
    def total(self) -> int:
        """Messages over all channels."""
        return sum(channel.total for channel in self.channels.values())

    @property
    def done(self) -> int:
        """Messages that are sent."""
        return sum(channel.sent for channel in self.channels.values())

    @property
    def finished(self) -> int:
        """Messages that nobody waits for any more: sent, failed or unconfirmed."""
        return sum(c.sent + c.failed + c.unconfirmed for c in self.channels.values())

    @property
    def percent(self) -> int:
        """Share of ``finished`` in ``total``, rounded down, so that 100 means all."""
        return self.finished * 100 // self.total if self.total else 0

    @property
    def seconds_left(self) -> int | None:
        """Seconds until the slower channel is done; None when it cannot be told."""
        lefts = [channel.seconds_left for channel in self.channels.values() if channel.pending]
        if any(left is None for left in lefts):
            return None
        return max((left for left in lefts if left is not None), default=0)

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of the command contract."""
        campaign = self.campaign
        figures: dict[str, Any] = {
            "id": campaign.pk,
            "name": campaign.name,
            "status": campaign.status,
            "total_targeted": campaign.total_targeted,
        }
        for channel, prefix in PREFIX.items():
            counts = self.channels.get(channel, ChannelProgress())
            for state in ("sent", "failed", "skipped", "pending", "unconfirmed"):
                figures[f"{prefix}_{state}"] = getattr(counts, state)
        for channel, prefix in PREFIX.items():
            counts = self.channels.get(channel, ChannelProgress())
            figures[f"{prefix}_per_minute"] = round(counts.per_minute, 1)
        figures["seconds_left"] = self.seconds_left
        figures["sent_at"] = _iso(campaign.sent_at)
        figures["completed_at"] = _iso(campaign.completed_at)
        return figures


def progress_of(campaigns: Iterable[Campaign]) -> list[Progress]:
    """Return the progress of campaigns, in their order, with a fixed number of queries."""
    listed = list(campaigns)
    ids = [campaign.pk for campaign in listed]
    counts: dict[tuple[int, str], dict[str, int]] = {}
    grouped = (
        Delivery.objects.filter(campaign__in=ids)
        .order_by()
        .values_list("campaign_id", "channel", "status")
        .annotate(Count("pk"))
    )
    for campaign_id, channel, status, count in grouped:
        counts.setdefault((campaign_id, channel), {})[status] = count
    paces = {
        (pace.campaign_id, pace.channel): pace for pace in Pace.objects.filter(campaign__in=ids)
    }
    now = database_now()
    waiting = {key for key, found in counts.items() if found.get(Status.PENDING)}
    zones = zones_of_waiting(
        [c for c in listed if c.status in RUNNING and (c.pk, Channel.SMS.value) in waiting]
    )
    return [
        Progress(
            campaign=campaign,
            channels={
                channel: _channel_progress(
                    campaign,
                    channel,
                    counts=counts.get((campaign.pk, channel), {}),
                    pace=paces.get((campaign.pk, channel)),
                    now=now,
                    zones=zones.get(campaign.pk) if channel == Channel.SMS else None,
                )
                for channel in campaign.channels
            },
        )
        for campaign in listed
    ]


def _channel_progress(
    campaign: Campaign,
    channel: str,
    *,
    counts: dict[str, int],
    pace: Pace | None,
    now: datetime,
    zones: Mapping[str, int] | None,
) -> ChannelProgress:
    pending = counts.get(Status.PENDING, 0) + counts.get(Status.SENDING, 0)
    sent = counts.get(Status.SENT, 0)
    rate = _messages_a_minute(campaign, channel, sent, pace, now)
    expected = campaign.rate_limit(channel) * 60 / settings.PACING_WINDOW_SECONDS or rate
    left: int | None = 0
    if pending:
        left = _seconds_for(pending, expected, now, zones)
    return ChannelProgress(
        sent=sent,
        failed=counts.get(Status.FAILED, 0),
        skipped=counts.get(Status.SKIPPED, 0),
        pending=pending,
        unconfirmed=counts.get(Status.UNCONFIRMED, 0),
        cancelled=counts.get(Status.CANCELLED, 0),
        per_minute=rate,
        seconds_left=left,
    )


def _seconds_for(
    pending: int, per_minute: float, now: datetime, zones: Mapping[str, int] | None
) -> int | None:
    """Seconds until so many have left; ``zones`` are those of texts that keep to sending hours."""
    if not per_minute:
        return None
    total = sum(zones.values()) if zones else 0
    if not (zones and total):
        return round(pending * 60 / per_minute)
    plan = plan_sending(
        start=now,
        waiting={zone: -(-count * pending // total) for zone, count in zones.items()},
        per_minute=per_minute,
        hours=settings.SMS_SENDING_HOURS,
    )
    return round((plan.ends_at - now).total_seconds()) if plan.ends_at else None


def _messages_a_minute(
    campaign: Campaign, channel: str, sent: int, pace: Pace | None, now: datetime
) -> float:
    """Messages of the last window, or without a limit the average since the campaign was queued."""
    if campaign.status not in RUNNING or campaign.sent_at is None or pace is None:
        return 0.0
    running = max(1.0, (now - campaign.sent_at).total_seconds())
    limit = campaign.rate_limit(channel)
    if not limit:
        return sent * 60 / running
    window = settings.PACING_WINDOW_SECONDS
    rate = ring_of(pace, limit).sent_in_window(now.timestamp()) * 60 / min(window, running)
    # In its first seconds a campaign sends its burst: that is not its rate.
    return min(rate, limit * 60 / window)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
