"""The rule of a series: checked when a person gives it, read when it is followed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils.formats import date_format

from campaigns.models import Series
from campaigns.series.recurrence import Rule, end_of_day, next_runs, rule_in_words
from config.errors import DomainError
from config.times import FARTHEST, business_zone

MOST_RUNS = 10_000


@dataclass(frozen=True, slots=True)
class Repetition:
    """What a person says about when a series runs; ``weekdays`` count from 1, Monday.

    ``most_runs`` is how many runs it makes in all; a missed one does not count.
    """

    at: time
    starts_on: date
    weekdays: Collection[int] = ()
    month_day: int | None = None
    ends_on: date | None = None
    most_runs: int | None = None

    def columns(self) -> Mapping[str, Any]:
        """Return the columns of Series that hold this."""
        weekly = self.month_day is None
        return {
            "frequency": Series.Frequency.WEEKLY if weekly else Series.Frequency.MONTHLY,
            "weekdays": "".join(str(day) for day in sorted(set(self.weekdays))) if weekly else "",
            "month_day": self.month_day,
            "at": self.at,
            "starts_on": self.starts_on,
            "ends_on": self.ends_on,
            "most_runs": self.most_runs,
        }


def require_possible(repetition: Repetition, *, today: date) -> None:
    """Raise DomainError naming what is wrong with a repetition.

    Codes: ``no_weekday``, ``invalid_day``, ``time_out_of_range``, ``ends_before_start``,
    ``invalid_runs``.
    """
    if repetition.month_day is None and not repetition.weekdays:
        raise DomainError("no_weekday", "Choose at least one day of the week.")
    if not set(repetition.weekdays) <= set(range(1, 8)) or (
        repetition.month_day is not None and not 1 <= repetition.month_day <= 31
    ):
        raise DomainError("invalid_day", "There is no such day: choose one of those offered.")
    farthest = today + FARTHEST
    if not date(2000, 1, 1) <= repetition.starts_on <= farthest:
        raise DomainError(
            "time_out_of_range", "The first day is not possible: choose one in the next ten years."
        )
    if repetition.ends_on is not None and repetition.ends_on < repetition.starts_on:
        raise DomainError("ends_before_start", "The last day comes before the first one.")
    if repetition.most_runs is not None and not 1 <= repetition.most_runs <= MOST_RUNS:
        raise DomainError(
            "invalid_runs", f"The number of runs must be from 1 to {MOST_RUNS:,}, or empty."
        )


def rule_of(series: Series) -> Rule:
    """Return what decides when a series runs, by the business's clock as it is set now."""
    return Rule(
        at=series.at,
        zone=business_zone(),
        starts_on=series.starts_on,
        weekdays=frozenset(int(digit) - 1 for digit in series.weekdays),
        month_day=series.month_day,
        ends_on=series.ends_on,
    )


def describe(series: Series) -> str:
    """Return the rule in words, with its end: “Every Monday at 10:00, Europe/Rome, 4 runs”."""
    parts = [rule_in_words(rule_of(series))]
    if series.most_runs is not None:
        parts.append("1 run" if series.most_runs == 1 else f"{series.most_runs:,} runs")
    if series.ends_on is not None:
        parts.append(f"until {date_format(series.ends_on, 'j F Y')}")
    return ", ".join(parts)


def runs_from(series: Series, *, now: datetime, count: int) -> list[datetime]:
    """Return the next runs a series would make if it were worked out anew, at most ``count``.

    After today's run there is no other today, however its rule or the time zone changes.
    """
    left = series.runs_left
    wanted = count if left is None else min(count, left)
    after = now
    if series.last_run_at is not None:
        after = max(after, end_of_day(series.last_run_at, business_zone()))
    return next_runs(rule_of(series), after=after, count=wanted)


def coming_runs(series: Series, *, now: datetime, count: int) -> list[datetime]:
    """Return the next runs of a series, at most ``count``; of a paused one, if it went on now."""
    if not series.is_living:
        return []
    if series.next_run_at is None:
        return runs_from(series, now=now, count=count)
    left = series.runs_left
    wanted = count if left is None else min(count, left)
    just_before = series.next_run_at - timedelta(microseconds=1)
    return next_runs(rule_of(series), after=just_before, count=wanted)


def first_run(series: Series, *, now: datetime) -> datetime:
    """Return the next run of a series. Raises DomainError ``no_run_left``."""
    runs = runs_from(series, now=now, count=1)
    if not runs:
        raise DomainError(
            "no_run_left",
            "With these days there is no run to come: choose a later last day, or more runs.",
        )
    return runs[0]
