"""Everything held about one customer, as JSON values (C-8; GDPR articles 15 and 20)."""

from typing import Any

from config.errors import DomainError
from customers.models import Channel, ConsentEvent, Customer, CustomerTag
from customers.privacy import holdings


def export_person(*, customer_id: int) -> dict[str, Any]:
    """Return what every app holds about a customer, times in UTC.

    Raises DomainError ``unknown_customer``, or DecryptionError when an address cannot be read.
    """
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise DomainError(
            "unknown_customer", f"There is no customer {customer_id}: look up the number again."
        )
    person: dict[str, Any] = {
        "id": customer.pk,
        "external_id": customer.external_id,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "email": customer.email,
        "phone": customer.phone,
        "language": customer.language,
        "time_zone": customer.time_zone,
        "attributes": customer.attributes,
        "tags": list(
            CustomerTag.objects.filter(customer=customer)
            .order_by("segment__name")
            .values_list("segment__name", flat=True)
        ),
        "subscribed": {
            channel: getattr(customer, f"{channel}_subscribed") for channel in Channel.values
        },
        "consent_history": [
            {
                "channel": event.channel,
                "action": event.action,
                "source": event.source,
                "at": event.at.isoformat(),
            }
            for event in ConsentEvent.objects.filter(customer=customer).order_by("id")
        ],
        "created_at": customer.created_at.isoformat(),
        "updated_at": customer.updated_at.isoformat(),
        "erased_at": customer.erased_at and customer.erased_at.isoformat(),
    }
    for holding in holdings():
        person[holding.name] = holding.export(customer_id)
    return person
