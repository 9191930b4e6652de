"""Moments and spans of time as people say them."""

from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format

from config.times import business_zone, say_twice


def readable_span(seconds: float) -> str:
    """Return a span of time as people say it: “40 seconds”, “38 minutes”, “2 h 5 min”, “3 days”."""
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    if seconds < 90:
        return _counted(round(seconds), "second")
    if minutes < 60:
        return _counted(minutes, "minute")
    if minutes < 24 * 60:
        return f"{hours} h {rest} min" if rest else _counted(hours, "hour")
    return _counted(round(minutes / 60 / 24), "day")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def readable_moment(moment: datetime, *, now: datetime) -> str:
    """Return a moment as people say it, by the viewer's clock.

    “at 14:35” today, “tomorrow at 08:00”, “yesterday at 21:10”, else “on 3 Dec at 08:00”, with the
    year where it is another one.
    """
    local, today = timezone.localtime(moment), timezone.localtime(now).date()
    clock = f"at {local:%H:%M}"
    days = (local.date() - today).days
    if days in _NEAR:
        return f"{_NEAR[days]}{clock}"
    return f"on {date_format(local, 'j M' if local.year == today.year else 'j M Y')} {clock}"


def zoned_moment(moment: datetime) -> str:
    """Return a moment in full: “Monday, 30 November 2026, 10:00 (Europe/Rome)”.

    With a remark where clocks show that time twice.
    """
    local = moment.astimezone(business_zone())
    day = date_format(local, "l, j F Y")
    which = say_twice(moment)
    return f"{day}, {local:%H:%M} ({', '.join(filter(None, [settings.TIME_ZONE, which]))})"


_NEAR = {0: "", 1: "tomorrow ", -1: "yesterday "}
