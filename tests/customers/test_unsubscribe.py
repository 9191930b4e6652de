import re
import time

import pytest
from django.core import serializers, signing
from django.test import Client

from config.errors import DomainError
from customers.models import ConsentEvent, Customer
from customers.unsubscribe import (
    open_preferences_link,
    preferences_url,
    set_preference,
    unsubscribe_with_one_click,
)
from tests.factories import CustomerFactory
from tests.public_pages import assert_private, words_of

pytestmark = pytest.mark.django_db


def address_of(customer: Customer, source: str = "campaign:7") -> str:
    return preferences_url(customer.pk, source=source).removeprefix("https://coupons.example.com")


def consent_of(customer: Customer) -> tuple[bool, bool]:
    customer.refresh_from_db()
    return customer.email_subscribed, customer.sms_subscribed


def events() -> list[tuple[str, str, str]]:
    return list(ConsentEvent.objects.order_by("pk").values_list("channel", "action", "source"))


@pytest.fixture
def customer():
    return CustomerFactory(email="julia@example.com", phone="+493012345678")


def test_the_address_is_absolute_and_names_nobody(customer):
    url = preferences_url(customer.pk, source="campaign:7")
    assert url.startswith("https://coupons.example.com/u/")
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", url.rpartition("/")[2])
    link = open_preferences_link(url.rpartition("/")[2])
    assert (link.customer, link.source) == (customer, "campaign:7")


def test_the_page_shows_each_channel_with_a_masked_address(client, customer):
    response = client.get(address_of(customer))
    assert response.status_code == 200
    assert_private(response)
    words = words_of(response)
    for expected in ("Pizzeria Vesuvio", "j•••@example.com", "••• 5678", "Stop emails"):
        assert expected in words
    assert "Stop text messages" in words
    assert "julia" not in response.content.decode()
    assert "12345678" not in response.content.decode()


def test_a_channel_without_an_address_is_not_offered(client):
    by_mail = CustomerFactory(phone="")
    assert "ext messages" not in words_of(client.get(address_of(by_mail)))
    by_text = CustomerFactory(email="")
    assert "mails" not in words_of(client.get(address_of(by_text)))
    assert (
        client.post(address_of(by_text), {"channel": "email", "subscribed": "yes"}).status_code
        == 400
    )
    assert not ConsentEvent.objects.exists()


def test_looking_changes_nothing(client, customer):
    before = serializers.serialize("json", Customer.objects.all())
    for query in (
        "",
        "?saved=email",
        "?subscribed=no&channel=email",
        "?List-Unsubscribe=One-Click",
    ):
        assert client.get(address_of(customer) + query).status_code == 200
        assert client.head(address_of(customer) + query).status_code == 200
    assert serializers.serialize("json", Customer.objects.all()) == before
    assert not ConsentEvent.objects.exists()
    assert client.put(address_of(customer)).status_code == 405


def test_channels_are_switched_one_by_one_and_back(client, customer):
    address = address_of(customer)
    done = client.post(address, {"channel": "email", "subscribed": "no"}, follow=True)
    assert consent_of(customer) == (False, True)
    assert "you get no more emails from us" in words_of(done)
    assert "Get emails again" in words_of(done)
    done = client.post(address, {"channel": "sms", "subscribed": "no"}, follow=True)
    assert consent_of(customer) == (False, False)
    assert "you get no more text messages from us" in words_of(done)
    done = client.post(address, {"channel": "email", "subscribed": "yes"}, follow=True)
    assert consent_of(customer) == (True, False)
    assert "you get our emails again" in words_of(done)
    source = "preferences:campaign:7"
    assert events() == [
        ("email", "opt_out", source),
        ("sms", "opt_out", source),
        ("email", "opt_in", source),
    ]


def test_a_post_ends_in_a_redirect_so_a_reload_is_harmless(client, customer):
    response = client.post(address_of(customer), {"channel": "email", "subscribed": "no"})
    assert response.status_code == 302
    assert response.headers["Location"] == address_of(customer) + "?saved=email"


def test_saying_the_same_again_is_no_event(client, customer):
    client.post(address_of(customer), {"channel": "email", "subscribed": "yes"})
    for _ in range(2):
        client.post(address_of(customer), {"channel": "sms", "subscribed": "no"})
    assert events() == [("sms", "opt_out", "preferences:campaign:7")]


def test_a_bounced_address_is_not_turned_into_an_opt_out_by_looking_around(customer):
    Customer.objects.update(email_subscribed=False, email_consent_action="bounce")
    customer.refresh_from_db()
    link = open_preferences_link(address_of(customer)[3:])
    assert not set_preference(link, channel="email", subscribed=False)
    customer.refresh_from_db()
    assert customer.email_consent_action == "bounce"
    assert set_preference(link, channel="email", subscribed=True)
    assert consent_of(customer)[0]


@pytest.mark.parametrize("channel", ["fax", "email_index", "EMAIL", "\x00"])
def test_an_unknown_channel_is_refused(client, customer, channel):
    response = client.post(address_of(customer), {"channel": channel, "subscribed": "no"})
    assert response.status_code == 400
    assert_private(response)
    assert consent_of(customer) == (True, True)


# --- One click (RFC 8058) ------------------------------------------------------------------------


def test_one_click_stops_emails_at_once_without_cookie_or_csrf(customer):
    provider = Client(enforce_csrf_checks=True)
    response = provider.post(
        address_of(customer),
        "List-Unsubscribe=One-Click",
        content_type="application/x-www-form-urlencoded",
    )
    assert response.status_code == 200
    assert not response.cookies
    assert consent_of(customer) == (False, True)
    assert events() == [("email", "opt_out", "one_click:campaign:7")]


def test_one_click_as_multipart_and_repeated_is_the_same(customer):
    provider = Client(enforce_csrf_checks=True)
    for _ in range(2):
        response = provider.post(address_of(customer), {"List-Unsubscribe": "One-Click"})
        assert response.status_code == 200
    assert events() == [("email", "opt_out", "one_click:campaign:7")]


def test_a_bare_post_stops_emails_too(customer):
    assert Client().post(address_of(customer)).status_code == 200
    assert consent_of(customer) == (False, True)


def test_one_click_after_a_bounce_is_kept_as_the_person_s_own_word(customer):
    Customer.objects.update(email_subscribed=False, email_consent_action="bounce")
    customer.refresh_from_db()
    unsubscribe_with_one_click(open_preferences_link(address_of(customer)[3:]))
    customer.refresh_from_db()
    assert customer.email_consent_action == "opt_out"


# --- Links that do not work ----------------------------------------------------------------------


def broken_links(customer: Customer) -> list[str]:
    signed = address_of(customer).rpartition("/")[2]
    body, _, signature = signed.rpartition(".")
    other = CustomerFactory()
    other_body = address_of(other).rpartition("/")[2].rpartition(".")[0]
    return [
        "x",
        signed[:-1],
        signed[:-2] + ("AA" if signed[-2:] != "AA" else "BB"),
        f"{other_body}.{signature}",
        body,
        signing.Signer(sep=".", salt="another").sign_object([customer.pk, "x"]),
        signing.Signer(sep=".", salt="customers.unsubscribe").sign_object("not a pair"),
        signing.Signer(sep=".", salt="customers.unsubscribe").sign_object([999_999, "x"]),
        "é" * 20,
    ]


def test_every_broken_link_gets_the_same_friendly_page_and_does_nothing(client, customer):
    answers = []
    for signed in broken_links(customer):
        for answer in (
            client.get(f"/u/{signed}"),
            client.post(f"/u/{signed}", {"List-Unsubscribe": "One-Click"}),
        ):
            assert answer.status_code == 404
            answers.append(answer.content)
    assert len(set(answers)) == 1
    assert "This link does not work" in answers[0].decode()
    assert_private(client.get("/u/x"))
    assert not ConsentEvent.objects.exists()


def test_an_erased_customer_s_link_is_unknown(client, customer):
    Customer.objects.update(erased_at="2026-01-01T00:00:00Z")
    assert client.get(address_of(customer)).status_code == 404
    with pytest.raises(DomainError) as refused:
        open_preferences_link(address_of(customer)[3:])
    assert refused.value.code == "unknown_link"


def test_a_link_works_for_years(client, customer, monkeypatch):
    address = address_of(customer)
    later = time.time() + 10 * 365 * 24 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    assert client.get(address).status_code == 200
