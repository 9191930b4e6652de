"""What each of SendGrid's events does."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from analytics.figures import campaign_figures
from campaigns.models import Campaign, Delivery, ProviderEvent
from campaigns.reasons import REASONS
from customers.models import Customer
from tests.campaigns.webhooks.world import (
    EMAIL,
    Sent,
    choose,
    history,
    send,
    tell_batch,
    tell_email,
)
from tests.factories import CustomerFactory, DeliveryFactory
from tests.standins import events

pytestmark = pytest.mark.django_db

REPORTED = ("confirmed_at", "delivered_at", "bounced_at", "opened_at", "clicked_at")


@pytest.fixture
def sent() -> Sent:
    return send()


def reports(delivery: Delivery) -> set[str]:
    delivery.refresh_from_db()
    return {name for name in REPORTED if getattr(delivery, name)} - {"confirmed_at"}


@pytest.mark.parametrize(
    ("kind", "column"),
    [("delivered", "delivered_at"), ("open", "opened_at"), ("click", "clicked_at")],
)
def test_it_notes_when_an_email_was_delivered_opened_and_clicked(
    kind, column, client, sent
) -> None:
    at = int(time.time()) - 30
    tell_email(client, sent, kind, at=at)
    assert reports(sent.email) == {column}
    assert getattr(sent.email, column) == datetime.fromtimestamp(at, UTC)
    assert history(sent.customer) == []


@pytest.mark.parametrize("kind", ["processed", "deferred"])
def test_what_only_shows_that_sendgrid_has_it_confirms_it(kind, client, sent) -> None:
    Delivery.objects.filter(pk=sent.email.pk).update(status="unconfirmed", sent_at=None)
    Campaign.objects.update(emails_sent=0)
    tell_email(client, sent, kind)
    assert reports(sent.email) == set()
    assert sent.email.confirmed_at
    assert sent.email.status == "sent"
    assert Campaign.objects.get().emails_sent == 1
    assert history(sent.customer) == []


def test_an_open_by_a_machine_is_none(client, sent) -> None:
    tell_email(client, sent, "open", sg_machine_open=True)
    assert reports(sent.email) == set()
    tell_email(client, sent, "open")
    assert reports(sent.email) == {"opened_at"}


@pytest.mark.parametrize(
    ("kind", "fields", "code", "action"),
    [
        ("bounce", {}, "hard_bounce", "bounce"),
        ("bounce", {"type": None, "status": "5.0.0"}, "hard_bounce", "bounce"),
        ("bounce", {"type": None, "status": None}, "hard_bounce", "bounce"),
        ("bounce", {"type": None, "status": "4.2.2"}, "soft_bounce", ""),
        ("bounce", {"type": "expired"}, "soft_bounce", ""),
        ("bounce", {"type": "something new"}, "soft_bounce", ""),
        ("blocked", {}, "blocked", ""),
        ("dropped", {"reason": "Bounced Address"}, "bounced_before", "bounce"),
        ("dropped", {"reason": "Invalid"}, "invalid_address", "bounce"),
        ("dropped", {"reason": "Unsubscribed Address"}, "unsubscribed_at_provider", "opt_out"),
        ("dropped", {"reason": "Spam Reporting Address"}, "spam_complaint", "complaint"),
        ("dropped", {"reason": "Spam Content"}, "dropped", ""),
        ("dropped", {"reason": "Recipient List over Package Quota"}, "dropped", ""),
        ("dropped", {"reason": None}, "dropped", ""),
    ],
)
def test_why_it_did_not_arrive_decides_about_the_next_one(
    kind, fields, code, action, client, sent
) -> None:
    event = events.sendgrid_event(kind, email=EMAIL, delivery=sent.email.public_id, **fields)
    tell_batch(client, {name: value for name, value in event.items() if value is not None})
    assert reports(sent.email) == {"bounced_at"}
    assert sent.email.bounce_code == code
    assert code in REASONS
    source = f"sendgrid:{action}:campaign:{sent.campaign_id}"
    assert history(sent.customer) == ([("email", action, source)] if action else [])
    sent.customer.refresh_from_db()
    assert sent.customer.takes("email") == (not action)
    assert sent.customer.takes("sms")


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("spamreport", "complaint"),
        ("unsubscribe", "opt_out"),
        ("group_unsubscribe", "opt_out"),
    ],
)
def test_a_complaint_and_an_unsubscribe_end_emails(kind, action, client, sent) -> None:
    tell_email(client, sent, kind)
    source = f"sendgrid:{action}:campaign:{sent.campaign_id}"
    assert history(sent.customer) == [("email", action, source)]
    assert reports(sent.email) == set()
    sent.customer.refresh_from_db()
    assert not sent.customer.takes("email")
    assert sent.customer.takes("sms")


def test_an_unsubscribe_is_counted_with_its_campaign(client, sent) -> None:
    tell_email(client, sent, "unsubscribe")
    figures = campaign_figures(Campaign.objects.get(pk=sent.campaign_id))
    assert figures.unsubscribed == 1
    assert figures.channels["email"].unsubscribed == 1


def test_a_bounce_is_no_reached_customer(client, sent) -> None:
    Delivery.objects.filter(pk=sent.text.pk).delete()
    tell_email(client, sent, "bounce")
    figures = campaign_figures(Campaign.objects.get(pk=sent.campaign_id))
    assert figures.channels["email"].bounced == 1
    assert figures.reached == 0


@pytest.mark.parametrize("kind", ["group_resubscribe", "account_status_change", "brand_new"])
def test_nobody_is_subscribed_and_nothing_stored_on_words_without_meaning(
    kind, client, sent
) -> None:
    choose(sent.customer, "opt_out", ago=timedelta(days=1))
    tell_email(client, sent, kind)
    assert not ProviderEvent.objects.exists()
    sent.customer.refresh_from_db()
    assert not sent.customer.email_subscribed


def test_the_address_is_closed_even_when_the_delivery_is_none_of_ours(client, sent) -> None:
    tell_email(client, sent, "bounce", delivery=uuid.uuid4())
    assert history(sent.customer) == [("email", "bounce", "sendgrid:bounce")]


@pytest.mark.parametrize(
    "address", ["JULIA@Example.COM", " julia@example.com ", "<julia@example.com>"]
)
def test_the_address_is_found_however_it_is_written(address, client, sent) -> None:
    tell_email(client, sent, "spamreport", email=address, delivery=None)
    assert history(sent.customer) == [("email", "complaint", "sendgrid:complaint")]


def test_a_new_address_is_not_closed_for_the_old_one(client, sent) -> None:
    sent.customer.set_email("julia.new@example.com")
    sent.customer.save()
    for kind in ("bounce", "spamreport"):
        tell_email(client, sent, kind)
    assert history(sent.customer) == []
    assert reports(sent.email) == {"bounced_at"}


def test_an_address_that_another_customer_has_now_is_closed_for_them(client, sent) -> None:
    sent.customer.set_email("julia.new@example.com")
    sent.customer.save()
    heir = CustomerFactory(email=EMAIL)
    tell_email(client, sent, "bounce")
    assert history(sent.customer) == []
    # It is not their campaign: figures count them nowhere.
    assert history(heir) == [("email", "bounce", "sendgrid:bounce")]


@pytest.mark.parametrize("kind", ["bounce", "spamreport", "unsubscribe"])
def test_what_is_older_than_the_customers_choice_does_not_undo_it(kind, client, sent) -> None:
    choose(sent.customer, "opt_out", ago=timedelta(minutes=20))
    choose(sent.customer, "opt_in", ago=timedelta(minutes=10))
    tell_email(client, sent, kind, at=time.time() - 15 * 60)
    sent.customer.refresh_from_db()
    assert sent.customer.email_subscribed
    tell_email(client, sent, kind, at=time.time() - 5 * 60)
    sent.customer.refresh_from_db()
    assert not sent.customer.email_subscribed


def test_a_bounce_in_the_second_of_the_choice_counts(client, sent) -> None:
    """SendGrid cuts its times off to whole seconds."""
    at = datetime.now(UTC) - timedelta(seconds=60)
    Customer.objects.update(email_consent_at=at.replace(microsecond=900_000))
    tell_email(client, sent, "bounce", at=at.timestamp())
    assert [action for _, action, _ in history(sent.customer)] == ["bounce"]


@pytest.mark.parametrize(
    ("first", "then", "left"),
    [
        ("opt_out", "bounce", "opt_out"),
        ("complaint", "bounce", "complaint"),
        ("complaint", "unsubscribe", "complaint"),
        ("bounce", "unsubscribe", "opt_out"),
        ("bounce", "spamreport", "complaint"),
        ("opt_out", "spamreport", "complaint"),
    ],
)
def test_a_stronger_reason_stays_whatever_comes_after_it(first, then, left, client, sent) -> None:
    choose(sent.customer, first, ago=timedelta(seconds=30))
    tell_email(client, sent, then)
    sent.customer.refresh_from_db()
    assert sent.customer.email_consent_action == left
    assert not sent.customer.email_subscribed
    assert len(history(sent.customer)) == (first != left)


def test_who_never_agreed_is_marked_as_bounced(client) -> None:
    customer = CustomerFactory(email=EMAIL, email_subscribed=False)
    tell_batch(client, events.sendgrid_event("bounce", email=EMAIL))
    customer.refresh_from_db()
    assert customer.exclusion_reason("email") == "bounced"


def test_each_time_is_set_once_and_events_in_any_order_end_alike(client, sent) -> None:
    now = int(time.time())
    facts = {"email": EMAIL, "delivery": sent.email.public_id}
    batch = [
        events.sendgrid_event("click", at=now - 10, **facts),
        events.sendgrid_event("delivered", at=now - 30, **facts),
        events.sendgrid_event("processed", at=now - 40, **facts),
        events.sendgrid_event("open", at=now - 20, **facts),
    ]
    tell_batch(client, *batch)
    tell_batch(client, *reversed(batch))
    tell_email(client, sent, "open", at=now - 5)
    assert reports(sent.email) == {"delivered_at", "opened_at", "clicked_at"}
    assert sent.email.opened_at.timestamp() == now - 20
    assert sent.email.status == "sent"


def test_an_event_that_overtakes_the_result_of_its_call_is_kept(client, sent) -> None:
    lease = {"lease_token": uuid.uuid4(), "lease_until": datetime.now(UTC) + timedelta(seconds=60)}
    Delivery.objects.filter(pk=sent.email.pk).update(
        status="sending", sent_at=None, call_started_at=datetime.now(UTC), **lease
    )
    tell_email(client, sent, "delivered")
    assert reports(sent.email) == {"delivered_at"}
    assert sent.email.status == "sending"


def test_a_time_in_the_future_is_now_and_none_is_now(client, sent) -> None:
    other = DeliveryFactory(campaign=sent.email.campaign, status="sent")
    tell_email(client, sent, "delivered", at=time.time() + 86_400)
    event = events.sendgrid_event("delivered", email=EMAIL, delivery=other.public_id)
    del event["timestamp"]
    tell_batch(client, event)
    for delivery in (sent.email, other):
        assert reports(delivery) == {"delivered_at"}
        assert abs(delivery.delivered_at.timestamp() - time.time()) < 30
