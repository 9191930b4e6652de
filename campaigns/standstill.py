"""What is happening with a campaign, and why nothing is: sentences that say what to do, until when.

One definition for the campaign's page, the list, the poll and the home page; a fixed number of
queries for any number of campaigns.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, Min, OuterRef

from campaigns.delivery.outbox import retried_channels
from campaigns.health import BEAT, SILENCE, SWEEPER, broker_answers, last_heartbeats
from campaigns.models import Campaign, Delivery, Pace, Series
from campaigns.moments import readable_moment, readable_span
from campaigns.notices import LATE, TELL, Notice, Severity
from campaigns.series.notices import notices_of_original, notices_of_run, series_by_original
from config.clock import database_now
from customers.models import Channel

Status = Campaign.Status

NOUNS = {Channel.EMAIL.value: ("email", "emails"), Channel.SMS.value: ("text", "texts")}
# A queued campaign that has no audience after this long is waiting for a worker.
WORKER_IS_LATE = timedelta(seconds=30)
# Before a campaign is to start, it matters that somebody is at work.
SOON = timedelta(hours=1)
# Of these the provider's own notice says until when, or they last a minute.
_NO_FAILURE = frozenset({"slow_down", "another_campaign"})


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages of one campaign and channel that wait for a moment.

    ``next_at`` is when the first of them may leave; of unconfirmed ones, when it is tried again.
    """

    count: int
    next_at: datetime

    @property
    def unconfirmed_since(self) -> datetime:
        """When the first of these unconfirmed messages became so."""
        return self.next_at - timedelta(seconds=settings.UNCONFIRMED_GRACE_SECONDS)


Lane = tuple[int, str]  # a campaign's id and a channel


@dataclass
class _Facts:
    """What the notices of some campaigns are made from, by lane."""

    now: datetime
    quiet: dict[Lane, Waiting] = field(default_factory=dict)
    later: dict[Lane, Waiting] = field(default_factory=dict)
    unconfirmed: dict[Lane, Waiting] = field(default_factory=dict)
    waiting: set[Lane] = field(default_factory=set)
    stopped: set[int] = field(default_factory=set)
    provider_waits: dict[str, datetime] = field(default_factory=dict)
    engine: list[Notice] = field(default_factory=list)
    series: dict[int, Series] = field(default_factory=dict)


def notices_for(campaigns: Iterable[Campaign]) -> dict[int, list[Notice]]:
    """Return the notices of each campaign by its id, the most urgent first."""
    listed = list(campaigns)
    facts = _gather(listed)
    urgency = list(reversed(Severity))
    return {
        campaign.pk: sorted(
            _notices(campaign, facts), key=lambda notice: urgency.index(notice.severity)
        )
        for campaign in listed
    }


def unconfirmed_of(campaigns: Iterable[Campaign]) -> dict[Lane, Waiting]:
    """Return how many messages are unconfirmed, by campaign and channel (D-6)."""
    rows = (
        Delivery.objects.filter(
            campaign__in=[campaign.pk for campaign in campaigns],
            status=Delivery.Status.UNCONFIRMED,
        )
        .order_by()
        .values_list("campaign_id", "channel")
        .annotate(Count("pk"), Min("not_before"))
    )
    return {(campaign, channel): Waiting(n, first) for campaign, channel, n, first in rows}


def count_messages(count: int, channel: str) -> str:
    """Return “1 text”, “1,200 emails”."""
    return f"{count:,} {NOUNS[channel][count != 1]}"


def is_retried(campaign: Campaign, channel: str) -> bool:
    """Tell whether an unconfirmed message is tried again without a person (D-6)."""
    under_way = campaign.status in {Status.SENDING, Status.PAUSED}
    return under_way and channel in retried_channels()


def _gather(campaigns: list[Campaign]) -> _Facts:
    facts = _Facts(now=database_now())
    by_status: dict[str, list[int]] = {}
    for campaign in campaigns:
        by_status.setdefault(campaign.status, []).append(campaign.pk)
    sending = by_status.get(Status.SENDING, [])
    if any(status not in {Status.DRAFT, Status.SCHEDULED} for status in by_status):
        facts.unconfirmed = unconfirmed_of(campaigns)
    if sending or Status.PAUSED in by_status:
        _gather_lanes(facts, sending + by_status.get(Status.PAUSED, []))
    if sending:
        _gather_put_off(facts, sending)
        asked = Pace.objects.filter(campaign=None, not_before__gt=facts.now)
        facts.provider_waits = {pace.channel: pace.not_before for pace in asked if pace.not_before}
    if drafts := by_status.get(Status.DRAFT):
        facts.series = series_by_original(drafts)
    if any(_needs_engine(campaign, facts) for campaign in campaigns):
        facts.engine = list(engine_notices())
    return facts


def _gather_lanes(facts: _Facts, ids: list[int]) -> None:
    pending = Delivery.objects.filter(
        campaign=OuterRef("campaign_id"),
        channel=OuterRef("channel"),
        status=Delivery.Status.PENDING,
    )
    lanes = Pace.objects.filter(campaign__in=ids).annotate(waits=Exists(pending))
    for campaign, channel, stop, waits in lanes.values_list(
        "campaign_id", "channel", "stop_code", "waits"
    ):
        if stop:
            facts.stopped.add(campaign)
        if waits:
            facts.waiting.add((campaign, channel))


def _gather_put_off(facts: _Facts, ids: list[int]) -> None:
    rows = (
        Delivery.objects.filter(
            campaign__in=ids, status=Delivery.Status.PENDING, not_before__gt=facts.now
        )
        .order_by()
        .values_list("campaign_id", "channel", "code")
        .annotate(Count("pk"), Min("not_before"))
    )
    for campaign, channel, code, count, first in rows:
        lane = (campaign, channel)
        if code == "quiet_hours":
            facts.quiet[lane] = Waiting(count, first)
        elif code not in _NO_FAILURE:
            before = facts.later.get(lane, Waiting(0, first))
            facts.later[lane] = Waiting(before.count + count, min(before.next_at, first))


def _needs_engine(campaign: Campaign, facts: _Facts) -> bool:
    starts = campaign.scheduled_for if campaign.status == Status.SCHEDULED else None
    if series := facts.series.get(campaign.pk):
        starts = series.next_run_at
    if starts:
        return starts <= facts.now + SOON
    return campaign.status in {Status.QUEUED, Status.SENDING}


def engine_notices() -> Iterator[Notice]:
    """Yield what is missing that every campaign needs; the broker is asked only when in doubt."""
    heard = last_heartbeats()
    silent = [part for part in (SWEEPER, BEAT) if heard.get(part, SILENCE) >= SILENCE]
    if not silent:
        return
    if not broker_answers():
        yield Notice(
            "broker_away",
            Severity.TROUBLE,
            "Nothing gets going, because the queue does not answer. Nothing is lost: it goes on "
            f"once that is back. {TELL}: start Redis, or mend REDIS_URL.",
            "the queue does not answer",
        )
    elif SWEEPER in silent:
        since = readable_span(heard[SWEEPER].total_seconds()) if SWEEPER in heard else ""
        seen = f"for {since}" if since else "yet"
        yield Notice(
            "no_worker",
            Severity.TROUBLE,
            f"Nothing leaves: the part of Handbill that sends has not been at work {seen}. Nothing "
            f"is lost: it goes on once that is back. {TELL}: start worker and beat.",
            "sending is not running",
        )
    else:
        yield Notice(
            "beat_away",
            Severity.TROUBLE,
            "Messages leave, but nothing is started, tried again or finished on time. "
            f"{TELL}: start beat.",
            "beat is not running",
        )


def _notices(campaign: Campaign, facts: _Facts) -> Iterator[Notice]:
    if campaign.status == Status.PAUSED:
        yield _paused(campaign, by_itself=campaign.pk in facts.stopped)
    elif campaign.status == Status.FAILED:
        reason = campaign.status_reason
        sentence = f"It could not run: {reason} Mend the cause, then send it again."
        yield Notice("could_not_run", Severity.DECIDE, sentence, reason)
    elif campaign.status in {Status.SCHEDULED, Status.QUEUED}:
        yield from _not_started(campaign, facts)
    elif campaign.status == Status.DRAFT:
        yield from notices_of_run(campaign)
        if series := facts.series.get(campaign.pk):
            yield from notices_of_original(series, now=facts.now)
    if _needs_engine(campaign, facts):
        yield from facts.engine
    for channel in campaign.channels:
        lane = (campaign.pk, channel)
        if unconfirmed := facts.unconfirmed.get(lane):
            yield _unconfirmed(campaign, channel, unconfirmed, facts.now)
        if campaign.status == Status.SENDING:
            yield from _put_off(lane, facts)


def _paused(campaign: Campaign, *, by_itself: bool) -> Notice:
    reason = campaign.status_reason
    if by_itself:
        return Notice("paused_by_itself", Severity.DECIDE, reason, reason)
    sentence = f"{reason or 'Paused.'} Nothing leaves until somebody resumes it."
    return Notice("paused", Severity.CALM, sentence, reason)


def _not_started(campaign: Campaign, facts: _Facts) -> Iterator[Notice]:
    due = campaign.scheduled_for
    if campaign.status == Status.SCHEDULED and due and facts.now - due > LATE:
        when = readable_moment(due, now=facts.now)
        yield Notice(
            "late_start",
            Severity.TROUBLE,
            f"It was to start {when} and has not. {TELL}, or press “Send now”.",
            "has not started on time",
        )
    queued = campaign.sent_at
    if (
        campaign.status == Status.QUEUED
        and not campaign.total_targeted
        and queued
        and facts.now - queued > WORKER_IS_LATE
        and not facts.engine
    ):
        since = readable_span((facts.now - queued).total_seconds())
        yield Notice(
            "not_picked_up",
            Severity.TROUBLE,
            f"Nobody has picked it up for {since}. It starts by itself as soon as somebody does. "
            f"{TELL} when this stays.",
            f"not picked up for {since}",
        )


def _put_off(lane: Lane, facts: _Facts) -> Iterator[Notice]:
    _, channel = lane
    many = NOUNS[channel][1]
    if (until := facts.provider_waits.get(channel)) and lane in facts.waiting:
        when = readable_moment(until, now=facts.now)
        yield Notice(
            "provider_asked_to_wait",
            Severity.CALM,
            f"The provider of {many} asked us to wait: they go on by themselves {when}.",
            f"{many} go on {when}: the provider asked us to wait",
            channel,
        )
    if quiet := facts.quiet.get(lane):
        when = readable_moment(quiet.next_at, now=facts.now)
        counted = count_messages(quiet.count, channel)
        wait, leave = _verbs(quiet.count, "waits", "wait"), "The next leaves"
        yield Notice(
            "quiet_hours",
            Severity.CALM,
            f"{counted} {wait} because it is too early or too late in the day where these "
            f"customers are. {leave} by itself {when}.",
            f"{counted} {wait} for the day: the next {when}",
            channel,
        )
    if later := facts.later.get(lane):
        when = readable_moment(later.next_at, now=facts.now)
        counted = count_messages(later.count, channel)
        yield Notice(
            "next_try",
            Severity.CALM,
            f"{counted} did not get through and {_verbs(later.count, 'is', 'are')} tried again by "
            f"{_verbs(later.count, 'itself', 'themselves')}, the next {when}.",
            f"{counted} to be tried again, the next {when}",
            channel,
        )


def _unconfirmed(campaign: Campaign, channel: str, waiting: Waiting, now: datetime) -> Notice:
    counted = count_messages(waiting.count, channel)
    perhaps = f"{counted} may or may not have arrived."
    if is_retried(campaign, channel):
        again = _verbs(waiting.count, "It is", "They are")
        self = _verbs(waiting.count, "itself", "themselves")
        when = (
            "when the campaign is resumed"
            if campaign.status == Status.PAUSED
            else readable_moment(max(waiting.next_at, now), now=now)
        )
        return Notice(
            "unconfirmed_retried",
            Severity.CALM,
            f"{perhaps} {again} tried again by {self} {when}.",
            f"{counted} unconfirmed, tried again {when}",
            channel,
        )
    money = "A second text costs money, so a" if channel == Channel.SMS else "A"
    over = campaign.status == Status.CANCELLED
    choices = "" if over else "send again, "
    return Notice(
        "unconfirmed",
        Severity.CALM if over else Severity.DECIDE,
        f"{perhaps} {money} person decides: {choices}count as sent, or give up.",
        f"{counted} unconfirmed: a person decides",
        channel,
    )


def _verbs(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
