"""What will be sent by itself, in the order in which it will be."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.models import Campaign, Series
from campaigns.series.rules import coming_runs
from config.clock import database_now


@dataclass(frozen=True, slots=True)
class UpcomingRun:
    """One campaign that starts by itself; ``campaign`` is the original where a series makes it."""

    at: datetime
    name: str
    campaign: Campaign
    series: Series | None = None


def upcoming_runs(limit: int, *, of_each: int | None = None) -> list[UpcomingRun]:
    """Return the next scheduled campaigns and runs of series, at most ``limit``, soonest first.

    Of each series at most ``of_each``. Two queries, however many there are.
    """
    now = database_now()
    scheduled = Campaign.objects.filter(
        status=Campaign.Status.SCHEDULED, scheduled_for__isnull=False
    ).order_by("scheduled_for", "pk")
    series = Series.objects.filter(state=Series.State.ACTIVE).select_related("original")
    found = [
        UpcomingRun(campaign.scheduled_for, campaign.name, campaign)
        for campaign in scheduled[:limit]
        if campaign.scheduled_for
    ]
    found += [
        UpcomingRun(at, one.name, one.original, one)
        for one in series.order_by("next_run_at", "pk")[:limit]
        if one.original
        for at in coming_runs(one, now=now, count=of_each or limit)
    ]
    return sorted(found, key=lambda run: (run.at, run.campaign.pk))[:limit]
