"""Runs are made when they are due, once, late, or not at all, whatever happens to the tick."""

import threading
import time
from datetime import date, timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from campaigns.delivery import sweeper
from campaigns.models import Campaign, Series
from campaigns.series import run_series
from campaigns.series.change_series import pause_series
from campaigns.series.run_series import LATEST, follow_time_zone, run_due_series
from campaigns.update_campaign import update_campaign
from config.clock import database_now
from customers.models import Customer
from qrcodes.models import Offer
from tests.campaigns.series.repeating import MONDAY, draft, series_of, set_due
from tests.factories import CampaignFactory, UserFactory

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def series(at) -> Series:
    """Due every Monday and Thursday at 10:00; it is a second past the first."""
    at(MONDAY - DAY)
    made = series_of()
    at(MONDAY + SECOND)
    return made


def test_a_run_that_is_due_is_a_campaign_of_its_own_queued_like_any_other(series) -> None:
    Offer.objects.update(max_redemptions=50)
    assert run_due_series() == 1
    run = series.runs.get()
    assert (run.name, run.status) == ("Monday special, 30 November 2026", "queued")
    assert (run.run_at, run.sent_at) != (None, None)
    assert run.run_at == MONDAY
    offer = Offer.objects.get(campaign_id=run.pk)
    assert offer.max_redemptions == 50  # a budget of its own
    assert offer != Offer.objects.get(campaign_id=series.original_id)
    series.refresh_from_db()
    assert (series.next_run_at, series.last_run_at) == (MONDAY + 3 * DAY, MONDAY)
    assert (series.runs_made, series.trouble) == (1, "")
    series.original.refresh_from_db()
    assert series.original.status == "draft"


def test_nothing_is_made_before_its_time(at, series) -> None:
    at(MONDAY - SECOND)
    assert run_due_series() == 0
    assert not series.runs.exists()


def test_a_second_tick_makes_nothing_more(series) -> None:
    assert [run_due_series(), run_due_series()] == [1, 0]


def test_each_run_copies_the_original_as_it_is_then(at, series) -> None:
    run_due_series()
    update_campaign(campaign_id=series.original_id, fields={"subject": "Now 30% off"})
    at(MONDAY + 3 * DAY)
    run_due_series()
    assert list(series.runs.order_by("pk").values_list("subject", flat=True)) == [
        "20% off every pizza",
        "Now 30% off",
    ]


def test_the_copy_is_made_by_whoever_made_the_series(series) -> None:
    mia = UserFactory()
    Series.objects.update(created_by=mia)
    run_due_series()
    assert series.runs.get().created_by == mia


def test_it_keeps_the_time_on_the_wall_when_clocks_change(at) -> None:
    at(MONDAY.replace(month=10, day=20))
    series = series_of()
    seen = []
    for _ in range(3):
        series.refresh_from_db()
        at(series.next_run_at)
        run_due_series()
        seen.append(f"{series.next_run_at:%d %H:%M}")
    assert seen == ["22 08:00", "26 09:00", "29 09:00"]


def test_it_ends_after_its_number_of_runs_and_the_original_is_free(at) -> None:
    at(MONDAY - DAY)
    series = series_of(most_runs=1)
    at(MONDAY)
    run_due_series()
    series.refresh_from_db()
    assert (series.state, series.next_run_at, series.runs_made) == ("ended", None, 1)
    assert series.state_reason == "All its runs are over."


def test_it_ends_after_its_last_day(at) -> None:
    at(MONDAY - DAY)
    series = series_of(ends_on=date(2026, 12, 3))
    for now in (MONDAY, MONDAY + 3 * DAY):
        series.refresh_from_db()
        assert series.state == "active"
        at(now)
        run_due_series()
    series.refresh_from_db()
    assert (series.state, series.runs.count()) == ("ended", 2)


def test_a_paused_series_makes_nothing(series) -> None:
    pause_series(series_id=series.pk, reason="Paused.")
    assert run_due_series() == 0


# --- late and missed ------------------------------------------------------------------------------


def test_a_run_is_made_late_within_the_tolerance(at, series) -> None:
    at(MONDAY + LATEST)
    assert run_due_series() == 1
    assert series.runs.get().run_at == MONDAY
    series.refresh_from_db()
    assert series.trouble == ""


def test_a_run_is_missed_after_the_tolerance_and_the_series_says_so(at, series) -> None:
    at(MONDAY + LATEST + SECOND)
    assert run_due_series() == 0
    assert not series.runs.exists()
    series.refresh_from_db()
    assert series.next_run_at == MONDAY + 3 * DAY
    assert (series.trouble, series.runs_made) == ("missed", 0)
    assert series.last_error == (
        "The run of Monday, 30 November 2026 was missed: Handbill was not running then."
    )


def test_after_weeks_of_nothing_no_old_runs_leave_in_a_burst(at, series) -> None:
    at(MONDAY + 21 * DAY + SECOND)  # a Monday, three weeks later
    assert run_due_series() == 1
    assert series.runs.get().run_at == MONDAY + 21 * DAY
    assert run_due_series() == 0
    series.refresh_from_db()
    assert series.last_error == (
        "6 runs were missed, the last on Thursday, 17 December 2026: Handbill was not running then."
    )


def test_after_years_of_nothing_the_next_run_lies_ahead(at, series) -> None:
    now = MONDAY + 3650 * DAY
    at(now)
    run_due_series()
    series.refresh_from_db()
    assert series.next_run_at > now
    assert not series.runs.exists()


def test_a_sweep_makes_runs_for_seconds_only_and_the_next_goes_on(at, series, monkeypatch) -> None:
    """Five hundred at once took a sweep the better part of a minute, and all else waited."""
    at(MONDAY - DAY)
    series_of()
    at(MONDAY + SECOND)
    monkeypatch.setattr(run_series, "TURN_SECONDS", -1.0)
    assert [run_due_series() for _ in range(3)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("trouble", "left"), [("missed", "missed"), ("not_made", "not_made"), ("not_sent", "")]
)
def test_a_run_that_goes_well_hides_no_run_that_nobody_got(at, series, trouble, left) -> None:
    """Every day's series would hide yesterday's outage; what was not sent waits as a draft."""
    Series.objects.update(trouble=trouble, last_error="The run of …")
    run_due_series()
    series.refresh_from_db()
    assert (series.trouble, bool(series.last_error)) == (left, bool(left))


# --- what fails -----------------------------------------------------------------------------------


def test_a_run_whose_check_fails_is_kept_as_a_draft_and_the_next_goes_on(at, series) -> None:
    Customer.objects.all().delete()
    assert run_due_series() == 1
    run = series.runs.get()
    assert run.status == "draft"
    assert "Nobody is in this audience" in run.status_reason
    series.refresh_from_db()
    assert series.trouble == "not_sent"
    assert series.last_error.startswith("The run of Monday, 30 November 2026 was not sent: Nobody")
    assert series.next_run_at == MONDAY + 3 * DAY
    at(MONDAY + 3 * DAY)
    draft()
    run_due_series()
    assert series.runs.get(run_at=MONDAY + 3 * DAY).status == "queued"


def test_a_template_that_breaks_or_a_sender_that_is_missing_sends_nothing(
    at, series, settings
) -> None:
    Campaign.objects.filter(pk=series.original_id).update(email_content="{% if %}")
    run_due_series()
    assert "line 1" in series.runs.get().status_reason
    settings.DEFAULT_FROM_EMAIL = ""
    at(MONDAY + 3 * DAY)
    run_due_series()
    assert "DEFAULT_FROM_EMAIL" in series.runs.get(run_at=MONDAY + 3 * DAY).status_reason


def test_a_check_that_breaks_keeps_the_copy_and_says_so(series, monkeypatch, caplog) -> None:
    def broken(**_) -> None:
        raise RuntimeError("ada@example.com")

    monkeypatch.setattr(run_series.lifecycle, "send_campaign", broken)
    run_due_series()
    assert "nobody foresaw" in series.runs.get().status_reason
    assert "ada@" not in caplog.text


def test_a_series_that_breaks_stops_neither_the_others_nor_the_sweep(
    at, series, monkeypatch
) -> None:
    at(MONDAY - DAY)
    sound = series_of()
    at(MONDAY + SECOND)
    copied = run_series.duplicate_campaign

    def breaks_for_the_first(**given) -> Campaign:
        if given["campaign_id"] == series.original_id:
            raise RuntimeError
        return copied(**given)

    monkeypatch.setattr(run_series, "duplicate_campaign", breaks_for_the_first)
    swept = sweeper.sweep()
    assert (swept["repeated"], swept["failures"]) == (1, 0)
    assert sound.runs.get().status == "queued"
    series.refresh_from_db()
    assert (series.trouble, series.runs.count()) == ("not_made", 0)
    assert series.next_run_at == MONDAY + 3 * DAY
    assert "could not be made" in series.last_error


def test_a_database_in_trouble_costs_no_run(series, monkeypatch) -> None:
    def gone(**_) -> None:
        raise OperationalError

    with monkeypatch.context() as patched:
        patched.setattr(run_series.lifecycle, "send_campaign", gone)
        assert run_due_series() == 0
    series.refresh_from_db()
    assert (series.next_run_at, series.trouble, series.runs_made) == (MONDAY, "", 0)
    assert not series.runs.exists()
    assert run_due_series() == 1


@pytest.mark.django_db(transaction=True)
def test_a_tick_killed_between_copying_and_queueing_leaves_nothing_behind(at, monkeypatch) -> None:
    at(MONDAY - DAY)
    series = series_of()
    at(MONDAY)

    class Killed(BaseException):
        pass

    def kill(**_) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(run_series.lifecycle, "send_campaign", kill)
        run_due_series()
    assert Campaign.objects.count() == 1
    series.refresh_from_db()
    assert series.next_run_at == MONDAY
    assert [run_due_series(), series.runs.get().status] == [1, "queued"]


def test_a_run_that_is_there_already_is_ticked_off_and_not_made_again(series) -> None:
    run = CampaignFactory(series=series, run_at=MONDAY)
    assert run_due_series() == 0
    assert series.runs.get() == run
    series.refresh_from_db()
    assert (series.next_run_at, series.trouble) == (MONDAY + 3 * DAY, "")


@pytest.mark.django_db(transaction=True)
def test_many_ticks_at_once_make_each_run_once(monkeypatch, caplog) -> None:
    copied = run_series.duplicate_campaign

    def copy_slowly(**given) -> Campaign:
        time.sleep(0.1)  # so that the others come while a run is being made
        return copied(**given)

    monkeypatch.setattr(run_series, "duplicate_campaign", copy_slowly)
    series = [series_of(name=f"Series {n}") for n in range(3)]
    for one in series:
        set_due(one)
    together = threading.Barrier(6)
    made, failed = [], []

    def tick() -> None:
        try:
            together.wait(10)
            made.append(run_due_series())
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=tick) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    # Whoever found a row locked has left it to the other; the next tick finds nothing.
    run_due_series()
    for one in series:
        assert one.runs.count() == 1
        one.refresh_from_db()
        assert (one.runs_made, one.trouble) == (1, "")
    # None had to be kept from it by the database's constraint.
    assert "unexpected" not in caplog.text


# --- the time zone of the business ----------------------------------------------------------------


def test_another_time_zone_moves_the_next_run_and_makes_no_second_one_today(
    at, series, settings
) -> None:
    run_due_series()
    settings.TIME_ZONE = "America/New_York"
    assert follow_time_zone() == 1
    series.refresh_from_db()
    # 10:00 in New York on Thursday, not today's again.
    assert series.next_run_at == MONDAY.replace(month=12, day=3, hour=15)
    assert follow_time_zone() == 0


# --- what a tick costs ----------------------------------------------------------------------------


def test_a_tick_with_nothing_due_asks_two_questions(at, series) -> None:
    at(MONDAY - DAY)
    with CaptureQueriesContext(connection) as asked:
        run_due_series()
        follow_time_zone()
    assert len([q for q in asked if "clock_timestamp" not in q["sql"]]) == 2


@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_what_is_due_is_found_through_the_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        due = Series.objects.filter(state="active", next_run_at__lte=database_now())
        assert "series_next_run" in due.explain()
