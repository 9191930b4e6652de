"""When something that repeats comes next, by the clock on the wall (M-10).

Pure: a rule and a moment in, moments out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from django.utils.formats import date_format

from config.times import moment_of

WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LAST_DAY = 31


@dataclass(frozen=True, slots=True)
class Rule:
    """Every week on ``weekdays`` (Monday is 0), or every month on ``month_day``, at a time.

    A month that has no such day runs on its last one, so 31 is the last day of every month. Days
    and time are those of ``zone``; ``ends_on`` is the last day on which it may run.
    """

    at: time
    zone: ZoneInfo
    starts_on: date
    weekdays: frozenset[int] = frozenset()
    month_day: int | None = None
    ends_on: date | None = None

    def runs_on(self, day: date) -> bool:
        """Tell whether the rule names this day."""
        if day < self.starts_on or (self.ends_on is not None and day > self.ends_on):
            return False
        if self.month_day is None:
            return day.weekday() in self.weekdays
        return day.day == self.month_day or (day.day < self.month_day and _ends_month(day))


def next_runs(rule: Rule, *, after: datetime, count: int) -> list[datetime]:
    """Return the next ``count`` moments of a rule after ``after``, in UTC; fewer when it ends."""
    return list(islice(_runs(rule, after), count))


def _runs(rule: Rule, after: datetime) -> Iterator[datetime]:
    day = max(rule.starts_on, after.astimezone(rule.zone).date())
    while rule.ends_on is None or day <= rule.ends_on:
        if rule.runs_on(day):
            moment = _moment_on(rule, day)
            if moment is not None and moment > after:
                yield moment
        if date.max - day < timedelta(days=2):
            return
        day += timedelta(days=1)


def _moment_on(rule: Rule, day: date) -> datetime | None:
    moment = moment_of(datetime.combine(day, rule.at), rule.zone).moment
    shown = moment.astimezone(rule.zone).date()
    # Put forward over midnight: the next day has a run of its own, and nobody gets two on one day.
    return None if shown != day and rule.runs_on(shown) else moment


def end_of_day(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the last moment of the day on which ``moment`` is in ``zone``, in UTC."""
    tomorrow = moment.astimezone(zone).date() + timedelta(days=1)
    midnight = moment_of(datetime.combine(tomorrow, time.min), zone).moment
    return midnight.astimezone(UTC) - timedelta(microseconds=1)


def rule_in_words(rule: Rule) -> str:
    """Return “Every Monday and Thursday at 10:00, Europe/Rome”."""
    return f"Every {_days_in_words(rule)} at {rule.at:%H:%M}, {rule.zone.key}"


def _days_in_words(rule: Rule) -> str:
    if rule.month_day is None:
        names = [name for number, name in enumerate(WEEKDAY_NAMES) if number in rule.weekdays]
        if len(names) == len(WEEKDAY_NAMES):
            return "day"
        return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    if rule.month_day == LAST_DAY:
        return "month on the last day"
    name = date_format(date(2024, 1, rule.month_day), "jS")
    shorter = " (the last day where a month is shorter)" if rule.month_day > 28 else ""
    return f"month on the {name}{shorter}"


def _ends_month(day: date) -> bool:
    return day == date.max or (day + timedelta(days=1)).month != day.month
