"""Plans as lines on one axis of time: pure geometry, in percent of the width (M-8)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from campaigns.finishing import Plan

# More pieces than these are not told apart on a screen.
MOST_PIECES = 60
# The narrowest piece that can be seen.
LEAST_WIDTH = 0.6
MOST_MARKS = 6


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch in which messages leave: where it begins and how wide it is, in percent."""

    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    """A channel's pieces, and where its last message leaves."""

    channel: str
    pieces: tuple[Piece, ...]
    end: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on the axis."""

    left: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    """Lines over one axis from ``start`` to ``end``, with a mark at midnights."""

    start: datetime
    end: datetime
    lines: tuple[Line, ...]
    midnights: tuple[Mark, ...]


def draw_timeline(*, start: datetime, plans: Mapping[str, Plan]) -> Timeline | None:
    """Return the plans as lines; None when no end can be told, or all is over in no time."""
    known = {channel: plan for channel, plan in plans.items() if plan.ends_at and plan.spans}
    end = max((plan.ends_at for plan in known.values() if plan.ends_at), default=start)
    if end <= start:
        return None
    seconds = (end - start).total_seconds()

    def place(moment: datetime) -> float:
        return round(100 * (moment - start).total_seconds() / seconds, 3)

    lines = []
    for channel, plan in known.items():
        spans = _thin_out([(place(span.start), place(span.end)) for span in plan.spans])
        pieces = []
        for left, right in spans:
            width = max(right - left, LEAST_WIDTH)
            pieces.append(Piece(min(left, 100 - width), round(width, 3)))
        lines.append(Line(channel, tuple(pieces), spans[-1][1]))
    return Timeline(start, end, tuple(lines), tuple(_midnights(start, end, place)))


def _thin_out(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join neighbours until few enough are left to be told apart."""
    while len(spans) > MOST_PIECES:
        pairs = zip(spans[::2], [*spans[1::2], spans[-1]], strict=False)
        spans = [(first[0], second[1]) for first, second in pairs]
    return spans


def _midnights(start: datetime, end: datetime, place: Callable[[datetime], float]) -> list[Mark]:
    """Return midnights in the viewer's time zone, every one or every so many days."""
    first = timezone.localtime(start).date() + timedelta(days=1)
    days = (timezone.localtime(end).date() - first).days + 1
    step = max(1, -(-days // MOST_MARKS))
    zone = timezone.get_current_timezone()
    marks = []
    for number in range(0, max(days, 0), step):
        day = first + timedelta(days=number)
        at = datetime(day.year, day.month, day.day, tzinfo=zone)
        if start < at < end:
            marks.append(Mark(place(at), at))
    return marks
