"""A Marketing person makes a campaign repeat, sees when, and pauses it (M-10)."""

import re

import pytest
from playwright.sync_api import expect

from campaigns.models import Series
from tests.campaigns.series.repeating import draft

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_draft_becomes_a_weekly_series_that_is_paused(signed_in, live_server) -> None:
    campaign = draft(name="Lunch")
    page = signed_in
    page.goto(f"{live_server.url}/admin/campaigns/campaign/{campaign.pk}/send/")
    page.get_by_role("link", name="Repeat…").click()

    # What comes next follows what is chosen, before anything is made.
    look = page.locator("[data-look]")
    expect(look.locator("li")).to_have_count(5)
    for box in page.get_by_role("group", name="On").get_by_role("checkbox").all():
        box.uncheck()
    expect(look).to_contain_text("Choose at least one day of the week.")
    page.get_by_label("Monday").check()
    page.get_by_label("Thursday").check()
    page.get_by_label(re.compile(r"^\s*At\b")).fill("18:30")
    expect(look).to_contain_text("Every Monday and Thursday at 18:30, Europe/Berlin")
    expect(look.locator("li").nth(4)).to_contain_text("18:30")
    expect(page.get_by_label("Day of the month")).to_be_hidden()
    expect(page.get_by_role("button", name="Show the next runs")).to_be_hidden()
    assert not Series.objects.exists()

    page.get_by_role("button", name="Start the series").click()
    expect(page.get_by_text("repeats: the first run is on")).to_be_visible()
    page.get_by_role("button", name="Pause the series").click()
    expect(page.get_by_text("Paused: no run is made")).to_be_visible()
    expect(page.get_by_text("Next runs, if it is resumed now")).to_be_visible()
    assert Series.objects.get().state == "paused"

    page.goto(f"{live_server.url}/admin/campaigns/campaign/{campaign.pk}/change/")
    expect(page.get_by_role("button", name="Resume the series")).to_be_visible()
    expect(page.get_by_role("link", name="Check and send…")).to_have_count(0)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
