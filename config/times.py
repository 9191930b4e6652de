"""Times that people type: by the clock on the wall of the business."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.formats import date_format

from config.errors import DomainError

# Beyond these a database holds what Python cannot read back (psycopg and the year 10000).
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
FARTHEST = timedelta(days=3660)


def require_sensible_time(moment: datetime, *, now: datetime) -> None:
    """Raise DomainError ``time_out_of_range`` before 2000 or more than ten years after ``now``."""
    if not EARLIEST <= moment <= now + FARTHEST:
        raise _out_of_range()


def _out_of_range() -> DomainError:
    return DomainError(
        "time_out_of_range", "This time is not possible: choose one within the next ten years."
    )


def business_zone() -> ZoneInfo:
    """Return the time zone that the business lives in."""
    return ZoneInfo(settings.TIME_ZONE)


@dataclass(frozen=True, slots=True)
class WallMoment:
    """When a clock on the wall shows a time.

    ``skipped``: it never does, because clocks are put forward over it; ``moment`` is then the first
    one after that gap. ``twice``: it does so twice, because clocks are put back; ``moment`` is then
    the first of them.
    """

    moment: datetime
    skipped: bool = False
    twice: bool = False


def moment_of(wall: datetime, zone: ZoneInfo) -> WallMoment:
    """Return when a clock in ``zone`` shows ``wall``, a time without a zone; the moment is UTC."""
    first = wall.replace(tzinfo=zone, fold=0)
    second = wall.replace(tzinfo=zone, fold=1)
    moment = first.astimezone(UTC)
    if first.utcoffset() == second.utcoffset():
        return WallMoment(moment)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return WallMoment(moment, twice=True)
    return WallMoment(_end_of_gap(second.astimezone(UTC), moment, zone), skipped=True)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second between two moments at which clocks have been put forward."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def read_wall_time(wall: datetime) -> WallMoment:
    """Return when the business's clock shows a time that somebody typed.

    Raises DomainError ``no_such_time`` when it never does, ``time_out_of_range`` far off.
    """
    try:
        found = moment_of(wall, business_zone())
    except OverflowError:
        raise _out_of_range() from None
    if found.skipped:
        after = found.moment.astimezone(business_zone())
        raise DomainError(
            "no_such_time",
            f"On {date_format(wall, 'j F Y')} there is no {wall:%H:%M} in {settings.TIME_ZONE}, "
            f"because clocks are put forward: choose {after:%H:%M}, or another time.",
        )
    return found


def say_twice(moment: datetime) -> str:
    """Return which of two a moment is whose time of day comes twice that day; else nothing."""
    local = moment.astimezone(business_zone())
    if not moment_of(local.replace(tzinfo=None), business_zone()).twice:
        return ""
    which = "second" if local.fold else "first"
    return f"the {which} {local:%H:%M} of that day, on which clocks are put back"
