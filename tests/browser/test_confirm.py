"""The confirm page and the test send in a browser: counts that follow, tabs, how many clicks."""

import re

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Page, expect

from campaigns.delivery.send_tests import send_waiting
from campaigns.groups import ensure_groups
from campaigns.models import Campaign, TestSend
from tests.factories import CustomerFactory, OfferFactory, UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def captured_here(tmp_path, settings) -> None:
    settings.CAPTURE_DIR = tmp_path / "captured"


def draft() -> Campaign:
    CustomerFactory.create_batch(3)
    CustomerFactory.create_batch(2, tags=["vip"])
    campaign = OfferFactory(campaign__name="Pizza week", campaign__target_all=False).campaign
    campaign.target_segments.set([])
    return campaign


def open_confirm(page: Page, live_server, campaign: Campaign) -> None:
    page.goto(f"{live_server.url}/admin/campaigns/campaign/{campaign.pk}/send/")


def choose_segment(page: Page, name: str) -> None:
    page.locator(".field-target_segments .select2-selection, .select2-selection").first.click()
    page.locator(".select2-results__option", has_text=name).first.click()


def test_counts_follow_the_choice_without_a_reload(signed_in, live_server) -> None:
    campaign = draft()
    page = signed_in
    open_confirm(page, live_server, campaign)
    send = page.get_by_role("button", name=re.compile("^Send .*now"))
    expect(send).to_be_disabled()
    expect(page.get_by_text("No audience is chosen").first).to_be_visible()
    choose_segment(page, "vip")
    expect(page.get_by_role("status").filter(has_text="2 people get it")).to_be_visible()
    expect(send).to_have_text("Send to 2 people now")
    expect(send).to_be_enabled()
    expect(page.get_by_text("No audience is chosen")).to_have_count(0)
    assert page.evaluate("window.loads") == 1
    send.click()
    expect(page.get_by_text("2 emails and 2 texts queued, with QR codes.")).to_be_visible()


def test_what_is_wrong_with_the_audience_is_mended_on_this_page(signed_in, live_server) -> None:
    campaign = draft()
    page = signed_in
    open_confirm(page, live_server, campaign)
    chooser = page.get_by_role("button", name="Save and count again")
    page.get_by_text("Change the audience").click()
    expect(chooser).to_be_hidden()
    page.get_by_role("link", name=re.compile("Mend it.*No audience")).click()
    expect(chooser).to_be_visible()
    assert page.url.endswith("/send/#hb-audience")


def test_everyone_is_sent_to_after_a_second_look_only(signed_in, live_server) -> None:
    campaign = draft()
    Campaign.objects.update(target_all=True)
    page = signed_in
    open_confirm(page, live_server, campaign)
    send = page.get_by_role("button", name="Send to 5 people now")
    send.click()
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    page.get_by_label("I have looked at it").check()
    send.click()
    expect(page.get_by_text("5 emails and 5 texts queued")).to_be_visible()


def test_a_tab_that_is_no_longer_true_sends_nothing_and_takes_nothing_back(
    signed_in, live_server
) -> None:
    campaign = draft()
    first = signed_in
    open_confirm(first, live_server, campaign)
    second = first.context.new_page()
    open_confirm(second, live_server, campaign)
    choose_segment(second, "vip")
    expect(second.get_by_role("button", name="Send to 2 people now")).to_be_enabled()
    first.get_by_label("Everyone").check(force=True)
    expect(first.get_by_text("Your choice was not saved.")).to_be_visible()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.target_all) == ("draft", False)
    expect(first.get_by_role("button", name="Send to 2 people now")).to_be_enabled()


def test_the_audience_can_be_changed_without_javascript(browser, live_server, signed_in) -> None:
    campaign = draft()
    cookies = signed_in.context.cookies()
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    context.add_cookies(cookies)
    page = context.new_page()
    open_confirm(page, live_server, campaign)
    page.locator("select[name=target_segments]").select_option(label="vip (2)")
    page.get_by_role("button", name="Save and count again").click()
    expect(page.get_by_role("button", name="Send to 2 people now")).to_be_enabled()
    page.get_by_role("button", name="Send to 2 people now").click()
    campaign.refresh_from_db()
    assert campaign.status == "queued"
    context.close()


def test_a_newcomer_has_sent_a_test_within_ten_clicks(page, live_server) -> None:
    """From signing in to a test message from a starter template (M-9)."""
    ensure_groups()
    newcomer = UserFactory(groups=["Marketing"], username="newcomer")
    newcomer.set_password("a long enough password")
    newcomer.save()
    CustomerFactory()
    clicks = 0

    def click(place) -> None:
        nonlocal clicks
        place.click()
        clicks += 1

    page.goto(f"{live_server.url}{django_settings.LOGIN_URL}")
    page.get_by_label("Username").fill("newcomer")
    page.get_by_label("Password").fill("a long enough password")
    click(page.get_by_role("button", name=re.compile("log in|sign in", re.IGNORECASE)))
    click(page.get_by_role("link", name=re.compile("New campaign")).first)
    click(page.get_by_role("button", name="Use “Monday special”").first)
    click(page.get_by_role("link", name="Preview and test").first)
    page.get_by_label("Email addresses and phone numbers").fill("me@example.com, +4915112345678")
    click(page.get_by_role("button", name="Send the test"))
    expect(page.get_by_text("Waiting for its turn")).to_have_count(2)
    assert send_waiting() == 2
    expect(page.get_by_text("Sent. Its code scans as TEST.")).to_have_count(2)
    assert clicks <= 10
    assert TestSend.objects.filter(status="sent").count() == 2
