"""What only a browser can show: figures that move by themselves, and the way from draft to sent."""

import re

import pytest
from playwright.sync_api import expect

from campaigns.models import Campaign, Delivery
from tests.factories import (
    CampaignFactory,
    CustomerFactory,
    DeliveryFactory,
    OfferFactory,
    now,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def sending_campaign() -> Campaign:
    campaign = CampaignFactory(name="Pizza week", status="sending", sent_at=now())
    for status in ("sent", "pending", "pending"):
        DeliveryFactory(campaign=campaign, status=status)
    Campaign.objects.filter(pk=campaign.pk).update(emails_sent=1)
    return campaign


def send_one(campaign: Campaign) -> None:
    """What a sender does, as far as a page can see it."""
    waiting = Delivery.objects.filter(campaign=campaign, status="pending").first()
    Delivery.objects.filter(pk=waiting.pk).update(status="sent", sent_at=now())
    sent = Delivery.objects.filter(campaign=campaign, status="sent").count()
    Campaign.objects.filter(pk=campaign.pk).update(emails_sent=sent)


def test_the_list_moves_by_itself_and_stops_when_all_is_sent(signed_in, live_server) -> None:
    campaign = sending_campaign()
    page = signed_in
    page.goto(f"{live_server.url}/admin/campaigns/campaign/")
    progress = page.locator(".hb-progress-text")
    expect(progress).to_have_text("1 / 3 sent")
    send_one(campaign)
    expect(progress).to_have_text("2 / 3 sent")
    assert page.locator("progress").evaluate("bar => bar.value / bar.max") == pytest.approx(2 / 3)
    send_one(campaign)
    Campaign.objects.filter(pk=campaign.pk).update(status="completed", completed_at=now())
    expect(progress).to_have_text("3 sent")
    expect(page.locator(".hb-status")).to_have_text("Completed")
    assert page.evaluate("window.loads") == 1

    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url))
    page.wait_for_timeout(2_500)
    assert not [url for url in polls if "/live/" in url]


def test_the_page_of_a_campaign_changes_its_buttons_without_a_reload(
    signed_in, live_server
) -> None:
    campaign = sending_campaign()
    page = signed_in
    page.goto(f"{live_server.url}/admin/campaigns/campaign/{campaign.pk}/change/")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    send_one(campaign)
    expect(page.locator('[data-part="email.sent"]')).to_have_text("2")
    Campaign.objects.filter(pk=campaign.pk).update(status="paused", status_reason="Too fast.")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.get_by_text("Too fast.").first).to_be_visible()
    assert page.evaluate("window.loads") == 1
    page.fill("#id_name", "Not saved yet")
    page.get_by_role("button", name="Resume").press("Enter")
    expect(page.get_by_text("Resumed: it goes on where it stopped.")).to_be_visible()
    campaign.refresh_from_db()
    assert campaign.status == "sending"
    # What was being typed is still there, and so is the place of whoever uses the keyboard.
    expect(page.get_by_role("button", name="Pause")).to_be_focused()
    expect(page.locator("#id_name")).to_have_value("Not saved yet")
    assert page.evaluate("window.loads") == 1


def test_failures_are_told_by_reason_and_tried_again_without_a_reload(
    signed_in, live_server
) -> None:
    campaign = sending_campaign()
    page = signed_in
    page.goto(f"{live_server.url}/admin/campaigns/campaign/{campaign.pk}/change/")
    expect(page.locator('[data-part="text"]').first).to_have_text("1 / 3 sent")
    Delivery.objects.filter(campaign=campaign, status="pending").update(
        status="failed", code="provider_error", attempts=4
    )
    Campaign.objects.filter(pk=campaign.pk).update(emails_failed=2)
    expect(page.get_by_text("Not sent or came back, and why")).to_be_visible()
    Campaign.objects.filter(pk=campaign.pk).update(status="completed", completed_at=now())
    expect(page.get_by_text("Everything that could be sent has been sent.")).to_be_visible()
    expect(page.locator("p[role=status]")).to_have_text("Completed")
    page.get_by_role("button", name="Try these again").click()
    expect(page.get_by_text("2 failed messages are tried again.")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert page.evaluate("window.loads") == 1


def test_a_hidden_part_of_the_list_is_not_asked_for(signed_in, live_server) -> None:
    low = sending_campaign()
    for _ in range(30):
        CampaignFactory(status="completed", sent_at=now())
    page = signed_in
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url))
    page.goto(f"{live_server.url}/admin/campaigns/campaign/")
    page.wait_for_timeout(2_500)
    assert not [url for url in polls if "/live/" in url]
    page.locator(f'.hb-progress[data-live="{low.pk}"]').scroll_into_view_if_needed()
    page.wait_for_timeout(1_000)
    assert [url for url in polls if f"/live/?ids={low.pk}" in url]


def test_a_draft_is_written_looked_at_and_sent_through_the_confirm_page(
    signed_in, live_server, settings
) -> None:
    CustomerFactory.create_batch(3)
    CustomerFactory(phone="", email_subscribed=False, email_consent_action="opt_out")
    page = signed_in
    page.goto(f"{live_server.url}/admin/")
    page.get_by_role("link", name="New campaign").click()
    page.get_by_role("link", name="Blank").click()
    page.fill("#id_name", "Pizza week")
    page.fill("#id_subject", "20% off, {{ customer.first_name }}")
    page.locator(".hb-code .cm-content").fill(
        "<p>Hello {{ customer.first_name }}</p>{% if qr_code_base64 %}"
        '<img alt="" src="data:image/png;base64,{{ qr_code_base64 }}">{% endif %}'
        '<p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p>',
    )
    expect(page.locator("#id_target_segments")).to_have_count(1)
    page.locator("#id_target_all").check(force=True)
    expect(page.locator(".field-target_segments")).to_be_hidden()
    page.fill("#id_offer_title", "20% off every pizza")
    expect(page.frame_locator("[data-stage] iframe").get_by_text("Hello Ada")).to_be_visible()
    page.get_by_role("button", name="Save and preview").click()

    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("Hello Ada")).to_be_visible()
    assert frame.locator("img").evaluate("image => image.naturalWidth") > 0
    wide = page.locator("iframe").bounding_box()["width"]
    page.get_by_text("Phone", exact=True).click()
    page.wait_for_timeout(500)
    assert page.locator("iframe").bounding_box()["width"] == 390 < wide

    page.get_by_role("link", name="Back to the campaign").click()
    page.get_by_role("link", name="Check and send…").click()
    expect(page.locator(".hb-tile", has_text="Emails")).to_contain_text("3")
    page.get_by_label("I have looked at it").check()
    page.get_by_role("button", name=re.compile("^Send to")).click()
    expect(page.get_by_text("3 emails queued, with QR codes.")).to_be_visible()
    assert Campaign.objects.get().status == "queued"
    assert not Delivery.objects.exists()


def test_turning_the_coupon_off_hides_its_fields(signed_in, live_server) -> None:
    campaign = OfferFactory().campaign
    page = signed_in
    page.goto(f"{live_server.url}/admin/campaigns/campaign/{campaign.pk}/change/")
    expect(page.locator("#id_offer_title")).to_be_visible()
    page.locator("#id_has_qr_code").uncheck(force=True)
    expect(page.locator("#id_offer_title")).to_be_hidden()
    expect(page.locator("#id_qr_expiration_days")).to_be_hidden()
    expect(page.locator("#id_has_qr_code")).to_be_attached()
