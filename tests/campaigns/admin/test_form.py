from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from campaigns.admin.campaign import CampaignAdmin
from campaigns.delivery.send_tests import send_waiting
from campaigns.models import Campaign
from campaigns.send_test import send_test
from customers.segments import ensure_segments
from qrcodes.models import Offer, QRCode
from tests.campaigns.admin.forms import campaign_post, said
from tests.factories import (
    CustomerFactory,
    OfferFactory,
    QRCodeFactory,
    ScanAttemptFactory,
)

ADD = "/admin/campaigns/campaign/add/"


def change(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_change", args=[campaign.pk])


def test_it_creates_a_draft_with_its_offer_and_audience(marketing) -> None:
    segments = ensure_segments(["vip", "left"])
    vip, left = segments["vip"], segments["left"]
    response = marketing.post(
        ADD,
        campaign_post(
            target_all=None,
            target_segments=[vip.pk],
            excluded_segments=[left.pk],
            offer_minimum_amount="15.50",
            offer_starts_at_0="2026-12-01",
            offer_starts_at_1="10:00:00",
            offer_max_redemptions="100",
        ),
        follow=True,
    )
    campaign = Campaign.objects.get()
    assert response.redirect_chain[-1][0] == change(campaign)
    assert campaign.status == "draft"
    assert not campaign.target_all
    assert [s.name for s in campaign.target_segments.all()] == ["vip"]
    assert [s.name for s in campaign.excluded_segments.all()] == ["left"]
    assert campaign.created_by.groups.get().name == "Marketing"
    offer = Offer.objects.get(campaign=campaign)
    assert (offer.title, offer.minimum_amount) == ("20% off", Decimal("15.50"))
    assert offer.starts_at == datetime(2026, 12, 1, 9, 0, tzinfo=UTC)  # 10:00 in Berlin
    assert offer.max_redemptions == 100


def test_it_goes_on_to_the_preview_or_to_the_confirm_page(marketing) -> None:
    response = marketing.post(ADD, campaign_post(_preview="1"))
    campaign = Campaign.objects.get()
    assert response.url == reverse("admin:campaigns_campaign_preview", args=[campaign.pk])
    response = marketing.post(change(campaign), campaign_post(campaign, _send="1"))
    assert response.url == reverse("admin:campaigns_campaign_send", args=[campaign.pk])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"email_content": "<p>\n{{ customer.first_nam }}</p>"}, "Email, line 2:"),
        ({"email_content": "<p>{% if %}"}, "Email, line 1:"),
        ({"sms_content": "{{ oops"}, "Text message"),
        ({"subject": "{{ unknown }}"}, "Subject, line 1:"),
        ({"email_content": " ", "sms_content": ""}, "Write an email, a text message, or both."),
        ({"offer_title": " "}, "Say what the coupon is worth"),
        ({"offer_max_discount": "0"}, "greater than or equal to 0.01"),
        ({"offer_minimum_amount": "-1"}, "greater than or equal to 0"),
        ({"qr_expiration_days": "0"}, "greater than or equal to 1"),
        ({"target_segments": ["4711"]}, "4711 is not one of the available choices"),
        ({"name": ""}, "This field is required."),
    ],
)
def test_it_refuses_what_is_wrong_at_its_field_and_saves_nothing(
    marketing, changes, sentence
) -> None:
    response = marketing.post(ADD, campaign_post(**changes))
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert any(sentence in text for texts in errors.values() for text in texts), errors
    assert changes.get("name") == "" or "Pizza week" in response.content.decode()
    assert not Campaign.objects.exists()
    assert not Offer.objects.exists()


def test_it_saves_a_draft_that_cannot_be_sent_yet_and_says_why(marketing) -> None:
    response = marketing.post(
        ADD, campaign_post(target_all=None, email_content="<p>No way out</p>"), follow=True
    )
    assert Campaign.objects.count() == 1
    assert any(text.startswith("Before you send:") for text in said(response))
    assert any("audience" in text for text in said(response))


def test_it_writes_changed_fields_only(marketing) -> None:
    campaign = OfferFactory().campaign
    stale_post = campaign_post(campaign, name="New name")
    # Meanwhile a colleague has changed the subject.
    Campaign.objects.filter(pk=campaign.pk).update(qr_expiration_days=7)
    marketing.post(change(campaign), {**stale_post, "qr_expiration_days": 7})
    campaign.refresh_from_db()
    assert (campaign.name, campaign.qr_expiration_days) == ("New name", 7)


def test_a_stale_form_cannot_write_counters_or_state_back(marketing, monkeypatch) -> None:
    campaign = OfferFactory(campaign__status="sending").campaign
    url = change(campaign)
    post = {
        "name": "New name",
        "send_rate_limit_emails": 50,
        "send_rate_limit_sms": 5,
        "status": "draft",
        "emails_sent": 0,
    }
    save_model = CampaignAdmin.save_model

    def meanwhile(self, request, obj, form, change):
        # The sender counts and a colleague pauses between this form's reading and its writing.
        Campaign.objects.filter(pk=campaign.pk).update(
            emails_sent=1243, status="paused", total_targeted=5000, frozen_through=99
        )
        save_model(self, request, obj, form, change)

    monkeypatch.setattr(CampaignAdmin, "save_model", meanwhile)
    assert marketing.post(url, post).status_code == 302
    campaign.refresh_from_db()
    assert (campaign.name, campaign.send_rate_limit_emails) == ("New name", 50)
    assert (campaign.emails_sent, campaign.status) == (1243, "paused")
    assert (campaign.total_targeted, campaign.frozen_through) == (5000, 99)


@pytest.mark.parametrize(
    "status", ["scheduled", "queued", "sending", "paused", "completed", "failed", "cancelled"]
)
def test_content_is_locked_once_it_has_left_draft(marketing, status) -> None:
    campaign = OfferFactory(campaign__scheduled_for=datetime.now(UTC)).campaign
    Campaign.objects.filter(pk=campaign.pk).update(status=status)
    page = marketing.get(change(campaign))
    assert set(page.context["adminform"].form.fields) == {
        "name",
        "send_rate_limit_emails",
        "send_rate_limit_sms",
    }
    post = {"name": "Renamed", "send_rate_limit_emails": 7, "send_rate_limit_sms": 3}
    marketing.post(change(campaign), {**post, "subject": "Changed", "max_usage": 9})
    campaign.refresh_from_db()
    assert (campaign.name, campaign.send_rate_limit_emails) == ("Renamed", 7)
    assert (campaign.subject, campaign.max_usage) == ("20% off every pizza", 1)


def test_it_tells_who_edits_a_draft_that_it_was_sent_meanwhile(marketing) -> None:
    campaign = OfferFactory().campaign
    post = campaign_post(campaign, email_content="<p>Changed</p>")
    Campaign.objects.filter(pk=campaign.pk).update(status="sending")
    response = marketing.post(change(campaign), post, follow=True)
    assert said(response) == [
        "Nothing was saved: meanwhile this campaign is sending, and its message can no longer be "
        "changed."
    ]
    campaign.refresh_from_db()
    assert "Changed" not in campaign.email_content


def test_it_updates_the_offer_of_a_draft(marketing) -> None:
    campaign = OfferFactory(terms="Old.").campaign
    marketing.post(change(campaign), campaign_post(campaign, offer_title="2 for 1"))
    offer = Offer.objects.get(campaign=campaign)
    assert (offer.title, offer.terms) == ("2 for 1", "Old.")


def test_it_deletes_a_draft_with_its_test_sends_only(marketing) -> None:
    campaign = OfferFactory().campaign
    CustomerFactory()
    send_test(campaign=campaign, addresses=["me@example.com"])
    send_waiting()
    attempt = ScanAttemptFactory(qr_code=QRCode.objects.get(), accepted=False)
    url = reverse("admin:campaigns_campaign_delete", args=[campaign.pk])
    assert "This cannot be undone" in marketing.get(url).content.decode()
    assert marketing.post(url, {"post": "yes"}).status_code == 302
    assert not Campaign.objects.exists()
    attempt.refresh_from_db()
    assert attempt.qr_code is None


def test_it_deletes_nothing_that_was_sent(marketing) -> None:
    campaign = QRCodeFactory(offer__campaign__status="completed").campaign
    url = reverse("admin:campaigns_campaign_delete", args=[campaign.pk])
    assert marketing.post(url, {"post": "yes"}).status_code == 403
    assert Campaign.objects.count() == 1


def test_the_admin_log_holds_no_content(marketing) -> None:
    marketing.post(ADD, campaign_post(email_content="<p>Secret sauce</p>"))
    marketing.post(change(Campaign.objects.get()), campaign_post(name="Other"))
    logged = "".join(f"{e.object_repr}{e.change_message}" for e in LogEntry.objects.all())
    assert "Pizza week" in logged
    assert "Secret sauce" not in logged


def test_it_lists_the_placeholders_beside_the_form(marketing) -> None:
    html = marketing.get(ADD, {"blank": "1"}).content.decode()
    assert "{{ customer.first_name }}" in html
    assert "{{ coupon_url }}" in html


def test_it_answers_an_unknown_campaign_with_a_message(marketing) -> None:
    for page in ("preview", "send", "report", "cancel", "report.json"):
        url = reverse(f"admin:campaigns_campaign_{page}", args=[4711])
        response = marketing.get(url, follow=True)
        assert said(response) == ["There is no such campaign: it may have been deleted."]
