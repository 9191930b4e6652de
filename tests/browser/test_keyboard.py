"""The admin without a mouse: past the menu, into a panel and out of it again."""

import pytest
from playwright.sync_api import Page, expect

from tests.factories import CampaignFactory, CustomerFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def focused(page: Page) -> str:
    return page.evaluate(
        "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
    ).strip()


def test_the_first_tab_leads_past_the_menu(signed_in, live_server) -> None:
    page = signed_in
    page.goto(f"{live_server.url}/admin/")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    expect(page.locator(".hb-skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "New campaign"


def test_whoever_is_signed_in_can_sign_out_by_keyboard(signed_in, live_server) -> None:
    page = signed_in
    page.goto(f"{live_server.url}/admin/")
    mine = page.locator(".hb-mine")
    mine.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(mine).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(mine).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").press("Enter")
    expect(page).to_have_title("Signed out | Pizzeria Vesuvio · Handbill")


def test_the_menu_of_a_phone_opens_by_keyboard(signed_in, live_server) -> None:
    page = signed_in
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server.url}/admin/")
    menu = page.locator(".hb-head").get_by_role("button", name="Menu")
    menu.press("Enter")
    expect(page.get_by_role("link", name="Customers", exact=True)).to_be_visible()
    expect(menu).to_have_attribute("aria-expanded", "true")
    page.get_by_role("button", name="Close the menu").press("Enter")
    expect(page.get_by_role("link", name="Customers", exact=True)).to_be_hidden()


def test_the_filters_keep_the_focus_and_give_it_back(signed_in, live_server) -> None:
    CustomerFactory()
    page = signed_in
    page.goto(f"{live_server.url}/admin/customers/customer/")
    opener = page.get_by_role("button", name="Filters")
    opener.press("Enter")
    panel = page.get_by_role("dialog", name="Filters")
    expect(panel).to_be_visible()
    inside = "document.querySelector('#changelist-filter').contains(document.activeElement)"
    page.wait_for_function(inside)
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(inside)
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(opener).to_be_focused()


def test_choices_and_icons_have_names_that_are_words(signed_in, live_server) -> None:
    campaign = CampaignFactory()
    page = signed_in
    page.goto(f"{live_server.url}/admin/campaigns/campaign/{campaign.pk}/change/")
    expect(page.get_by_role("searchbox", name="Except")).to_be_visible()
    page.goto(f"{live_server.url}/admin/campaigns/campaign/")
    expect(page.get_by_role("link", name="New campaign")).to_be_visible()
    expect(page.get_by_role("table", name="Campaigns")).to_be_visible()
    expect(page.get_by_role("link", name="Home", exact=True)).to_have_count(1)
