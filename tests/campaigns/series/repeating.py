"""Series for tests, and a clock to run them by."""

from datetime import UTC, date, datetime, time, timedelta

from campaigns.models import Campaign, Series
from campaigns.series.make_series import make_series
from campaigns.series.rules import Repetition
from config.clock import database_now
from tests.factories import CustomerFactory, OfferFactory

# A Monday, 10:00 in Berlin.
MONDAY = datetime(2026, 11, 30, 9, tzinfo=UTC)


def repetition(**changes) -> Repetition:
    """Every Monday and Thursday at 10:00."""
    given = {"at": time(10), "starts_on": date(2026, 1, 1), "weekdays": [1, 4]} | changes
    return Repetition(**given)


def draft(**columns) -> Campaign:
    """A draft that can be sent, and somebody to send it to."""
    CustomerFactory()
    return OfferFactory(**{f"campaign__{name}": value for name, value in columns.items()}).campaign


def series_of(
    campaign: Campaign | None = None, *, name: str = "Monday special", **changes
) -> Series:
    """A series of a campaign; ``changes`` are to its repetition."""
    campaign = campaign or draft()
    return make_series(campaign_id=campaign.pk, name=name, repetition=repetition(**changes))


def set_due(series: Series, *, ago: timedelta = timedelta(seconds=1)) -> datetime:
    """Have a series due since a while; return when its run was due."""
    due = database_now() - ago
    Series.objects.filter(pk=series.pk).update(next_run_at=due)
    return due
