"""Test messages to typed addresses: real ones, with a code that scans as TEST (M-9)."""

import uuid
from collections.abc import Sequence

from campaigns.audience import audience_of
from campaigns.channels import open_email_channel, open_sms_channel
from campaigns.channels.base import Answer, AnswerKind, OutgoingEmail
from campaigns.delivery.outcomes import decide
from campaigns.delivery.prepare import fill_in, tags_by_customer
from campaigns.models import Campaign, TestSend
from config.clock import database_now
from config.errors import DomainError
from customers.contact import normalise_email, normalise_phone
from customers.encryption import encrypt
from customers.models import Channel, Customer
from qrcodes.issue_codes import issue_test_code
from qrcodes.models import Offer

ADDRESS_PLACE = "campaigns_testsend.address"
MOST_ADDRESSES = 20


def send_test(
    *, campaign: Campaign, addresses: Sequence[str], customer: Customer | None = None
) -> list[TestSend]:
    """Send the campaign to typed addresses and numbers, filled in as ``customer``.

    Without one, the first of the audience is taken. Each message has a code of its own and counts
    in no statistic. Raises DomainError, with nothing sent, when an address is not valid, has no
    matching content, or there is nobody to fill it in as.
    """
    targets = [_read_address(campaign, address) for address in addresses if address.strip()]
    if not targets:
        raise DomainError("no_address", "Type at least one email address or phone number.")
    if len(targets) > MOST_ADDRESSES:
        raise DomainError("too_many", f"Send a test to at most {MOST_ADDRESSES} addresses.")
    person = customer or audience_of(campaign).order_by("pk").first() or Customer.objects.first()
    if person is None:
        raise DomainError("no_customer", "Add a customer first: the test is filled in as one.")
    return [_send_one(campaign, person, channel, address) for channel, address in targets]


def _read_address(campaign: Campaign, raw: str) -> tuple[str, str]:
    channel = Channel.EMAIL.value if "@" in raw else Channel.SMS.value
    address = normalise_email(raw) if channel == Channel.EMAIL else normalise_phone(raw)
    if channel not in campaign.channels:
        kind = "email" if channel == Channel.EMAIL else "text"
        raise DomainError("no_content", f"This campaign has no {kind} to test.")
    return channel, address


def _send_one(campaign: Campaign, person: Customer, channel: str, address: str) -> TestSend:
    offer = Offer.objects.filter(campaign_id=campaign.pk).first()
    code = None
    if campaign.has_qr_code and offer is not None:
        code = issue_test_code(
            offer=offer, customer_id=person.pk, expiration_days=campaign.qr_expiration_days
        )
    message = fill_in(
        campaign=campaign,
        offer=offer,
        customer=person,
        channel=channel,
        code=code,
        tags=tags_by_customer([person.pk])[person.pk],
        public_id=f"test-{uuid.uuid4()}",
        address=address,
    )
    test = TestSend.objects.create(
        campaign=campaign,
        customer=person,
        channel=channel,
        address_encrypted=encrypt(address, place=ADDRESS_PLACE),
    )
    if isinstance(message, OutgoingEmail):
        email_channel = open_email_channel()
        answer = email_channel.send(message)
        email_channel.close()
    else:
        sms_channel = open_sms_channel()
        answer = sms_channel.send(message)
        sms_channel.close()
    _record(test, answer)
    return test


def _record(test: TestSend, answer: Answer) -> None:
    if answer.kind is AnswerKind.ACCEPTED:
        test.sent_at = database_now()
    else:
        # No retry for a test: whatever would be retried is shown as the failure it is now.
        outcome = decide(channel=test.channel, answer=answer, attempts=1, backoff=())
        test.code = outcome.code
    test.save(update_fields=["sent_at", "code"])
