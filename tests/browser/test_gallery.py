"""From Home to a filled draft in two clicks, on a desk and on a phone."""

import pytest
from playwright.sync_api import Page, expect

from campaigns.models import Campaign, MessageTemplate
from campaigns.starters import STARTERS, find_starter
from tests.factories import OfferFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

GALLERY = "/admin/campaigns/campaign/add/"
TEMPLATES = "/admin/campaigns/messagetemplate/"


def kept(name: str = "Our Monday") -> MessageTemplate:
    starter = find_starter("monday_special")
    return MessageTemplate.objects.create(
        name=name,
        subject=starter.subject,
        email_content=starter.email_content,
        offer_title="Half price on any pizza",
    )


def is_as_wide_as_the_screen(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_two_clicks_lead_from_home_to_a_filled_draft(signed_in, live_server) -> None:
    page = signed_in
    page.goto(f"{live_server.url}/admin/")
    page.get_by_role("link", name="New campaign").click()
    page.get_by_role("button", name="Use “Monday special”").click()
    starter = find_starter("monday_special")
    expect(page.locator("#id_email_content")).to_have_value(starter.email_content)
    expect(page.locator("#id_subject")).to_have_value(starter.subject)
    expect(page.locator("#id_offer_title")).to_have_value(starter.offer_title)
    assert Campaign.objects.get().template_name == "monday_special"


def test_every_picture_of_the_gallery_shows_its_message(signed_in, live_server) -> None:
    kept()
    page = signed_in
    page.goto(live_server.url + GALLERY)
    frames = page.locator(".hb-pick iframe")
    expect(frames).to_have_count(len(STARTERS) + 1)
    for index in range(len(STARTERS) + 1):
        frames.nth(index).scroll_into_view_if_needed()
        inside = frames.nth(index).content_frame
        expect(inside.get_by_text("Pizzeria Vesuvio").first).to_be_attached()
        assert inside.locator("img").evaluate("image => image.naturalWidth") > 0


@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_fit_the_screen(signed_in, live_server, width) -> None:
    template = kept("A template with a name that is rather long for a phone and its list")
    page = signed_in
    page.set_viewport_size({"width": width, "height": 844})
    for address in (GALLERY, TEMPLATES, f"{TEMPLATES}{template.pk}/change/", f"{TEMPLATES}add/"):
        page.goto(live_server.url + address)
        assert is_as_wide_as_the_screen(page), address
    page.goto(live_server.url + TEMPLATES)
    row = page.locator("#result_list td", has=page.locator(".hb-thumbnail")).bounding_box()
    assert row["height"] > page.locator(".hb-thumbnail").bounding_box()["height"]


def test_a_campaign_becomes_a_template_and_the_template_a_campaign(
    signed_in,
    live_server,
) -> None:
    campaign = OfferFactory(campaign__name="Pizza week", title="20% off").campaign
    page = signed_in
    page.goto(f"{live_server.url}/admin/campaigns/campaign/{campaign.pk}/change/")
    page.get_by_role("button", name="Save as template").click()
    expect(page.get_by_text("Saved as template “Pizza week”")).to_be_visible()
    page.goto(live_server.url + GALLERY)
    page.get_by_role("button", name="Use “Pizza week”").click()
    expect(page.locator("#id_offer_title")).to_have_value("20% off")
    draft = Campaign.objects.exclude(pk=campaign.pk).get()
    assert draft.email_content == campaign.email_content
