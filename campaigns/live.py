"""A campaign in words, as it moves: what the list, its page, the home page and the poll show (D-8).

One definition, so that a page and what updates it never disagree.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format

from campaigns.models import Campaign
from campaigns.moments import readable_span
from campaigns.notices import Notice
from campaigns.progress import ChannelProgress, Progress, progress_of
from campaigns.standstill import notices_for

Status = Campaign.Status
MOVING = frozenset({Status.QUEUED, Status.SENDING})
WAITING = frozenset({Status.SCHEDULED, Status.PAUSED})
CHANNEL_PARTS = ("sent", "failed", "skipped", "pending", "unconfirmed", "cancelled")
# How soon a page asks again, in seconds.
POLL_MOVING, POLL_WAITING = 2, 10


@dataclass(frozen=True, slots=True)
class LiveState:
    """How far one campaign is, in words; ``done`` of ``total`` fills its bar.

    ``figures`` are its rate, the time left and failures; ``notices`` say what else is happening, or
    why nothing is.
    """

    campaign: Campaign
    text: str
    figures: str
    done: int
    total: int
    channels: dict[str, ChannelProgress]
    notices: tuple[Notice, ...] = ()

    @property
    def detail(self) -> str:
        """Figures and notices in few words, for a list."""
        return _joined([self.figures, *(notice.short for notice in self.notices)])

    @property
    def panel_key(self) -> str:
        """What a campaign's panel must be rendered anew for, when it changes."""
        return " ".join([self.campaign.status, *(notice.key for notice in self.notices)])

    @property
    def poll_seconds(self) -> int | None:
        """Seconds until it is worth asking again; None when nothing will change by itself."""
        if self.campaign.status in MOVING:
            return POLL_MOVING
        # A colleague, or a report of the provider, may settle what a notice is about.
        waits = self.campaign.status in WAITING or self.notices
        return POLL_WAITING if waits else None

    def as_dict(self) -> dict[str, Any]:
        """Return what a poll answers for this campaign."""
        campaign = self.campaign
        return {
            "id": campaign.pk,
            "status": campaign.status,
            "done": self.done,
            "total": self.total,
            "poll_seconds": self.poll_seconds,
            "panel_key": self.panel_key,
            "failed": campaign.emails_failed + campaign.sms_failed,
            "notices": [notice.as_dict() for notice in self.notices],
            "parts": {
                "label": campaign.get_status_display(),
                "text": self.text,
                "detail": self.detail,
                "figures": self.figures,
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
    notices = notices_for(listed)
    return [
        _state(campaign, progress.get(campaign.pk), tuple(notices[campaign.pk]))
        for campaign in listed
    ]


def sent_and_failed(sent: int, failed: int) -> str:
    """Return “4,990 sent”, with “10 failed” on a second line; a dash before anything happened."""
    if not sent and not failed:
        return "–"
    return f"{sent:,} sent\n{failed:,} failed" if failed else f"{sent:,} sent"


def _state(campaign: Campaign, progress: Progress | None, notices: tuple[Notice, ...]) -> LiveState:
    if progress is not None:
        return LiveState(
            campaign,
            f"{progress.done:,} / {progress.total:,} sent",
            _joined([*_pace(campaign, progress, notices), _failures(_failed(progress))]),
            progress.finished,
            progress.total,
            progress.channels,
            notices,
        )
    sent = campaign.emails_sent + campaign.sms_sent
    failures = _failures(campaign.emails_failed + campaign.sms_failed)
    text, figures, done, total = {
        Status.DRAFT: ("Not sent yet", "", 0, 0),
        Status.SCHEDULED: (_starts(campaign), "", 0, 0),
        Status.QUEUED: ("Getting ready", _getting_ready(campaign, notices), 0, 0),
        Status.COMPLETED: (f"{sent:,} sent", failures, 1, 1),
        Status.FAILED: (f"{sent:,} sent", "", 0, 0),
        Status.CANCELLED: (f"{sent:,} sent, then cancelled", failures, 0, 0),
    }[Status(campaign.status)]
    return LiveState(campaign, text, figures, done, total, {}, notices)


def _starts(campaign: Campaign) -> str:
    if campaign.scheduled_for is None:
        return ""
    local = date_format(timezone.localtime(campaign.scheduled_for), "j M Y, H:i")
    return f"Starts {local} ({settings.TIME_ZONE})"


def _getting_ready(campaign: Campaign, notices: tuple[Notice, ...]) -> str:
    if any(notice.holds_back for notice in notices):
        return ""
    if campaign.total_targeted:
        return f"{campaign.total_targeted:,} customers so far"
    return "Writing down the audience"


def _pace(campaign: Campaign, progress: Progress, notices: tuple[Notice, ...]) -> list[str]:
    if campaign.status != Status.SENDING:
        return []
    rate = sum(channel.per_minute for channel in progress.channels.values())
    # The limit does not tell how long it takes while something else holds messages back.
    held = any(notice.holds_back for notice in notices)
    left = 0 if held else progress.seconds_left
    return [
        f"{rate:,.0f} a minute" if rate >= 1 else "",
        f"about {readable_span(left)} left" if left else "",
    ]


def _failed(progress: Progress) -> int:
    return sum(channel.failed for channel in progress.channels.values())


def _joined(parts: list[str]) -> str:
    return " · ".join(part for part in parts if part)


def _failures(failed: int) -> str:
    return f"{failed:,} failed" if failed else ""
