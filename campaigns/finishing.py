"""When a channel will have sent what waits: rates, the provider's limit and quiet hours (D-8, M-8).

Pure functions. A plan is an estimate that is never too early: it sends no faster than the rate, and
to nobody whose clock says that it is quiet.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.delivery.quiet_hours import find_zone

# A plan that ends later than this is a mistake in a rate, not a date to be told.
FARTHEST = timedelta(days=400)
# Customers of rarer time zones are planned with the business's own.
MOST_ZONES = 24
_LONGEST_SHIFT = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Span:
    """A time during which messages leave."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """When messages leave; ``ends_at`` is None when that is beyond FARTHEST."""

    ends_at: datetime | None
    spans: tuple[Span, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether there is a time in it during which nothing leaves."""
        return len(self.spans) > 1


def plan_sending(
    *,
    start: datetime,
    waiting: Mapping[str, int],
    per_minute: float,
    hours: tuple[time, time] | None,
) -> Plan:
    """Plan ``waiting`` messages (time zone → how many) from ``start`` on.

    ``per_minute`` 0 is no limit: whatever may leave leaves at once. ``hours`` are those in which a
    customer's clock lets messages leave; None is always.
    """
    left = _by_zone(waiting)
    if not left:
        return Plan(start)
    if hours is None:
        left = {"": math.fsum(left.values())}
    windows = {zone: _windows(zone, hours, start) for zone in left}
    current = {zone: next(found) for zone, found in windows.items()}
    spans: list[Span] = []
    now = start
    while left:
        for zone in left:
            while current[zone].end <= now:
                current[zone] = next(windows[zone])
        awake = {zone: count for zone, count in left.items() if current[zone].start <= now}
        if not awake:
            now = min(current[zone].start for zone in left)
        else:
            changes = [current[zone].end for zone in awake]
            changes += [current[zone].start for zone in left if current[zone].start > now]
            until = _serve(left, awake, now, min(changes), per_minute)
            if spans and spans[-1].end == now:
                spans[-1] = Span(spans[-1].start, until)
            else:
                spans.append(Span(now, until))
            now = until
        if now > start + FARTHEST:
            return Plan(None, tuple(spans))
    return Plan(now, tuple(spans))


def shared_rate(
    *,
    messages: int,
    units_each: float,
    own_limit: float,
    provider_limit: float,
    others: Sequence[float] = (),
) -> float:
    """Return the messages a minute that a campaign can count on; 0 is no limit.

    ``others`` are the provider's units that each other campaign has still to send: the provider's
    limit is shared evenly until they are done.
    """
    limits = [own_limit] if own_limit else []
    if provider_limit and messages:
        mine = messages * max(units_each, 1)
        minutes = (mine + sum(min(units, mine) for units in others)) / provider_limit
        limits.append(messages / minutes)
    return min(limits, default=0)


def _by_zone(waiting: Mapping[str, int]) -> dict[str, float]:
    largest = sorted(waiting, key=lambda zone: -waiting[zone])
    left: dict[str, float] = {}
    for position, zone in enumerate(largest):
        if waiting[zone] > 0:
            name = find_zone(zone if position < MOST_ZONES else "").key
            left[name] = left.get(name, 0) + waiting[zone]
    return left


def _serve(
    left: dict[str, float],
    awake: Mapping[str, float],
    now: datetime,
    change: datetime,
    per_minute: float,
) -> datetime:
    """Send to those ``awake`` until they are done or something changes; return when that is."""
    total = math.fsum(awake.values())
    seconds = total * 60 / per_minute if per_minute else 0.0
    if seconds <= (change - now).total_seconds():
        for zone in awake:
            del left[zone]
        return now + timedelta(microseconds=math.ceil(seconds * 1_000_000))
    sent = (change - now).total_seconds() * per_minute / 60
    for zone, count in awake.items():
        left[zone] = count * (1 - sent / total)
    return change


def _windows(zone_name: str, hours: tuple[time, time] | None, start: datetime) -> Iterator[Span]:
    """Yield the times at which messages may leave, from the day of ``start`` on."""
    if hours is None:
        yield Span(start, start + 2 * FARTHEST)
        return
    zone = find_zone(zone_name)
    day = start.astimezone(zone).date()
    while True:
        # An hour that comes twice counts from its second coming, and only until its first end.
        opens = _instant(zone, day, hours[0].replace(fold=1))
        closes = _instant(zone, day, hours[1])
        if opens < closes:
            yield Span(opens, closes)
        day += timedelta(days=1)


def _instant(zone: ZoneInfo, day: date, wall: time) -> datetime:
    """Return when the clock shows ``wall``, or goes past it where it is put forward."""
    local = datetime.combine(day, wall, zone)
    moment = local.astimezone(UTC)
    asked = local.replace(tzinfo=None, fold=0)
    if moment.astimezone(zone).replace(tzinfo=None, fold=0) == asked:
        return moment
    early, late = moment - _LONGEST_SHIFT, moment + _LONGEST_SHIFT
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).replace(tzinfo=None, fold=0) < asked:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)
