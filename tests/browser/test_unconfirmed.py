"""Why nothing is happening appears by itself, and what nobody knows is settled by a person."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from campaigns.health import BEAT, SWEEPER, beat_heart
from campaigns.models import Campaign, Delivery, Heartbeat, Pace
from tests.factories import CampaignFactory, DeliveryFactory, now

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def campaign() -> Campaign:
    """One that is sending, all well."""
    for part in (SWEEPER, BEAT):
        beat_heart(part)
    campaign = CampaignFactory(name="Pizza week", status="sending", sent_at=now())
    for channel in campaign.channels:
        Pace.objects.create(campaign=campaign, channel=channel)
    for status in ("sent", "pending", "pending"):
        DeliveryFactory(campaign=campaign, channel="sms", status=status)
    return campaign


def open_page(page: Page, live_server, campaign: Campaign) -> None:
    page.goto(f"{live_server.url}/admin/campaigns/campaign/{campaign.pk}/change/")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_notices_come_and_go_without_a_reload(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_page(page, live_server, campaign)
    notices = page.locator(".hb-notices li")
    expect(notices).to_have_count(0)

    Heartbeat.objects.update(at=now() - timedelta(minutes=5))
    expect(notices).to_contain_text(["has not been at work for 5 minutes"])
    for part in (SWEEPER, BEAT):
        beat_heart(part)
    expect(notices).to_have_count(0)

    Delivery.objects.filter(status="pending").update(
        code="quiet_hours", not_before=now() + timedelta(hours=30)
    )
    expect(notices).to_contain_text(["2 texts wait because it is too early or too late"])
    Delivery.objects.filter(pk=Delivery.objects.filter(status="pending").first().pk).update(
        status="unconfirmed", code="no_answer"
    )
    expect(notices).to_contain_text(["1 text may or may not have arrived.", "1 text waits because"])
    expect(page.get_by_role("heading", name="May or may not have arrived")).to_be_visible()
    assert page.evaluate("window.loads") == 1


def test_the_list_says_it_too(signed_in, live_server, campaign) -> None:
    page = signed_in
    page.goto(f"{live_server.url}/admin/campaigns/campaign/")
    detail = page.locator(".hb-progress-detail")
    expect(detail).not_to_contain_text("sending is not running")
    Heartbeat.objects.update(at=now() - timedelta(minutes=5))
    expect(detail).to_contain_text("sending is not running")
    assert page.evaluate("window.loads") == 1


def test_marketing_settles_what_nobody_knows(signed_in, live_server, campaign) -> None:
    DeliveryFactory.create_batch(
        2, campaign=campaign, channel="sms", status="unconfirmed", code="no_answer"
    )
    email = DeliveryFactory(campaign=campaign, status="unconfirmed", code="lease_expired")
    page = signed_in
    page.goto(f"{live_server.url}/admin/")
    page.get_by_role("link", name="Pizza week").first.click()
    texts = page.locator(".hb-unconfirmed li", has_text="2 texts")
    texts.get_by_role("link", name="Send again…").click()
    expect(page.get_by_role("heading", name="Send 2 texts again?")).to_be_visible()
    expect(page.get_by_text("each text costs money")).to_be_visible()
    assert Delivery.objects.filter(status="unconfirmed").count() == 3
    page.get_by_role("link", name="Not now").click()
    texts.get_by_role("link", name="Count as sent…").click()
    page.get_by_role("button", name="Count as sent").click()
    expect(page.get_by_text("2 texts are counted as sent.")).to_be_visible()
    expect(texts).to_have_count(0)
    campaign.refresh_from_db()
    assert campaign.sms_sent == 2

    page.locator(".hb-unconfirmed").get_by_role("link", name="One by one").click()
    page.locator("input.action-select").check()
    page.select_option("select[name=action]", "give_up")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("button", name="Give up").click()
    expect(page.get_by_text("1 message is given up.")).to_be_visible()
    email.refresh_from_db()
    assert (email.status, email.code) == ("failed", "given_up")


def test_all_that_match_are_settled_without_counting_them(
    signed_in,
    live_server,
    campaign,
) -> None:
    DeliveryFactory.create_batch(
        60, campaign=campaign, channel="sms", status="unconfirmed", code="no_answer"
    )
    page = signed_in
    page.goto(f"{live_server.url}/admin/campaigns/delivery/?status__exact=unconfirmed")
    page.locator("#action-toggle").check()
    page.get_by_text("Select all that match, on every page").click()
    page.select_option("select[name=action]", "count_as_sent")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("heading", name="Count 60 texts as sent?")).to_be_visible()
    page.get_by_role("button", name="Count as sent").click()
    expect(page.get_by_text("60 messages are counted as sent.")).to_be_visible()
    assert not Delivery.objects.filter(status="unconfirmed").exists()


def test_a_person_is_looked_up_on_a_phone(signed_in, live_server, campaign) -> None:
    asked = DeliveryFactory(campaign=campaign, status="failed", code="invalid_address")
    page = signed_in
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, live_server, campaign)
    page.get_by_role("link", name="Who got it?").click()
    page.get_by_placeholder("Name, full email").fill(asked.customer.email)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("The provider says that this address is not valid.")).to_be_visible()
    assert asked.customer.email not in page.url
    assert page.evaluate("document.documentElement.scrollWidth") == 390
