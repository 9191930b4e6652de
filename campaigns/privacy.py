"""What messages hold about one person (C-8)."""

from functools import partial
from typing import Any

from django.db import transaction

from campaigns.channels.capture import forget_captured
from campaigns.models import Delivery, TestSend
from campaigns.send_test import address_of
from customers.models import Customer
from customers.privacy import Holding


def export_messages(customer_id: int) -> list[dict[str, Any]]:
    """Return every message to a customer and what became of it, times in UTC."""
    deliveries = Delivery.objects.filter(customer_id=customer_id).select_related("campaign")
    return [
        {
            "campaign": delivery.campaign.name,
            "channel": delivery.channel,
            "status": delivery.status,
            "reason": delivery.code,
            "segments": delivery.matched_segments,
            "public_id": str(delivery.public_id),
            "provider_id": delivery.provider_id,
            **_times(delivery, "created", "sent", "delivered", "opened", "clicked", "bounced"),
            "bounce_reason": delivery.bounce_code,
        }
        for delivery in deliveries.order_by("id")
    ]


def _times(delivery: Delivery, *names: str) -> dict[str, str | None]:
    times = {f"{name}_at": getattr(delivery, f"{name}_at") for name in names}
    return {name: at and at.isoformat() for name, at in times.items()}


def forget_messages(customer_id: int) -> None:
    """Cut what leads from a customer's messages back to them: the provider's id, a captured copy.

    A provider finds the address by its id. What became of each message stays, for the statistics.
    """
    sent = Delivery.objects.filter(customer_id=customer_id).exclude(provider_id="")
    captured = list(sent.values_list("provider_id", flat=True))
    sent.update(provider_id="")
    transaction.on_commit(partial(forget_captured, captured))


def export_test_messages(customer_id: int) -> list[dict[str, Any]]:
    """Return the test messages that went to a customer's own address or showed their data.

    The address of another person who got the test is not told.
    """
    customer = Customer.objects.get(pk=customer_id)
    theirs = _addresses_of(customer)
    return [
        {
            "campaign": test.campaign.name,
            "channel": test.channel,
            "to_them": address_of(test) in theirs,
            "filled_in_as_them": test.customer_id == customer_id,
            "created_at": test.created_at.isoformat(),
        }
        for test in _tests_about(customer)
    ]


def forget_test_messages(customer_id: int) -> None:
    """Delete the test messages that went to a customer's address or showed their data."""
    tests = _tests_about(Customer.objects.get(pk=customer_id))
    TestSend.objects.filter(pk__in=[test.pk for test in tests]).delete()


def _tests_about(customer: Customer) -> list[TestSend]:
    addresses = _addresses_of(customer)
    return [
        test
        for test in TestSend.objects.select_related("campaign").order_by("id").iterator()
        if test.customer_id == customer.pk or (addresses and address_of(test) in addresses)
    ]


def _addresses_of(customer: Customer) -> set[str]:
    return {address for address in (customer.email, customer.phone) if address}


HOLDINGS = (
    Holding("messages", export_messages, forget_messages),
    Holding("test_messages", export_test_messages, forget_test_messages),
)
