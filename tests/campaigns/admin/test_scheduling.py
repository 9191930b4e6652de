"""A campaign's time: by the business's clock, said with its zone, changed in place (M-10)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from campaigns.models import Campaign
from tests.campaigns.admin.forms import said
from tests.factories import CustomerFactory, OfferFactory, now


def page(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


@pytest.fixture
def draft(db) -> Campaign:
    CustomerFactory()
    return OfferFactory(campaign__name="Pizza week").campaign


@pytest.fixture
def scheduled(draft) -> Campaign:
    at = datetime(2030, 7, 1, 7, tzinfo=UTC)
    Campaign.objects.filter(pk=draft.pk).update(status="scheduled", scheduled_for=at)
    return draft


def test_the_form_says_whose_clock_and_the_answer_the_local_time_with_its_zone(
    marketing, draft
) -> None:
    assert "By the clock of Europe/Berlin." in marketing.get(page("send", draft)).content.decode()
    response = marketing.post(
        page("schedule", draft), {"at_0": "2030-12-02", "at_1": "09:30"}, follow=True
    )
    assert said(response) == [
        "“Pizza week” will be sent on Monday, 2 December 2030, 09:30 (Europe/Berlin)."
    ]
    assert "Starts 2 Dec 2030, 09:30 (Europe/Berlin)" in response.content.decode()
    html = marketing.get("/admin/campaigns/campaign/").content.decode()
    assert "Starts 2 Dec 2030, 09:30 (Europe/Berlin)" in html


@pytest.mark.parametrize("form", ["schedule", "reschedule"])
def test_a_time_that_clocks_jump_over_is_refused_with_the_one_to_choose(
    marketing, draft, form
) -> None:
    if form == "reschedule":
        Campaign.objects.update(status="scheduled", scheduled_for=now() + timedelta(days=1))
    before = Campaign.objects.values().get()
    html = marketing.post(
        page(form, draft), {"at_0": "2030-03-31", "at_1": "02:30"}
    ).content.decode()
    assert "there is no 02:30 in Europe/Berlin" in html
    assert "choose 03:00" in html
    assert Campaign.objects.values().get() == before


def test_of_a_time_that_comes_twice_the_first_is_taken_and_named(marketing, draft) -> None:
    response = marketing.post(
        page("schedule", draft), {"at_0": "2030-10-27", "at_1": "02:30"}, follow=True
    )
    assert "the first 02:30 of that day, on which clocks are put back" in said(response)[0]
    draft.refresh_from_db()
    assert draft.scheduled_for == datetime(2030, 10, 27, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "post",
    [
        {"at_0": "2030-12-02", "at_1": ""},
        {"at_0": "", "at_1": "10:00"},
        {"at_0": "0001-01-01", "at_1": "00:00"},
        {"at_0": "9999-12-31", "at_1": "23:59"},
    ],
)
def test_half_a_time_or_one_beyond_the_calendar_is_refused(marketing, draft, post) -> None:
    assert marketing.post(page("schedule", draft), post).status_code in {200, 302}
    draft.refresh_from_db()
    assert draft.status == "draft"


def test_the_time_of_a_scheduled_campaign_is_changed_in_place(marketing, scheduled) -> None:
    assert "Change the time…" in marketing.get(page("change", scheduled)).content.decode()
    html = marketing.get(page("reschedule", scheduled)).content.decode()
    assert 'value="2030-07-01"' in html
    assert 'value="09:00' in html
    response = marketing.post(
        page("reschedule", scheduled), {"at_0": "2030-07-02", "at_1": "18:00"}, follow=True
    )
    assert said(response) == [
        "“Pizza week” will be sent on Tuesday, 2 July 2030, 18:00 (Europe/Berlin) instead."
    ]
    scheduled.refresh_from_db()
    assert scheduled.status == "scheduled"
    assert scheduled.scheduled_for == datetime(2030, 7, 2, 16, tzinfo=UTC)


def test_once_it_has_started_its_time_cannot_be_changed(marketing, scheduled) -> None:
    Campaign.objects.update(status="queued")
    post = {"at_0": "2030-07-02", "at_1": "18:00"}
    response = marketing.post(page("reschedule", scheduled), post, follow=True)
    assert said(response) == ["This campaign is queued: it has no time to change."]
    scheduled.refresh_from_db()
    assert scheduled.scheduled_for == datetime(2030, 7, 1, 7, tzinfo=UTC)
