"""Makes the runs that are due: what every tick does for series (M-10).

The rows are the truth: a run is due when the database's clock has passed ``next_run_at``, and is
made, queued and ticked off in one transaction. A tick that is late, doubled or killed changes
nothing about that.
"""

import time
from datetime import datetime, timedelta
from itertools import takewhile

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.utils.formats import date_format

from campaigns import lifecycle
from campaigns.check_campaign import CheckFailed
from campaigns.duplicate_campaign import duplicate_campaign
from campaigns.models import Campaign, Series
from campaigns.reasons import reason_sentence
from campaigns.series.recurrence import next_runs
from campaigns.series.rules import rule_of, runs_from
from config.clock import database_now
from config.errors import log_unforeseen
from config.times import business_zone

# A run that could not be made in time is made this much later, or not at all: a lunch offer at
# night does more harm than none.
LATEST = timedelta(hours=6)
# So many runs are looked at to say how many were missed.
MOST_MISSED = 400
# So long one sweep makes runs; the next one goes on, and what else it does must not wait.
TURN_SECONDS = 3.0
State = Series.State
Trouble = Series.Trouble


def run_due_series() -> int:
    """Make and queue the runs that are due; return how many campaigns were made.

    A series that breaks is told so and goes on with its next run; the others do not wait for it.
    """
    due = Series.objects.filter(state=State.ACTIVE, next_run_at__lte=database_now())
    made = 0
    deadline = time.monotonic() + TURN_SECONDS
    for series_id in list(due.order_by("next_run_at").values_list("pk", flat=True)):
        if made and time.monotonic() > deadline:
            break
        try:
            made += _run(series_id)
        except SoftTimeLimitExceeded:
            raise
        except (OperationalError, InterfaceError) as error:
            # The database's trouble, not the series': the row is as it was, so the next tick tries.
            log_unforeseen(f"running series {series_id}", error)
        except Exception as error:
            log_unforeseen(f"running series {series_id}", error)
            _give_up(series_id)
    return made


def follow_time_zone() -> int:
    """Work out the next runs anew after the business's time zone was changed; return how many."""
    moved = 0
    strangers = Series.objects.filter(state=State.ACTIVE).exclude(time_zone=settings.TIME_ZONE)
    for series in list(strangers):
        runs = runs_from(series, now=database_now(), count=1)
        moved += _claim(series, runs[0] if runs else None)
    return moved


def _run(series_id: int) -> int:
    with transaction.atomic():
        series, now = _lock_due(series_id)
        if series is None:
            return 0
        due = _due_runs(series, now)
        run = due[-1]
        in_time = now - run <= LATEST
        missed = due[:-1] if in_time else due
        if not _tick_off(series, run, now, made=in_time):
            return 0
        trouble, sentence = (Trouble.MISSED, _missed(missed)) if missed else ("", "")
        made = in_time and not Campaign.objects.filter(series=series, run_at=run).exists()
        if made:
            reason = _make(series, run)
            if reason:
                trouble = Trouble.NOT_SENT
                sentence = f"The run of {_day(run)} was not sent: {reason} {sentence}".strip()
        # A run that nobody got is told until somebody has seen it; one not sent waits as a draft.
        if trouble or series.trouble == Trouble.NOT_SENT:
            _tell(series, trouble, sentence)
        return int(made)


def _lock_due(series_id: int) -> tuple[Series | None, datetime]:
    # A row that another tick holds is being run by it.
    locked = Series.objects.select_for_update(skip_locked=True).filter(pk=series_id)
    series = locked.filter(state=State.ACTIVE).first()
    now = database_now()
    if series is None or series.next_run_at is None or series.next_run_at > now:
        return None, now
    return series, now


def _due_runs(series: Series, now: datetime) -> list[datetime]:
    assert series.next_run_at is not None
    later = next_runs(rule_of(series), after=series.next_run_at, count=MOST_MISSED)
    return [series.next_run_at, *takewhile(lambda run: run <= now, later)]


def _tick_off(series: Series, run: datetime, now: datetime, *, made: bool) -> bool:
    series.last_run_at = run
    series.runs_made += made
    following = runs_from(series, now=now, count=1)
    return _claim(
        series,
        following[0] if following else None,
        last_run_at=run,
        runs_made=series.runs_made,
    )


def _claim(series: Series, following: datetime | None, **columns: object) -> bool:
    """Set the next run, unless somebody else has; without one the series has ended."""
    if following is None:
        columns |= {"state": State.ENDED, "state_reason": "All its runs are over."}
    same = Series.objects.filter(pk=series.pk, state=State.ACTIVE, next_run_at=series.next_run_at)
    return (
        same.update(next_run_at=following, time_zone=settings.TIME_ZONE, **columns) == 1  # type: ignore[misc]
    )


def _make(series: Series, run: datetime) -> str:
    """Make the campaign of a run and queue it; return why it was not queued, else nothing."""
    assert series.original_id is not None
    copy = duplicate_campaign(
        campaign_id=series.original_id,
        user=series.created_by,
        name=f"{series.name}, {date_format(run.astimezone(business_zone()), 'j F Y')}",
        series=series,
        run_at=run,
    )
    reason = _queue(copy)
    if reason:
        Campaign.objects.filter(pk=copy.pk).update(status_reason=reason[:300])
    return reason


def _queue(campaign: Campaign) -> str:
    try:
        lifecycle.send_campaign(campaign_id=campaign.pk)
    except CheckFailed as problem:
        return problem.message
    except (DatabaseError, SoftTimeLimitExceeded):
        raise
    except Exception as error:
        log_unforeseen(f"queueing campaign {campaign.pk}", error)
        return reason_sentence("unexpected")
    return ""


def _give_up(series_id: int) -> None:
    """Go on with the next run after one that could not even be copied; it would fail every time."""
    try:
        with transaction.atomic():
            series, now = _lock_due(series_id)
            if series is None or series.next_run_at is None:
                return
            run = series.next_run_at
            if _tick_off(series, run, now, made=False):
                sentence = f"The run of {_day(run)} could not be made: "
                _tell(series, Trouble.NOT_MADE, sentence + reason_sentence("unexpected"))
    except DatabaseError as error:
        log_unforeseen(f"giving up a run of series {series_id}", error)


def _tell(series: Series, trouble: str, sentence: str) -> None:
    Series.objects.filter(pk=series.pk).update(trouble=trouble, last_error=sentence[:500])


def _missed(runs: list[datetime]) -> str:
    if len(runs) == 1:
        return f"The run of {_day(runs[0])} was missed: Handbill was not running then."
    return (
        f"{len(runs):,} runs were missed, the last on {_day(runs[-1])}: "
        "Handbill was not running then."
    )


def _day(run: datetime) -> str:
    return date_format(run.astimezone(business_zone()), "l, j F Y")
