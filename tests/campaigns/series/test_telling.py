"""What a series tells: at its original, at its runs and on the home page; what comes next."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics.dashboard import latest_drafts, open_decisions, upcoming_campaigns
from campaigns.health import BEAT, SWEEPER, beat_heart, check_campaigns
from campaigns.lifecycle import schedule_campaign
from campaigns.models import Campaign, Heartbeat, Series
from campaigns.series.change_series import end_series, pause_series
from campaigns.series.run_series import LATEST, run_due_series
from campaigns.series.upcoming import upcoming_runs
from campaigns.standstill import notices_for
from config.clock import database_now
from customers.models import Customer
from tests.campaigns.admin.conftest import signed_in
from tests.campaigns.series.repeating import draft, series_of, set_due
from tests.factories import CampaignFactory

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def at_work(db) -> None:
    """Worker and beat have just been seen."""
    cache.clear()
    beat_heart(SWEEPER)
    beat_heart(BEAT)


def keys_of(campaign: Campaign) -> list[tuple[str, str]]:
    campaign.refresh_from_db()
    return [(notice.key, notice.severity) for notice in notices_for([campaign])[campaign.pk]]


def test_the_original_says_that_changes_go_into_the_next_run() -> None:
    original = series_of().original
    assert keys_of(original) == [("repeats", "calm")]
    (notice,) = notices_for([original])[original.pk]
    assert "what you change here takes effect on the next run" in notice.sentence
    assert open_decisions() == []


def test_a_paused_series_says_so_and_an_ended_one_nothing() -> None:
    series = series_of()
    pause_series(series_id=series.pk, reason="Paused by mia.")
    assert keys_of(series.original) == [("series_paused", "calm")]
    end_series(series_id=series.pk, reason="")
    assert keys_of(series.original) == []


def test_a_run_that_nobody_makes_is_told_and_who_is_missing() -> None:
    series = series_of()
    set_due(series, ago=2 * MINUTE)
    assert keys_of(series.original) == [("late_run", "trouble")]
    Heartbeat.objects.update(at=database_now() - timedelta(hours=1))
    keys = [key for key, _ in keys_of(series.original)]
    assert "late_run" in keys and len(keys) == 2


def test_doctor_names_the_original_of_a_series_that_stands_still() -> None:
    series = series_of()
    set_due(series, ago=MINUTE)
    assert check_campaigns().status == "ok"
    set_due(series, ago=3 * MINUTE)
    check = check_campaigns()
    assert check.status == "failed"
    assert str(series.original_id) in check.message


def test_a_missed_run_waits_for_somebody_also_when_it_was_the_last() -> None:
    series = series_of()
    set_due(series, ago=LATEST + MINUTE)
    run_due_series()
    assert ("series_missed", "decide") in keys_of(series.original)
    (decision,) = open_decisions()
    assert decision.campaign == series.original
    assert "was missed: Handbill was not running then." in decision.sentence
    Series.objects.update(state="ended", next_run_at=None)
    assert open_decisions() == [decision]


def test_a_run_that_was_not_sent_waits_for_somebody_until_it_is_mended() -> None:
    series = series_of()
    Customer.objects.all().delete()
    set_due(series)
    run_due_series()
    run = series.runs.get()
    assert keys_of(run) == [("run_not_sent", "decide")]
    assert ("series_not_sent", "calm") in keys_of(series.original)
    (decision,) = open_decisions()  # once, not at the original too
    assert decision.campaign == run
    assert "Nobody is in this audience" in decision.sentence
    run.delete()
    assert open_decisions() == []


def test_notices_of_many_series_cost_no_more_queries() -> None:
    def count() -> int:
        campaigns = list(Campaign.objects.all())
        with CaptureQueriesContext(connection) as asked:
            notices_for(campaigns)
        return len(asked)

    series_of()
    few = count()
    for _ in range(5):
        series_of()
    assert count() == few


def test_what_comes_next_is_in_order_scheduled_campaigns_and_every_run() -> None:
    weekly = series_of(name="Daily", weekdays=range(1, 8))
    at = weekly.next_run_at + timedelta(hours=26)
    scheduled = draft(name="Once")
    schedule_campaign(campaign_id=scheduled.pk, at=at)
    pause_series(series_id=series_of(name="Paused").pk, reason="")
    CampaignFactory(name="Draft")
    upcoming = upcoming_runs(4)
    assert [run.name for run in upcoming] == ["Daily", "Daily", "Once", "Daily"]
    assert [run.at for run in upcoming] == sorted(run.at for run in upcoming)
    assert (upcoming[0].campaign, upcoming[0].series) == (weekly.original, weekly)
    assert (upcoming[2].campaign, upcoming[2].series, upcoming[2].at) == (scheduled, None, at)


def test_home_shows_the_next_runs_and_no_original_among_the_drafts() -> None:
    series = series_of(name="Daily", weekdays=range(1, 8))
    plain = CampaignFactory(name="Plain")
    assert {run.series for run in upcoming_campaigns()} == {series}
    assert latest_drafts() == [plain]
    html = signed_in("Marketing").get("/admin/").content.decode()
    assert html.count(">Daily</a>") == 1


def test_what_comes_next_takes_a_fixed_number_of_queries(django_assert_max_num_queries) -> None:
    for _ in range(6):
        series_of()
    with django_assert_max_num_queries(3):  # one of them is the clock's
        assert len(upcoming_runs(5)) == 5
