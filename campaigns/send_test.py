"""Test messages to typed addresses: real ones, with a code that scans as TEST (M-9).

The request saves rows and returns; a worker sends them (``delivery/send_tests.py``).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from campaigns.audience import audience_of
from campaigns.delivery.prepare import compiled_messages
from campaigns.delivery.send_tests import ADDRESS_PLACE
from campaigns.delivery.wake import enqueue_tests
from campaigns.models import Campaign, TestSend
from campaigns.reasons import reason_sentence
from config.clock import database_now
from config.errors import DomainError
from customers.contact import normalise_email, normalise_phone
from customers.encryption import DecryptionError, decrypt, encrypt
from customers.models import Channel, Customer

MOST_ADDRESSES = 20
# So long the page of a campaign shows what became of a person's last test.
SHOWN_FOR = timedelta(hours=24)
Status = TestSend.Status


@dataclass(frozen=True, slots=True)
class TestResult:
    """What became of one test message, in words; ``address`` is for who typed it only."""

    __test__ = False  # pytest would take it for a test class

    channel: str
    address: str
    status: str
    sentence: str

    @property
    def is_open(self) -> bool:
        """Whether it is still under way."""
        return self.status in {Status.WAITING, Status.SENDING}


def send_test(
    *,
    campaign: Campaign,
    addresses: Sequence[str],
    customer: Customer | None = None,
    user: AbstractBaseUser | None = None,
) -> list[TestSend]:
    """Have the campaign sent to typed addresses and numbers, filled in as ``customer``.

    Without one, the first of the audience is taken. Each message has a code of its own and counts
    in no statistic. Raises DomainError, with nothing sent, when an address is not valid, has no
    matching content, the messages do not compile, or there is nobody to fill them in as.
    """
    targets = list(
        dict.fromkeys(_read_address(campaign, address) for address in addresses if address.strip())
    )
    if not targets:
        raise DomainError("no_address", "Type at least one email address or phone number.")
    if len(targets) > MOST_ADDRESSES:
        raise DomainError("too_many", f"Send a test to at most {MOST_ADDRESSES} addresses.")
    compiled_messages(campaign)
    person = customer or _first_of(campaign)
    batch = uuid.uuid4()
    with transaction.atomic():
        tests = TestSend.objects.bulk_create(
            TestSend(
                campaign=campaign,
                customer=person,
                requested_by_id=user.pk if user else None,
                batch=batch,
                channel=channel,
                address_encrypted=encrypt(address, place=ADDRESS_PLACE),
            )
            for channel, address in targets
        )
        enqueue_tests()
    return tests


def _first_of(campaign: Campaign) -> Customer:
    everyone = Customer.objects.alive().order_by("pk")
    person = audience_of(campaign).order_by("pk").first() or everyone.first()
    if person is None:
        raise DomainError("no_customer", "Add a customer first: the test is filled in as one.")
    return person


def _read_address(campaign: Campaign, raw: str) -> tuple[str, str]:
    channel = Channel.EMAIL.value if "@" in raw else Channel.SMS.value
    address = normalise_email(raw) if channel == Channel.EMAIL else normalise_phone(raw)
    if channel not in campaign.channels:
        kind = "email" if channel == Channel.EMAIL else "text"
        raise DomainError("no_content", f"This campaign has no {kind} to test.")
    return channel, address


def last_results(*, campaign: Campaign, user: AbstractBaseUser) -> list[TestResult]:
    """Return what became of the last test that ``user`` asked for, in the order it was typed."""
    mine = TestSend.objects.filter(
        campaign=campaign, requested_by_id=user.pk, created_at__gt=database_now() - SHOWN_FOR
    )
    batch = mine.order_by("-pk").values_list("batch", flat=True).first()
    return read_results(batch) if batch else []


def read_results(batch: uuid.UUID) -> list[TestResult]:
    """Return what became of one press of the button, in the order it was typed."""
    return [
        TestResult(test.channel, address_of(test), test.status, _sentence_of(test))
        for test in TestSend.objects.filter(batch=batch).order_by("pk")
    ]


def last_addresses(*, user: AbstractBaseUser) -> list[str]:
    """Return where a person last sent a test, on any campaign, to begin the next one with."""
    mine = TestSend.objects.filter(requested_by_id=user.pk)
    batch = mine.order_by("-pk").values_list("batch", flat=True).first()
    if batch is None:
        return []
    tests = TestSend.objects.filter(batch=batch).order_by("pk")
    return [address for address in map(address_of, tests) if address]


def address_of(test: TestSend) -> str:
    """Return where a test went, or nothing when its key is gone: then it is nobody's any more."""
    try:
        return decrypt(test.address_encrypted, place=ADDRESS_PLACE)
    except DecryptionError:
        return ""


def _sentence_of(test: TestSend) -> str:
    if test.status == Status.SENT:
        return "Sent. Its code scans as TEST."
    if test.status == Status.SENDING:
        return "Being sent…"
    if test.status == Status.WAITING:
        why = f" {reason_sentence(test.code)}" if test.code else ""
        return f"Waiting for its turn…{why}"
    if test.status == Status.UNCONFIRMED:
        return f"{reason_sentence(test.code)} Look whether it is there before you send it again."
    return f"Not sent. {reason_sentence(test.code)}"
