"""What a person should know about a series, said at its original and at the runs themselves."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.models import Q

from campaigns.models import Campaign, Series
from campaigns.moments import readable_moment
from campaigns.notices import LATE, TELL, Notice, Severity

Trouble = Series.Trouble


def series_by_original(campaign_ids: Iterable[int]) -> dict[int, Series]:
    """Return original's id → its series, if that lives or something about it must be told."""
    told = Series.objects.filter(original__in=list(campaign_ids)).exclude(
        state=Series.State.ENDED, trouble=""
    )
    # Of several, the last one, which alone may live.
    return {series.original_id: series for series in told.order_by("pk") if series.original_id}


def awaits_decision() -> Q:
    """Return which drafts have a notice that waits for a person."""
    not_sent = Q(status=Campaign.Status.DRAFT, series__isnull=False) & ~Q(status_reason="")
    troubled = Series.objects.filter(trouble__in=[Trouble.MISSED, Trouble.NOT_MADE])
    return not_sent | Q(status=Campaign.Status.DRAFT, pk__in=troubled.values("original"))


def notices_of_run(campaign: Campaign) -> Iterator[Notice]:
    """Yield what keeps a run of a series, still a draft, from being sent."""
    if campaign.series_id is not None and campaign.status_reason:
        yield Notice(
            "run_not_sent",
            Severity.DECIDE,
            f"This run of a series was not sent: {campaign.status_reason} Mend it and send it, or "
            "delete it. The series goes on without it.",
            f"not sent: {campaign.status_reason}",
        )


def notices_of_original(series: Series, *, now: datetime) -> Iterator[Notice]:
    """Yield what there is to know at the draft that a series copies."""
    if series.last_error:
        # The run that was not sent waits for somebody itself.
        waits = series.trouble != Trouble.NOT_SENT
        yield Notice(
            f"series_{series.trouble}",
            Severity.DECIDE if waits else Severity.CALM,
            f"{series.last_error} {'' if waits else 'It is kept as a draft.'}".strip(),
            f"a run was {series.get_trouble_display().lower()}",
        )
    if series.state == Series.State.PAUSED:
        yield Notice(
            "series_paused",
            Severity.CALM,
            f"{series.state_reason or 'The series is paused.'} No run is made until somebody "
            "resumes the series.",
            "its series is paused",
        )
    if series.next_run_at is None:
        return
    when = readable_moment(series.next_run_at, now=now)
    if now - series.next_run_at > LATE:
        yield Notice(
            "late_run",
            Severity.TROUBLE,
            f"Its run was to start {when} and has not. {TELL}.",
            "its run has not started on time",
        )
        return
    yield Notice(
        "repeats",
        Severity.CALM,
        f"Each run of its series is a copy of this draft as it is then, the next one {when}: what "
        "you change here takes effect on the next run.",
        f"repeats, the next time {when}",
    )
