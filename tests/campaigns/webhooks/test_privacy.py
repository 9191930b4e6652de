"""No address, number, IP, browser or signed link stays of what providers tell (C-2, C-8)."""

import logging

import pytest

from campaigns.models import ProviderEvent
from campaigns.webhooks import events as stored
from config.clock import database_now
from customers.erase_customer import erase_customer
from customers.export_person import export_person
from tests.campaigns.webhooks.world import (
    EMAIL,
    PHONE,
    PUBLIC_URL,
    reply,
    send,
    tell_batch,
    tell_email,
    tell_text,
)
from tests.customers.test_dump import dump
from tests.factories import CustomerFactory
from tests.standins import events

pytestmark = pytest.mark.django_db

SECRETS = [
    *("julia", "stranger", PHONE[1:], PHONE[3:], "15199999999"),
    *(events.IP, "198.51.100", "secretbrowser", "secret-signed-link", "geopod", "hamburg"),
    *("cannot be digested", "i am hungry"),
]


@pytest.fixture
def nothing_is_acted_on(monkeypatch) -> None:
    def fail(event: ProviderEvent):
        raise ValueError(f"{EMAIL} {PHONE} cannot be digested")

    monkeypatch.setattr(stored, "act_on_event", fail)


def tell_everything(client, *, replies: bool = True) -> None:
    """Every kind of event, about a customer and about strangers, and calls that are refused."""
    sent = send()
    for kind in events.SENDGRID_FIELDS:
        tell_email(client, sent, kind)
        tell_email(client, sent, kind, email="stranger@example.com", sg_event_id=None)
    tell_batch(client, {"event": "bounce", "email": EMAIL, "timestamp": "x"}, {"email": EMAIL})
    for status, code in (("delivered", ""), ("undelivered", "30003"), ("failed", "30007")):
        tell_text(client, sent, status, code=code)
    for body in ("STOP", "START", "HELP", f"I am hungry, call {PHONE}") if replies else ():
        reply(client, body)
        reply(client, body, sender="+4915199999999", MessageSid="")
    call = events.inbound_call("STOP", sender=PHONE, public_url=PUBLIC_URL)
    call.headers["X-Twilio-Signature"] = "none"
    assert call.post_to(client).status_code == 403
    garbled = events.sendgrid_call(f'[{{"email": "{EMAIL}"'.encode())
    assert garbled.post_to(client).status_code == 400
    told = set(ProviderEvent.objects.values_list("kind", flat=True))
    assert told == set(ProviderEvent.Kind.values) - (set() if replies else {"opted_in"})


def assert_clean(caplog) -> None:
    text = dump()
    assert "hard_bounce" in text
    for secret in SECRETS:
        assert secret not in text, f"{secret} is in the database"
        assert secret not in caplog.text.lower(), f"{secret} is in the log"


def test_the_dump_shows_nothing_of_what_came(client, caplog) -> None:
    with caplog.at_level(logging.DEBUG):
        tell_everything(client)
    assert_clean(caplog)


def test_nor_does_it_when_nothing_could_be_acted_on(client, caplog, nothing_is_acted_on) -> None:
    with caplog.at_level(logging.DEBUG):
        tell_everything(client, replies=False)
    assert ProviderEvent.objects.filter(processed_at=None).exclude(address_index="").exists()
    assert_clean(caplog)


def test_an_index_goes_as_soon_as_its_event_was_acted_on(client) -> None:
    tell_everything(client)
    assert not ProviderEvent.objects.exclude(address_index="").exists()


def test_erasing_removes_the_index_from_what_was_not_acted_on(client, nothing_is_acted_on) -> None:
    sent = send()
    other = CustomerFactory(email="anna@example.com")
    tell_email(client, sent, "bounce", delivery=None)
    tell_email(client, sent, "open", email="old.address@example.com")
    tell_text(client, sent, "failed", code="30005")
    tell_batch(client, events.sendgrid_event("bounce", email="anna@example.com"))
    assert ProviderEvent.objects.exclude(address_index="").count() == 4
    erase_customer(customer_id=sent.customer.pk, source="test")
    left = ProviderEvent.objects.exclude(address_index="")
    assert [event.address_index for event in left] == [other.email_index]


def test_a_person_gets_to_see_what_was_reported(client) -> None:
    sent = send()
    tell_email(client, sent, "delivered")
    tell_text(client, sent, "undelivered", code="30003")
    tell_batch(client, events.sendgrid_event("open", email="anna@example.com"))
    found = export_person(customer_id=sent.customer.pk)["provider_events"]
    assert [(each["provider"], each["kind"], each["reason"]) for each in found] == [
        ("sendgrid", "delivered", ""),
        ("twilio", "bounced", "unreachable_handset"),
    ]
    assert found[0]["delivery"] == str(sent.email.public_id)
    assert found[0]["occurred_at"] <= database_now().isoformat()
