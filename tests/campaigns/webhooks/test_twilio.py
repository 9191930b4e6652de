"""Texts: what Twilio reports about ours, and what customers answer."""

from datetime import timedelta
from xml.etree import ElementTree

import pytest
from django.db import DatabaseError

from analytics.figures import campaign_figures
from campaigns.models import Campaign, Delivery, Pace, ProviderEvent
from campaigns.reasons import REASONS
from campaigns.webhooks import events as stored
from campaigns.webhooks.twilio import SAY_NOTHING
from config.clock import database_now
from customers.models import Customer
from tests.campaigns.webhooks.world import (
    PHONE,
    PUBLIC_URL,
    Sent,
    choose,
    history,
    reply,
    send,
    tell_text,
)
from tests.factories import CustomerFactory, DeliveryFactory
from tests.standins import events

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent() -> Sent:
    return send()


@pytest.mark.parametrize("status", ["accepted", "scheduled", "queued", "sending", "sent"])
def test_a_status_on_the_way_confirms_the_text(status, client, sent) -> None:
    Delivery.objects.filter(pk=sent.text.pk).update(status="unconfirmed", sent_at=None)
    tell_text(client, sent, status)
    sent.text.refresh_from_db()
    assert sent.text.status == "sent"
    assert sent.text.confirmed_at
    assert not (sent.text.delivered_at or sent.text.bounced_at)


def test_delivered_and_read(client, sent) -> None:
    tell_text(client, sent, "delivered")
    tell_text(client, sent, "read")
    sent.text.refresh_from_db()
    assert sent.text.delivered_at
    assert sent.text.opened_at
    assert not sent.text.bounced_at


@pytest.mark.parametrize("status", ["canceled", "partially_delivered", "", "no such word"])
def test_other_statuses_are_nothing(status, client, sent) -> None:
    tell_text(client, sent, status)
    assert not ProviderEvent.objects.exists()


@pytest.mark.parametrize("status", ["undelivered", "failed"])
@pytest.mark.parametrize(
    ("number", "code", "action"),
    [
        ("30003", "unreachable_handset", ""),
        ("30005", "unknown_number", "bounce"),
        ("30006", "landline", "bounce"),
        ("21614", "landline", "bounce"),
        ("21211", "invalid_address", "bounce"),
        ("21610", "unsubscribed_at_provider", "opt_out"),
        ("30004", "blocked", ""),
        ("30007", "filtered", ""),
        ("30008", "undelivered", ""),
        ("", "undelivered", ""),
    ],
)
def test_why_a_text_did_not_arrive_decides_about_the_next_one(
    status, number, code, action, client, sent
) -> None:
    tell_text(client, sent, status, code=number)
    sent.text.refresh_from_db()
    assert sent.text.bounced_at
    assert sent.text.bounce_code == code
    assert code in REASONS
    source = f"twilio:{action}:campaign:{sent.campaign_id}"
    assert history(sent.customer) == ([("sms", action, source)] if action else [])
    sent.customer.refresh_from_db()
    assert sent.customer.takes("sms") == (not action)
    assert sent.customer.takes("email")


def test_from_a_short_code_30006_does_not_mean_a_landline(client, sent) -> None:
    tell_text(client, sent, "undelivered", code="30006", From="12345")
    sent.text.refresh_from_db()
    assert sent.text.bounce_code == "unreachable_carrier"
    assert history(sent.customer) == []


def test_a_failure_of_a_text_from_before_the_choice_does_not_undo_it(client, sent) -> None:
    choose(sent.customer, "opt_out", channel="sms", ago=timedelta(seconds=40))
    choose(sent.customer, "opt_in", channel="sms", ago=timedelta(seconds=30))
    tell_text(client, sent, "failed", code="21610")
    sent.customer.refresh_from_db()
    assert sent.customer.sms_subscribed
    Delivery.objects.update(sent_at=sent.customer.sms_consent_at + timedelta(seconds=1))
    tell_text(client, sent, "failed", code="21610")
    sent.customer.refresh_from_db()
    assert not sent.customer.sms_subscribed


def test_many_texts_that_carriers_throw_away_pause_the_campaign(client, sent, settings) -> None:
    settings.FAILURES_BEFORE_PAUSE = 2
    Campaign.objects.update(status="sending")
    DeliveryFactory(campaign=sent.email.campaign, channel="sms")
    Pace.objects.create(campaign_id=sent.campaign_id, channel="sms")
    tell_text(client, sent, "undelivered", code="30007")
    assert Campaign.objects.get().status == "sending"
    tell_text(client, sent, "undelivered", code="30007")
    assert Campaign.objects.get().status == "paused"
    assert "carriers" in Campaign.objects.get().status_reason


def test_a_suspended_account_pauses_the_campaign(client, sent) -> None:
    Campaign.objects.update(status="sending")
    DeliveryFactory(campaign=sent.email.campaign, channel="sms")
    Pace.objects.create(campaign_id=sent.campaign_id, channel="sms")
    tell_text(client, sent, "failed", code="30002")
    assert Campaign.objects.get().status == "paused"
    assert "suspended" in Campaign.objects.get().status_reason


@pytest.mark.parametrize(
    "body",
    [
        *("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"),
        *(
            "ARRET",
            "ＳＴＯＰ",
            "_stop_",
            "stop",
            " Stop ",
            "Stop.",
            "STOP!!!",
            "“Stop”",
            "opt-out",
            "Opt out",
            "stop all\n",
        ),
    ],
)
def test_stop_ends_texts(body, client, sent) -> None:
    assert reply(client, body) == SAY_NOTHING
    assert history(sent.customer) == [
        ("sms", "opt_out", f"twilio:STOP:campaign:{sent.campaign_id}")
    ]
    sent.customer.refresh_from_db()
    assert not sent.customer.sms_subscribed
    assert sent.customer.email_subscribed


@pytest.mark.parametrize("body", ["START", "yes", "Unstop."])
@pytest.mark.parametrize("before", ["opt_out", "bounce", "complaint"])
def test_start_begins_texts_again(body, before, client, sent) -> None:
    choose(sent.customer, before, channel="sms", ago=timedelta(minutes=5))
    assert reply(client, body) == SAY_NOTHING
    assert history(sent.customer) == [("sms", "opt_in", "twilio:START")]
    sent.customer.refresh_from_db()
    assert sent.customer.takes("sms")


def test_stop_after_a_bounce_is_kept(client, sent) -> None:
    choose(sent.customer, "bounce", channel="sms", ago=timedelta(minutes=5))
    reply(client, "stop")
    sent.customer.refresh_from_db()
    assert sent.customer.sms_consent_action == "opt_out"


@pytest.mark.parametrize("body", ["HELP", "info", "Help?"])
def test_help_says_who_we_are_and_how_to_stop(body, client, sent, settings) -> None:
    settings.BUSINESS_NAME = "Fish & <Chips>"
    message = ElementTree.fromstring(reply(client, body)).find("Message")
    assert message is not None
    assert message.text.startswith("Fish & <Chips>: ")
    assert "STOP" in message.text
    assert not ProviderEvent.objects.exists()


@pytest.mark.parametrize(
    "body", ["", "Do you deliver?", "please stop", "stop it", "don't stop", "endless", "нет"]
)
def test_anything_else_is_answered_with_silence_and_not_stored(body, client, sent) -> None:
    assert reply(client, body) == SAY_NOTHING
    assert not ProviderEvent.objects.exists()
    assert history(sent.customer) == []


@pytest.mark.parametrize(
    ("body", "decided", "action"),
    [
        ("Basta", "STOP", "opt_out"),
        ("Arrêt", "stop", "opt_out"),
        ("STOP", "HELP", ""),
        ("Aiuto", "HELP", ""),
        ("STOP", "NEWS", "opt_out"),
    ],
)
def test_twilios_own_verdict_decides(body, decided, action, client, sent) -> None:
    assert reply(client, body, OptOutType=decided) == SAY_NOTHING
    assert [each for _, each, _ in history(sent.customer)] == ([action] if action else [])


def test_start_by_twilios_own_verdict(client, sent) -> None:
    choose(sent.customer, "opt_out", channel="sms", ago=timedelta(minutes=5))
    assert reply(client, "Weiter", OptOutType="START") == SAY_NOTHING
    sent.customer.refresh_from_db()
    assert sent.customer.sms_subscribed


def test_a_stranger_may_write_too(client, sent) -> None:
    for sender in ("+4915199999999", "12345", "", "Pizzeria", "whatsapp:+4915199999999"):
        assert reply(client, "STOP", sender=sender) == SAY_NOTHING
    assert history(sent.customer) == []


def test_only_the_sender_is_unsubscribed(client, sent) -> None:
    other = CustomerFactory(phone="+4915187654321")
    reply(client, "STOP", sender="+4915187654321")
    other.refresh_from_db()
    assert not other.sms_subscribed
    assert history(sent.customer) == []


def test_stop_start_stop_ends_with_the_last_and_repeats_change_nothing(client, sent) -> None:
    stop = events.inbound_call("STOP", sender=PHONE, public_url=PUBLIC_URL)
    start = events.inbound_call("START", sender=PHONE, public_url=PUBLIC_URL)
    for call in (stop, stop, start, stop):
        assert call.post_to(client).status_code == 200
    sent.customer.refresh_from_db()
    assert sent.customer.sms_subscribed
    reply(client, "STOP")
    assert [action for _, action, _ in history(sent.customer)] == ["opt_out", "opt_in", "opt_out"]


def test_a_stop_that_could_not_be_recorded_says_so_and_is_kept(client, sent, monkeypatch) -> None:
    def fail(**_):
        raise DatabaseError

    with monkeypatch.context() as broken:
        broken.setattr("campaigns.webhooks.act_on_event.record_consent", fail)
        call = events.inbound_call("STOP", sender=PHONE, public_url=PUBLIC_URL)
        assert call.post_to(client).status_code == 503
    assert Customer.objects.get().sms_subscribed
    ProviderEvent.objects.update(
        received_at=ProviderEvent.objects.get().received_at - timedelta(seconds=6)
    )
    assert stored.process_stored_events() == 0
    assert not Customer.objects.get().sms_subscribed


def test_a_stop_counts_for_the_campaign_of_the_last_text(client, sent) -> None:
    later = DeliveryFactory(
        customer=sent.customer, channel="sms", status="sent", sent_at=database_now()
    )
    DeliveryFactory(customer=sent.customer, channel="sms", status="pending")
    reply(client, "STOP")
    assert history(sent.customer) == [
        ("sms", "opt_out", f"twilio:STOP:campaign:{later.campaign_id}")
    ]
    assert campaign_figures(later.campaign).channels["sms"].unsubscribed == 1


def test_a_stop_of_somebody_who_got_no_text_names_no_campaign(client, sent) -> None:
    Delivery.objects.filter(channel="sms").update(status="failed", sent_at=None)
    reply(client, "STOP")
    assert history(sent.customer) == [("sms", "opt_out", "twilio:STOP")]


def test_a_stop_that_is_not_in_force_is_not_confirmed_by_its_repetition(
    client, sent, monkeypatch
) -> None:
    def fail(event: ProviderEvent) -> None:
        raise DatabaseError

    monkeypatch.setattr(stored, "act_on_event", fail)
    call = events.inbound_call("STOP", sender=PHONE, public_url=PUBLIC_URL)
    assert [call.post_to(client).status_code for _ in range(2)] == [503, 503]
    assert ProviderEvent.objects.get().attempts == 1
