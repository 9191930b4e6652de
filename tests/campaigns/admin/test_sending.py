from datetime import time, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign, Delivery
from customers.models import Customer
from customers.segments import ensure_segments
from qrcodes.models import Offer
from tests.campaigns.admin.conftest import signed_in
from tests.campaigns.admin.forms import said
from tests.factories import (
    CampaignFactory,
    CustomerFactory,
    DeliveryFactory,
    OfferFactory,
    UserFactory,
    now,
)


def page(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def audience() -> None:
    """Two by email and text, one without a number, one who left, one whose address bounced."""
    CustomerFactory.create_batch(2)
    CustomerFactory(phone="")
    CustomerFactory(email_subscribed=False, email_consent_action="opt_out", phone="")
    CustomerFactory(email_subscribed=False, email_consent_action="bounce", sms_subscribed=False)


@pytest.fixture
def draft(db) -> Campaign:
    audience()
    return OfferFactory(campaign__name="Pizza week").campaign


def test_the_confirm_page_counts_who_gets_it_and_why_others_do_not(marketing, draft) -> None:
    response = marketing.get(page("send", draft))
    counts = response.context["counts"]
    assert counts.customers == 5
    email, sms = response.context["channels"]
    assert (email["reachable"], sms["reachable"]) == (3, 2)
    assert dict(email["reasons"]) == {
        "Unsubscribed, or never agreed to emails.": 1,
        "The address does not work: an earlier message came back.": 1,
    }
    html = response.content.decode()
    assert "The address does not work" in html
    assert response.context["expires_at"] > now() + timedelta(days=29)
    assert "20% off every pizza" in html  # the sample
    assert not response.context["blocked"]


def test_the_confirm_page_says_when_each_channel_is_done(marketing, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(send_rate_limit_emails=1, send_rate_limit_sms=0)
    email, sms = marketing.get(page("send", draft)).context["channels"]
    assert email["takes"] == "3 minutes"
    assert timedelta(minutes=2) < email["done_at"] - now() < timedelta(minutes=4)
    assert (sms["takes"], sms["done_at"]) == ("", None)


def test_sending_queues_and_returns_at_once_with_the_counts(marketing, draft) -> None:
    response = marketing.post(page("send", draft), follow=True)
    assert response.redirect_chain == [(page("change", draft), 302)]
    assert said(response) == ["3 emails and 2 texts queued, with QR codes."]
    draft.refresh_from_db()
    assert draft.status == "queued"
    assert not Delivery.objects.exists()  # the request itself wrote and sent nothing


def test_a_second_send_is_told_that_it_is_too_late(marketing, draft) -> None:
    marketing.post(page("send", draft))
    response = marketing.post(page("send", draft), follow=True)
    assert said(response)[-1] == "This campaign is queued: it cannot be sent now."


def test_looking_at_the_confirm_page_sends_nothing(marketing, draft) -> None:
    marketing.get(page("send", draft))
    draft.refresh_from_db()
    assert draft.status == "draft"


def test_a_blocking_problem_stops_it_and_is_named(marketing) -> None:
    campaign = OfferFactory(campaign__email_content="<p>No way out</p>").campaign
    for response in (marketing.get(page("send", campaign)), marketing.post(page("send", campaign))):
        assert response.context["blocked"]
        html = response.content.decode()
        assert "Mend this first" in html
        assert 'disabled aria-describedby="hb-blocked-why">Send now<' in html
        assert html.count(f'href="{page("change", campaign)}?field=email_content"') >= 1
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_a_problem_leads_to_its_place_for_who_may_mend_it(marketing, settings) -> None:
    CustomerFactory()
    settings.DEFAULT_FROM_EMAIL = "nonsense"
    campaign = OfferFactory(campaign__email_content="<p>\n{{ nobody }}</p>").campaign
    place = f"{page('change', campaign)}?field=email_content&amp;line=2"
    html = marketing.get(page("send", campaign)).content.decode()
    assert f'href="{place}">Go to line 2<' in html
    assert "docs/alarms/email.md" in html
    sender = signed_in("Marketing")
    sender_only = UserFactory(groups=[])
    for codename in ("view_campaign", "send_campaign"):
        sender_only.user_permissions.add(Permission.objects.get(codename=codename))
    sender.force_login(sender_only)
    html = sender.get(page("send", campaign)).content.decode()
    assert "Mend this first" in html
    assert place not in html
    assert "Change the audience" not in html
    assert sender.post(page("audience", campaign), {"target_all": "on"}).status_code == 403


def test_who_gets_it_is_counted_by_person(marketing, draft) -> None:
    counts = marketing.get(page("send", draft)).context["counts"]
    assert (counts.people, counts.on_every_channel) == (3, 2)
    html = marketing.get(page("send", draft)).content.decode()
    assert ">Send to 3 people now<" in html


def test_everyone_and_many_take_a_second_look(marketing, draft, monkeypatch) -> None:
    look = 'name="sure" required'
    assert look in marketing.get(page("send", draft)).content.decode()
    vip = ensure_segments(["vip"])["vip"]
    CustomerFactory.create_batch(2, tags=["vip"])
    marketing.post(page("audience", draft), {"target_segments": [vip.pk]})
    assert look not in marketing.get(page("send", draft)).content.decode()
    monkeypatch.setattr("campaigns.admin.confirm_page.MANY_PEOPLE", 1)
    assert look in marketing.get(page("send", draft)).content.decode()


def test_an_audience_that_was_changed_in_another_tab_is_looked_at_first(marketing, draft) -> None:
    shown = marketing.get(page("send", draft)).context["shown"]
    vip = ensure_segments(["vip"])["vip"]
    CustomerFactory(tags=["vip"])
    marketing.post(page("audience", draft), {"target_segments": [vip.pk], "shown": shown})
    # Neither is it sent from the first tab, nor taken back there.
    refused = marketing.post(page("send", draft), {"shown": shown})
    assert "Somebody changed this campaign" in refused.content.decode()
    stale = {"target_all": "on", "shown": shown}
    response = marketing.post(page("audience", draft), stale, follow=True)
    assert "Your choice was not saved" in response.content.decode()
    draft.refresh_from_db()
    assert (draft.status, draft.target_all) == ("draft", False)


def test_the_messages_are_shown_as_the_first_of_the_audience(marketing, draft) -> None:
    names = [str(c) for c in marketing.get(page("send", draft)).context["people"]]
    assert len(names) == 3
    for number in (0, 1):
        response = marketing.get(page("send", draft), {"as": number})
        assert f"Hello {names[number].split()[0]}" in response.context["preview"].html
    for wrong in ("9", "x", "-1", "999999"):
        response = marketing.get(page("send", draft), {"as": wrong})
        assert response.status_code == 200


def test_a_customer_whose_key_is_gone_does_not_hide_the_page(marketing, draft) -> None:
    Customer.objects.update(email_encrypted="v1:k9:AAAA:AAAA")
    Campaign.objects.update(email_content=draft.email_content + "{{ customer.email }}")
    response = marketing.get(page("send", draft))
    assert "ada@example.com" in response.context["preview"].html


def test_texts_cost_what_the_setting_says(marketing, draft, settings) -> None:
    settings.SMS_PRICE_PER_SEGMENT = Decimal("0.075")
    Campaign.objects.update(sms_content="x" * 200)
    response = marketing.get(page("send", draft))
    cost = response.context["cost"]
    assert (cost.segments, cost.looked_at, cost.price) == (4, 2, Decimal("0.300"))
    html = response.content.decode()
    assert "about 0.30 EUR" in html
    assert "as 2 customers of the audience show" in html
    settings.SMS_PRICE_PER_SEGMENT = None
    assert "about 4 segments" in marketing.get(page("send", draft)).content.decode()


def test_quiet_hours_are_in_the_time_a_text_is_done(marketing, draft, settings) -> None:
    local = timezone.localtime()
    # Hours that are over, or have not begun, whatever the time is now.
    over = (time(0), time(local.hour - 1)) if local.hour > 1 else (time(22), time(23))
    settings.SMS_SENDING_HOURS = over
    response = marketing.get(page("send", draft))
    sms = response.context["channels"][1]
    assert now() < sms["begins_at"] < sms["done_at"]
    assert timezone.localtime(sms["begins_at"]).time() == over[0]
    assert "; the first leaves at" in response.content.decode()


def test_the_page_takes_no_more_queries_for_more_people(marketing, draft) -> None:
    with CaptureQueriesContext(connection) as few:
        marketing.get(page("send", draft))
    CustomerFactory.create_batch(20)
    with CaptureQueriesContext(connection) as many:
        marketing.get(page("send", draft))
    assert len(many) == len(few)


def test_the_confirm_page_survives_a_template_that_cannot_be_read(marketing) -> None:
    campaign = OfferFactory(campaign__email_content="{% if %}").campaign
    html = marketing.get(page("send", campaign)).content.decode()
    assert "Mend this first" in html
    assert "line 1" in html


def test_the_audience_can_be_changed_on_the_confirm_page(marketing, draft) -> None:
    vip = ensure_segments(["vip"])["vip"]
    CustomerFactory(tags=["vip"])
    response = marketing.post(page("audience", draft), {"target_segments": [vip.pk]}, follow=True)
    assert response.redirect_chain[-1][0] == page("send", draft)
    assert response.context["counts"].customers == 1
    draft.refresh_from_db()
    assert not draft.target_all


def test_the_audience_of_a_sent_campaign_is_locked(marketing, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(status="sending")
    response = marketing.post(page("audience", draft), {}, follow=True)
    assert said(response)[0].startswith("This campaign is sending: only its name")
    draft.refresh_from_db()
    assert draft.target_all


def test_it_schedules_in_the_time_zone_of_the_business(marketing, draft) -> None:
    day = (timezone.localdate() + timedelta(days=3)).isoformat()
    response = marketing.post(page("schedule", draft), {"at_0": day, "at_1": "09:30"}, follow=True)
    draft.refresh_from_db()
    assert draft.status == "scheduled"
    assert timezone.localtime(draft.scheduled_for).strftime("%H:%M") == "09:30"
    assert "will be sent on" in said(response)[0]


@pytest.mark.parametrize(
    ("post", "sentence"),
    [
        ({"at_0": "2020-01-01", "at_1": "09:00"}, "This time has passed"),
        ({"at_0": "", "at_1": ""}, "Choose the day and the time."),
        ({"at_0": "soon", "at_1": "09:00"}, "Enter a valid date."),
    ],
)
def test_it_refuses_a_time_that_cannot_be(marketing, draft, post, sentence) -> None:
    response = marketing.post(page("schedule", draft), post)
    assert sentence in response.content.decode()
    draft.refresh_from_db()
    assert draft.status == "draft"


def test_a_scheduled_campaign_can_be_made_a_draft_again(marketing, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(
        status="scheduled", scheduled_for=now() + timedelta(days=1)
    )
    marketing.post(page("unschedule", draft))
    draft.refresh_from_db()
    assert draft.status == "draft"


def test_it_pauses_and_resumes(marketing, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(status="sending", sent_at=now())
    for move, status in (("pause", "paused"), ("resume", "sending")):
        marketing.post(page(move, draft))
        draft.refresh_from_db()
        assert draft.status == status


def test_cancelling_asks_whether_codes_are_honoured(marketing, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(status="paused", sent_at=now())
    DeliveryFactory(campaign=draft)
    assert marketing.get(page("cancel", draft)).status_code == 200
    response = marketing.post(page("cancel", draft), {"codes": "withdraw"}, follow=True)
    assert said(response) == [
        "Cancelled: 1 message will not be sent. Codes already out are refused from now on."
    ]
    draft.refresh_from_db()
    assert draft.status == "cancelled"
    assert Offer.objects.get(campaign=draft).state == "campaign_cancelled"
    assert Delivery.objects.get().status == "cancelled"


def test_cancelling_honours_codes_unless_told_otherwise(marketing, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(status="sending", sent_at=now())
    marketing.post(page("cancel", draft), {"codes": "honour"})
    assert Offer.objects.get(campaign=draft).state == "open"


def test_it_retries_the_failed_ones(marketing, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(status="completed", sent_at=now(), emails_failed=1)
    DeliveryFactory(campaign=draft, status="failed", code="rejected", attempts=4)
    assert "Try the failed ones again" in marketing.get(page("change", draft)).content.decode()
    response = marketing.post(page("retry", draft), follow=True)
    assert said(response) == ["1 failed message is tried again."]
    draft.refresh_from_db()
    assert (draft.status, draft.emails_failed) == ("sending", 0)


def test_it_duplicates_with_audience_and_offer(marketing, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(
        status="completed", emails_sent=9, target_all=False, send_rate_limit_sms=3
    )
    draft.target_segments.set(ensure_segments(["vip"]).values())
    response = marketing.post(page("duplicate", draft))
    copy = Campaign.objects.exclude(pk=draft.pk).get()
    assert response.url == page("change", copy)
    assert (copy.name, copy.status, copy.emails_sent) == ("Pizza week (copy)", "draft", 0)
    assert copy.email_content == draft.email_content
    assert copy.send_rate_limit_sms == 3
    assert [segment.name for segment in copy.target_segments.all()] == ["vip"]
    assert Offer.objects.get(campaign=copy).title == "20% off every pizza"


def test_each_reason_has_a_button_that_tries_it_again(marketing, analyst, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(status="completed", emails_failed=2)
    for code in ("given_up", "rejected"):
        DeliveryFactory(campaign=draft, status="failed", code=code)
    back = DeliveryFactory(campaign=draft, status="sent", bounced_at=now(), bounce_code="rejected")
    html = marketing.get(page("change", draft)).content.decode()
    assert html.count("Try it again") == 1
    assert "Try the failed ones again" in html
    assert f"campaign={draft.pk}&amp;channel__exact=email&amp;reported=bounced&amp;code=" in html
    assert "Try it again" not in analyst.get(page("change", draft)).content.decode()
    post = {"channel": "email", "code": "rejected"}
    told = said(marketing.post(page("retry", draft), post, follow=True))
    assert told == ["1 failed message is tried again."]
    Campaign.objects.filter(pk=draft.pk).update(status="completed")
    html = marketing.get(page("change", draft)).content.decode()
    assert "Try it again" not in html
    assert "Try the failed ones again" not in html  # what is left was given up on
    for post in (
        {},
        {"channel": "fax"},
        *({"channel": "email", "code": code} for code in ("nonsense", "given_up", "\x00")),
    ):
        told = said(marketing.post(page("retry", draft), post, follow=True))
        assert told == ["There is no failed message left to try again."]
    back.refresh_from_db()
    assert back.status == "sent"


@pytest.mark.parametrize("move", ["pause", "resume", "unschedule", "retry", "cancel"])
def test_a_move_that_is_not_allowed_becomes_a_message(marketing, draft, move) -> None:
    response = marketing.post(page(move, draft), follow=True)
    assert response.status_code == 200
    assert len(said(response)) == 1
    assert "This campaign is draft" in said(response)[0]
    draft.refresh_from_db()
    assert draft.status == "draft"


@pytest.mark.parametrize(
    "move", ["pause", "resume", "unschedule", "retry", "duplicate", "schedule", "audience", "test"]
)
def test_reading_an_address_that_acts_changes_nothing(marketing, draft, move) -> None:
    response = marketing.get(page(move, draft))
    assert response.status_code == 302
    assert Campaign.objects.count() == 1
    draft.refresh_from_db()
    assert draft.status == "draft"


@pytest.mark.parametrize("status", Campaign.Status.values)
def test_the_page_of_a_campaign_says_what_happens_and_offers_what_can_be_done(
    marketing, draft, status
) -> None:
    offered = {
        "draft": {"Check and send…"},
        "scheduled": {"Send now…", "Make it a draft again", "Cancel…"},
        "queued": {"Cancel…"},
        "sending": {"Pause", "Cancel…"},
        "paused": {"Resume", "Cancel…"},
        "completed": set(),
        "failed": {"Send again…"},
        "cancelled": set(),
    }
    Campaign.objects.filter(pk=draft.pk).update(
        status=status, scheduled_for=now() + timedelta(days=1), sent_at=now()
    )
    html = marketing.get(page("panel", draft)).content.decode()
    buttons = set().union(*offered.values())
    assert {button for button in buttons if f">{button}<" in html} == offered[status]
    assert "Duplicate" in html


def test_the_page_names_the_reasons_and_links_to_the_deliveries(marketing, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(status="sending", sent_at=now())
    DeliveryFactory(campaign=draft, status="failed", code="invalid_address")
    html = marketing.get(page("change", draft)).content.decode()
    assert "The provider says that this address is not valid." in html
    assert f"?campaign={draft.pk}&amp;channel__exact=email&amp;status__exact=failed" in html


def test_a_campaign_with_a_failed_state_shows_why(marketing) -> None:
    campaign = CampaignFactory(status="failed", status_reason="The key is wrong.")
    assert "The key is wrong." in marketing.get(page("change", campaign)).content.decode()


@pytest.mark.parametrize("name", ["send", "schedule"])
def test_what_was_shown_is_what_is_sent(marketing, draft, name) -> None:
    """A colleague's change between looking and pressing is looked at first."""
    shown = marketing.get(page("send", draft)).context["shown"]
    Campaign.objects.filter(pk=draft.pk).update(subject="Something else")
    day = (timezone.localtime() + timedelta(days=2)).date().isoformat()
    post = {"shown": shown, "at_0": day, "at_1": "09:30"}
    response = marketing.post(page(name, draft), post)
    assert "Somebody changed this campaign" in response.content.decode()
    draft.refresh_from_db()
    assert draft.status == "draft"
    again = response.context["shown"]
    assert again != shown
    marketing.post(page(name, draft), post | {"shown": again})
    draft.refresh_from_db()
    assert draft.status == {"send": "queued", "schedule": "scheduled"}[name]


def press_send(client, campaign: Campaign, **changed: str) -> str:
    """Press the button of a page just opened; return what is said then."""
    shown = client.get(page("send", campaign)).context
    form = {"shown": shown["shown"], "counted": shown["counted"]} | changed
    return " ".join(said(client.post(page("send", campaign), form, follow=True)))


def test_send_does_not_count_again_what_was_just_shown(marketing, draft, monkeypatch) -> None:
    """Under a frequency cap 50,000 customers take longer to count than Send may (P-1)."""

    counted: list[int] = []
    monkeypatch.setattr("campaigns.audience.had_enough", counted.append)
    assert "3 emails and 2 texts queued, with QR codes." in press_send(marketing, draft)
    assert counted == [draft.pk]  # by the page that was opened, and by nobody since


@pytest.mark.parametrize("why", ["missing", "forged", "another campaign's", "old"])
def test_counts_that_cannot_be_trusted_are_counted_anew(marketing, draft, why, monkeypatch) -> None:
    other = OfferFactory(campaign__sms_content="").campaign
    counted = {
        "missing": "",
        "forged": "WzEsIngiLCI5LDk5OSBlbWFpbHMiXQ:1x:y",
        "another campaign's": marketing.get(page("send", other)).context["counted"],
        "old": marketing.get(page("send", draft)).context["counted"],
    }[why]
    monkeypatch.setattr("campaigns.admin.counted.COUNTED_SECONDS", -1 if why == "old" else 120)
    CustomerFactory(phone="")
    said_then = press_send(marketing, draft, counted=counted)
    assert "4 emails and 2 texts queued, with QR codes." in said_then


def test_a_draft_with_a_time_from_a_file_is_told_what_send_does_now(marketing, draft) -> None:
    """Send does not wait for that time; the time is what Schedule suggests."""
    at = (now() + timedelta(days=10)).replace(microsecond=0)
    Campaign.objects.filter(pk=draft.pk).update(scheduled_for=at)
    response = marketing.get(page("send", draft))
    assert response.context["starts_at"] - now() < timedelta(minutes=1)
    assert response.context["schedule_form"].initial["at"] == at
    assert "If you send now" in response.content.decode()
