"""A campaign in words, as it moves: what the list, its page, the home page and the poll show (D-8).

One definition, so that a page and what updates it never disagree.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format

from campaigns.models import Campaign
from campaigns.progress import ChannelProgress, Progress, progress_of
from config.clock import database_now

Status = Campaign.Status
MOVING = frozenset({Status.QUEUED, Status.SENDING})
WAITING = frozenset({Status.SCHEDULED, Status.PAUSED})
CHANNEL_PARTS = ("sent", "failed", "skipped", "pending", "unconfirmed", "cancelled")
# How soon a page asks again, in seconds.
POLL_MOVING, POLL_WAITING = 2, 10
# A queued campaign that has no audience after this long is waiting for a worker.
WORKER_IS_LATE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class LiveState:
    """How far one campaign is, in words; ``done`` of ``total`` fills its bar."""

    campaign: Campaign
    text: str
    detail: str
    done: int
    total: int
    channels: dict[str, ChannelProgress]

    @property
    def poll_seconds(self) -> int | None:
        """Seconds until it is worth asking again; None when nothing will change by itself."""
        if self.campaign.status in MOVING:
            return POLL_MOVING
        return POLL_WAITING if self.campaign.status in WAITING else None

    def as_dict(self) -> dict[str, Any]:
        """Return what a poll answers for this campaign."""
        campaign = self.campaign
        return {
            "id": campaign.pk,
            "status": campaign.status,
            "done": self.done,
            "total": self.total,
            "poll_seconds": self.poll_seconds,
            "parts": {
                "label": campaign.get_status_display(),
                "text": self.text,
                "detail": self.detail,
                "emails": sent_and_failed(campaign.emails_sent, campaign.emails_failed),
                "sms": sent_and_failed(campaign.sms_sent, campaign.sms_failed),
                **{
                    f"{channel}.{name}": f"{getattr(counts, name):,}"
                    for channel, counts in self.channels.items()
                    for name in CHANNEL_PARTS
                },
            },
        }


def live_states(campaigns: Iterable[Campaign]) -> list[LiveState]:
    """Return the state of campaigns, in their order, with a fixed number of queries.

    Only those that are under way are counted from their deliveries; the others have counters.
    """
    listed = list(campaigns)
    under_way = [c for c in listed if c.status in {Status.SENDING, Status.PAUSED}]
    progress = {p.campaign.pk: p for p in progress_of(under_way)} if under_way else {}
    return [_state(campaign, progress.get(campaign.pk)) for campaign in listed]


def sent_and_failed(sent: int, failed: int) -> str:
    """Return “4,990 sent”, with “10 failed” on a second line; a dash before anything happened."""
    if not sent and not failed:
        return "–"
    return f"{sent:,} sent\n{failed:,} failed" if failed else f"{sent:,} sent"


def _state(campaign: Campaign, progress: Progress | None) -> LiveState:
    if progress is not None:
        return LiveState(
            campaign,
            f"{progress.done:,} / {progress.total:,} sent",
            _detail(campaign, progress),
            progress.finished,
            progress.total,
            progress.channels,
        )
    sent = campaign.emails_sent + campaign.sms_sent
    failed = campaign.emails_failed + campaign.sms_failed
    text, detail, done, total = {
        Status.DRAFT: ("Not sent yet", "", 0, 0),
        Status.SCHEDULED: (_starts(campaign), "", 0, 0),
        Status.QUEUED: ("Getting ready", _getting_ready(campaign), 0, 0),
        Status.COMPLETED: (f"{sent:,} sent", _failures(failed), 1, 1),
        Status.FAILED: (f"{sent:,} sent", campaign.status_reason, 0, 0),
        Status.CANCELLED: (f"{sent:,} sent, then cancelled", _failures(failed), 0, 0),
    }[Status(campaign.status)]
    return LiveState(campaign, text, detail, done, total, {})


def _starts(campaign: Campaign) -> str:
    if campaign.scheduled_for is None:
        return ""
    return f"Starts {date_format(timezone.localtime(campaign.scheduled_for), 'j M Y, H:i')}"


def _getting_ready(campaign: Campaign) -> str:
    if campaign.total_targeted:
        return f"{campaign.total_targeted:,} customers so far"
    if campaign.sent_at and database_now() - campaign.sent_at > WORKER_IS_LATE:
        return "Waiting for a worker: is one running?"
    return "Writing down the audience"


def _detail(campaign: Campaign, progress: Progress) -> str:
    channels = progress.channels.values()
    parts = []
    if campaign.status == Status.PAUSED and campaign.status_reason:
        parts.append(campaign.status_reason)
    if campaign.status == Status.SENDING:
        rate = sum(channel.per_minute for channel in channels)
        if rate >= 1:
            parts.append(f"{rate:,.0f} a minute")
        if progress.seconds_left:
            parts.append(f"about {readable_span(progress.seconds_left)} left")
    parts.append(_failures(sum(channel.failed for channel in channels)))
    unconfirmed = sum(channel.unconfirmed for channel in channels)
    if unconfirmed:
        parts.append(f"{unconfirmed:,} unconfirmed")
    return " · ".join(part for part in parts if part)


def _failures(failed: int) -> str:
    return f"{failed:,} failed" if failed else ""


def readable_span(seconds: float) -> str:
    """Return a span of time as people say it: “40 seconds”, “38 minutes”, “2 h 5 min”, “3 days”."""
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    if seconds < 90:
        return _counted(round(seconds), "second")
    if minutes < 60:
        return _counted(minutes, "minute")
    if minutes < 24 * 60:
        return f"{hours} h {rest} min" if rest else _counted(hours, "hour")
    return _counted(round(minutes / 60 / 24), "day")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
