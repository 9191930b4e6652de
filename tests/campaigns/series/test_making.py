"""A campaign becomes a series; what people then change about it (M-10)."""

import threading
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from campaigns.delete_campaign import delete_draft
from campaigns.lifecycle import schedule_campaign, send_campaign
from campaigns.models import Campaign, Series
from campaigns.series.change_series import (
    change_rule,
    dismiss_trouble,
    end_series,
    pause_series,
    resume_series,
)
from campaigns.series.rules import coming_runs, describe
from config.clock import database_now
from config.errors import DomainError
from tests.campaigns.series.repeating import MONDAY, draft, repetition, series_of
from tests.factories import OfferFactory

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def test_a_draft_becomes_the_original(at) -> None:
    at(MONDAY - HOUR)
    campaign = draft()
    series = series_of(campaign)
    assert series.original == campaign
    assert (series.state, series.next_run_at) == ("active", MONDAY)
    assert describe(series) == "Every Monday and Thursday at 10:00, Europe/Berlin"
    assert coming_runs(series, now=MONDAY - HOUR, count=3) == [
        MONDAY,
        MONDAY + timedelta(days=3),
        MONDAY + timedelta(days=7),
    ]


@pytest.mark.parametrize("status", ["sending", "completed", "cancelled"])
def test_of_a_campaign_that_has_left_draft_a_copy_becomes_the_original(status) -> None:
    campaign = draft(status=status)
    series = series_of(campaign)
    original = series.original
    assert original != campaign
    assert (original.name, original.status, original.series) == ("Monday special", "draft", None)
    assert original.email_content == campaign.email_content


def test_of_a_run_that_was_not_sent_a_copy_becomes_the_original() -> None:
    first = series_of()
    run = draft(series=first, run_at=database_now())
    assert series_of(run).original != run


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"weekdays": []}, "no_weekday"),
        ({"weekdays": [0, 8]}, "invalid_day"),
        ({"weekdays": (), "month_day": 32}, "invalid_day"),
        ({"weekdays": (), "month_day": 0}, "invalid_day"),
        ({"starts_on": date(1999, 1, 1)}, "time_out_of_range"),
        ({"starts_on": date(9999, 1, 1)}, "time_out_of_range"),
        ({"ends_on": date(2025, 1, 1)}, "ends_before_start"),
        ({"ends_on": date(2026, 2, 1)}, "no_run_left"),
        ({"most_runs": 0}, "invalid_runs"),
    ],
)
def test_it_refuses_a_rule_that_cannot_be(at, changes, code) -> None:
    at(MONDAY)
    campaign = draft(status="completed")
    with pytest.raises(DomainError) as refused:
        series_of(campaign, **changes)
    assert refused.value.code == code
    assert not Series.objects.exists()
    assert Campaign.objects.count() == 1


@pytest.mark.parametrize("name", ["", "  ", "x" * 181, "a\x00b"])
def test_it_refuses_a_name_that_cannot_be(name) -> None:
    with pytest.raises(DomainError, match="name"):
        series_of(name=name)


def test_an_original_cannot_be_repeated_sent_scheduled_or_deleted_itself() -> None:
    campaign = draft()
    series_of(campaign)
    for attempt in (
        lambda: series_of(campaign),
        lambda: send_campaign(campaign_id=campaign.pk),
        lambda: schedule_campaign(campaign_id=campaign.pk, at=database_now() + HOUR),
        lambda: delete_draft(campaign_id=campaign.pk),
    ):
        with pytest.raises(DomainError, match="original of the series “Monday special”") as refused:
            attempt()
        assert refused.value.code == "original_of_series"
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    assert Series.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_sent_by_one_and_repeated_by_another_at_once_it_is_not_both() -> None:
    for _ in range(5):
        campaign = draft()
        together = threading.Barrier(2)
        refused = []

        def press(button: Callable[[], object], together=together, refused=refused) -> None:
            together.wait(10)
            try:
                button()
            except DomainError as error:
                refused.append(error.code)
            finally:
                connection.close()

        buttons = [
            lambda: send_campaign(campaign_id=campaign.pk),  # noqa: B023
            lambda: series_of(campaign),  # noqa: B023
        ]
        threads = [threading.Thread(target=press, args=[button]) for button in buttons]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        campaign.refresh_from_db()
        is_original = Series.objects.filter(original=campaign).exists()
        assert (campaign.status == "queued") != is_original
        assert refused == (["original_of_series"] if is_original else [])


def test_once_a_series_has_ended_its_original_is_an_ordinary_draft() -> None:
    campaign = draft()
    end_series(series_id=series_of(campaign).pk, reason="Ended by mia.")
    series_of(campaign)
    end_series(series_id=Series.objects.first().pk, reason="Ended by mia.")
    delete_draft(campaign_id=campaign.pk)
    assert set(Series.objects.values_list("state", "original")) == {("ended", None)}


def test_the_database_keeps_the_original_of_a_living_series() -> None:
    campaign = draft()
    series = series_of(campaign)
    with pytest.raises(IntegrityError), transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        Series.objects.filter(pk=series.pk).update(next_run_at=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        copy = Series.objects.get(pk=series.pk)
        copy.pk = None
        copy.save(force_insert=True)


def test_the_database_makes_no_run_twice() -> None:
    series = series_of()
    OfferFactory(campaign__series=series, campaign__run_at=MONDAY)
    with pytest.raises(IntegrityError), transaction.atomic():
        OfferFactory(campaign__series=series, campaign__run_at=MONDAY)


def test_pausing_and_resuming_makes_up_for_nothing(at) -> None:
    at(MONDAY - HOUR)
    series = series_of()
    pause_series(series_id=series.pk, reason="Paused by mia.")
    series.refresh_from_db()
    assert (series.state, series.state_reason, series.next_run_at) == (
        "paused",
        "Paused by mia.",
        None,
    )
    at(MONDAY + timedelta(days=15))
    assert resume_series(series_id=series.pk).next_run_at == MONDAY + timedelta(days=17)


def test_a_rule_can_be_changed_while_it_is_paused_and_it_stays_paused(at) -> None:
    at(MONDAY)
    series = series_of()
    pause_series(series_id=series.pk, reason="Paused.")
    changed = change_rule(
        series_id=series.pk, name="Month's end", repetition=repetition(weekdays=(), month_day=31)
    )
    assert (changed.state, changed.next_run_at, changed.name) == ("paused", None, "Month's end")
    assert resume_series(series_id=series.pk).next_run_at == MONDAY + timedelta(days=31)


def test_another_rule_makes_no_second_run_on_the_day_of_the_last(at) -> None:
    at(MONDAY + HOUR)
    series = series_of()
    Series.objects.filter(pk=series.pk).update(last_run_at=MONDAY)
    changed = change_rule(
        series_id=series.pk,
        name="x",
        repetition=repetition(weekdays=[1], at=repetition().at.replace(15)),
    )
    assert changed.next_run_at == MONDAY + timedelta(days=7, hours=5)


def test_what_does_not_fit_the_state_is_refused(at) -> None:
    at(MONDAY)
    series = series_of()
    with pytest.raises(DomainError, match=r"This series is active: it cannot be resumed now\."):
        resume_series(series_id=series.pk)
    end_series(series_id=series.pk, reason="")
    for attempt in (
        lambda: pause_series(series_id=series.pk, reason=""),
        lambda: resume_series(series_id=series.pk),
        lambda: end_series(series_id=series.pk, reason=""),
        lambda: change_rule(series_id=series.pk, name="x", repetition=repetition()),
    ):
        with pytest.raises(DomainError, match="ended"):
            attempt()
    for attempt in (
        lambda: pause_series(series_id=0, reason=""),
        lambda: resume_series(series_id=0),
    ):
        with pytest.raises(DomainError) as refused:
            attempt()
        assert refused.value.code == "unknown_series"


def test_resuming_or_ending_says_nothing_of_old_trouble() -> None:
    series = series_of()
    for settle in (
        lambda: dismiss_trouble(series_id=series.pk),
        lambda: (pause_series(series_id=series.pk, reason=""), resume_series(series_id=series.pk)),
        lambda: end_series(series_id=series.pk, reason=""),
    ):
        Series.objects.update(trouble="missed", last_error="Missed.")
        settle()
        series.refresh_from_db()
        assert (series.trouble, series.last_error) == ("", "")
