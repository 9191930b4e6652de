"""What provider events hold about one person (C-8)."""

from typing import Any

from django.db.models import Q

from campaigns.models import Delivery, ProviderEvent
from customers.models import Customer
from customers.privacy import Holding


def _events_of(customer_id: int) -> Q:
    """Return the condition for events of the customer's deliveries and of their address now."""
    deliveries = Delivery.objects.filter(customer_id=customer_id).values("public_id")
    condition = Q(public_id__in=deliveries)
    indexes = Customer.objects.filter(pk=customer_id).values_list("email_index", "phone_index")
    for index in filter(None, indexes.get()):
        condition |= Q(address_index=index)
    return condition


def export_events(customer_id: int) -> list[dict[str, Any]]:
    """Return what providers reported about a customer's messages in the last month."""
    return [
        {
            "provider": event.provider,
            "kind": event.kind,
            "reason": event.code,
            "delivery": str(event.public_id) if event.public_id else None,
            "occurred_at": event.occurred_at.isoformat(),
        }
        for event in ProviderEvent.objects.filter(_events_of(customer_id))
    ]


def forget_address(customer_id: int) -> None:
    """Remove the address's index from events that nobody has acted on yet."""
    # One that is locked is being acted on, and loses its index by that.
    ids = (
        ProviderEvent.objects.filter(_events_of(customer_id))
        .exclude(address_index="")
        .select_for_update(skip_locked=True)
        .values_list("pk", flat=True)
    )
    ProviderEvent.objects.filter(pk__in=list(ids)).update(address_index="")


HOLDING = Holding("provider_events", export_events, forget_address)
