"""A campaign that was sent to one customer, and what providers tell about it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from campaigns.models import Delivery
from config.clock import database_now
from customers.consent import record_consent
from customers.models import ConsentEvent, Customer
from tests.factories import CampaignFactory, CustomerFactory, DeliveryFactory
from tests.standins import events

PUBLIC_URL = "https://coupons.example.com"
EMAIL, PHONE = "julia@example.com", "+4915112345678"


@dataclass
class Sent:
    """One customer and what was sent to her."""

    customer: Customer
    email: Delivery
    text: Delivery

    @property
    def campaign_id(self) -> int:
        return self.email.campaign_id


def send() -> Sent:
    """Julia agreed an hour ago; the messages left a minute ago."""
    customer = CustomerFactory(email=EMAIL, phone=PHONE)
    for channel in ("email", "sms"):
        record_consent(
            customer_ids=[customer.pk], channel=channel, action="opt_in", source="import:1"
        )
    an_hour_ago = database_now() - timedelta(hours=1)
    Customer.objects.update(email_consent_at=an_hour_ago, sms_consent_at=an_hour_ago)
    campaign = CampaignFactory(status="completed", emails_sent=1, sms_sent=1)
    sent_at = database_now() - timedelta(minutes=1)
    email, text = (
        DeliveryFactory(
            campaign=campaign, customer=customer, channel=channel, status="sent", sent_at=sent_at
        )
        for channel in ("email", "sms")
    )
    return Sent(customer, email, text)


def tell_email(client: Any, sent: Sent, kind: str, **fields: Any) -> None:
    """SendGrid reports one event about Julia's email."""
    fields = {"email": EMAIL, "delivery": sent.email.public_id} | fields
    tell_batch(client, events.sendgrid_event(kind, **fields))


def tell_batch(client: Any, *batch: Any) -> None:
    assert events.sendgrid_call(list(batch)).post_to(client).status_code == 200


def tell_text(client: Any, sent: Sent, status: str, code: str = "", **fields: str) -> None:
    """Twilio reports one status of Julia's text."""
    call = events.status_call(
        sent.text.public_id,
        status,
        to=fields.pop("to", PHONE),
        public_url=PUBLIC_URL,
        code=code,
        **fields,
    )
    assert call.post_to(client).status_code == 204


def reply(client: Any, body: str, *, sender: str = PHONE, **fields: str) -> str:
    """Somebody writes to our number; return the TwiML we answer."""
    call = events.inbound_call(body, sender=sender, public_url=PUBLIC_URL, **fields)
    response = call.post_to(client)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/xml")
    return str(response.content.decode())


def history(customer: Customer) -> list[tuple[str, str, str]]:
    """What was recorded about the customer's consent after the import."""
    return list(
        ConsentEvent.objects.filter(customer=customer)
        .exclude(source="import:1")
        .order_by("pk")
        .values_list("channel", "action", "source")
    )


def choose(customer: Customer, action: str, *, channel: str = "email", ago: timedelta) -> None:
    """The customer's flag as if she had chosen ``action`` some time ago."""
    record_consent(customer_ids=[customer.pk], channel=channel, action=action, source="import:1")
    Customer.objects.filter(pk=customer.pk).update(
        **{f"{channel}_consent_at": database_now() - ago}
    )
