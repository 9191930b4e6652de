"""Checks of who a campaign is for: somebody, reachable, and not twice in a day (M-7)."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from campaigns.audience import CHANNEL_NOUNS, audience_of
from campaigns.content.problems import Problem
from campaigns.finishing import plan_sending
from campaigns.models import Campaign
from campaigns.moments import readable_span
from config.clock import database_now
from customers.models import Channel

_FIELD = "target_segments"
# Below this many a growing list is nothing to wonder about.
LARGE = 1_000
MUCH_LARGER = 10
# Fewer campaigns say nothing about what is usual.
ENOUGH_BEFORE = 3
_SENT = (
    Campaign.Status.QUEUED,
    Campaign.Status.SENDING,
    Campaign.Status.PAUSED,
    Campaign.Status.COMPLETED,
)


def check_audience(campaign: Campaign) -> Iterator[Problem]:
    """Yield what keeps a campaign from its audience, as it is now, or a channel from all of it."""
    if not campaign.target_all and not campaign.target_segments.exists():
        message = "No audience is chosen: pick segments, or everyone."
        yield Problem("no_audience", message, _FIELD)
        return
    audience = audience_of(campaign)
    if not audience.exists():
        message = "Nobody is in this audience: choose other segments, or leave fewer out."
        yield Problem("audience_empty", message, _FIELD)
        return
    if not campaign.channels:
        return
    reachable = {channel: audience.reachable_by(channel) for channel in campaign.channels}
    unreachable = [channel for channel, people in reachable.items() if not people.exists()]
    if len(unreachable) == len(reachable):
        message = "Nobody in this audience can be reached: see the counts for why."
        yield Problem("nobody_reachable", message, _FIELD)
        return
    for channel in unreachable:
        noun = CHANNEL_NOUNS[channel][0]
        yield Problem(
            "channel_reaches_nobody",
            f"The campaign has {'an' if noun == 'email' else 'a'} {noun}, and nobody in this "
            "audience can get one: see the counts for why, or leave it empty.",
            "email_content" if channel == Channel.EMAIL else "sms_content",
            blocking=False,
        )


def remark_on_audience(campaign: Campaign) -> Iterator[Problem]:
    """Yield what is odd about an audience, and stops nothing."""
    yield from _check_size(campaign)
    yield from _check_repetition(campaign)
    yield from _check_codes_last(campaign)


def _check_size(campaign: Campaign) -> Iterator[Problem]:
    before = Campaign.objects.exclude(pk=campaign.pk).filter(status__in=_SENT)
    if before.count() < ENOUGH_BEFORE:
        return
    largest = before.aggregate(most=Max("total_targeted"))["most"] or 0
    customers = audience_of(campaign).count()
    if customers >= LARGE and customers >= MUCH_LARGER * largest:
        yield Problem(
            "audience_much_larger",
            f"This audience has {customers:,} customers, and the largest so far had {largest:,}: "
            "make sure that it is meant to.",
            _FIELD,
            blocking=False,
        )


def _check_repetition(campaign: Campaign) -> Iterator[Problem]:
    now = database_now()
    due = max(now, campaign.scheduled_for or now)
    midnight = timezone.localtime(due).replace(hour=0, minute=0, second=0, microsecond=0)
    today = (
        Campaign.objects.filter(
            status__in=_SENT, sent_at__gte=midnight, sent_at__lt=midnight + timedelta(days=1)
        )
        .filter(target_all=campaign.target_all)
        .exclude(pk=campaign.pk)
        .prefetch_related("target_segments", "excluded_segments")
        .order_by("-sent_at")
    )
    mine = _segments_of(campaign)
    if not (campaign.target_all or mine[0]):
        return
    for other in today[:20]:
        if _segments_of(other) == mine:
            yield Problem(
                "same_audience_today",
                f"The same audience got “{other}” today: make sure that they are to get another "
                "message so soon.",
                _FIELD,
                blocking=False,
            )
            return


def _segments_of(campaign: Campaign) -> tuple[set[int], set[int]]:
    targeted = set() if campaign.target_all else {s.pk for s in campaign.target_segments.all()}
    return targeted, {segment.pk for segment in campaign.excluded_segments.all()}


def _check_codes_last(campaign: Campaign) -> Iterator[Problem]:
    """Email and text share a code, made for whichever leaves first: the other must not be late."""
    limit = campaign.send_rate_limit_sms * 60 / settings.PACING_WINDOW_SECONDS
    if not campaign.has_qr_code or len(campaign.channels) < 2 or not limit:
        return
    texts = audience_of(campaign).reachable_by(Channel.SMS)
    if not texts.reachable_by(Channel.EMAIL).exists():
        return
    now = database_now()
    plan = plan_sending(
        start=now,
        waiting={"": texts.count()},
        per_minute=limit,
        hours=settings.SMS_SENDING_HOURS,
    )
    valid = timedelta(days=campaign.qr_expiration_days)
    if plan.ends_at is None or plan.ends_at - now > valid:
        span = (
            "more than a year"
            if plan.ends_at is None
            else "about " + readable_span((plan.ends_at - now).total_seconds())
        )
        yield Problem(
            "codes_end_before_texts",
            f"At {campaign.send_rate_limit_sms:,} a minute the last text leaves after {span}, when "
            "the code in it, made for the email, is no longer valid: raise the rate of texts, or "
            "make the codes valid for more days.",
            "send_rate_limit_sms",
            blocking=False,
        )
