"""When a text may leave: within the sending hours of the customer's own time zone (D-10)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings

from customers.models import Channel, Customer


@lru_cache(maxsize=1_000)
def find_zone(name: str) -> ZoneInfo:
    """Return a customer's time zone: the business's own where it is unknown."""
    try:
        return ZoneInfo(name or settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # An import took any text; the business's zone is the best guess left.
        return ZoneInfo(settings.TIME_ZONE)


def quiet_until(*, customer: Customer, channel: str, now: datetime) -> datetime | None:
    """Return when a message on ``channel`` may leave, or None when it may leave at ``now``.

    By the clock on the customer's wall: an hour that a change to summer time skips or repeats
    counts as that clock shows it.
    """
    hours = settings.SMS_SENDING_HOURS
    if channel != Channel.SMS or hours is None:
        return None
    first, last = hours
    zone = find_zone(customer.time_zone)
    local = now.astimezone(zone)
    wall = local.time().replace(tzinfo=None)
    if first <= wall < last:
        return None
    day = local.date() if wall < first else local.date() + timedelta(days=1)
    opens = datetime.combine(day, first, zone).astimezone(UTC)
    # Where clocks are put back over that hour, it comes twice: the first may have passed.
    return (
        opens if opens > now else datetime.combine(day, first.replace(fold=1), zone).astimezone(UTC)
    )
