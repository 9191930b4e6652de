"""Erasing a person: what is personal goes, what is counted stays (C-8; GDPR article 17)."""

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from config.clock import database_now
from config.errors import DomainError
from customers.consent import record_consent
from customers.models import Channel, ConsentAction, Customer, CustomerTag
from customers.privacy import holdings


@transaction.atomic
def erase_customer(*, customer_id: int, source: str) -> None:
    """Remove everything personal about a customer; their row stays, empty, for the statistics.

    Raises DomainError ``unknown_customer``, or ``already_erased``. No trace of the address is kept,
    so a later import of the same address is a new customer.
    """
    customer = Customer.objects.select_for_update().filter(pk=customer_id).first()
    if customer is None:
        raise DomainError(
            "unknown_customer", f"There is no customer {customer_id}: look up the number again."
        )
    if customer.erased_at:
        raise DomainError("already_erased", f"Customer {customer_id} is erased already.")
    for channel in Channel.values:
        record_consent(
            customer_ids=[customer_id], channel=channel, action=ConsentAction.ERASED, source=source
        )
    for holding in holdings():
        holding.erase(customer_id)
    CustomerTag.objects.filter(customer_id=customer_id).delete()
    Customer.objects.filter(pk=customer_id).update(
        first_name="",
        last_name="",
        external_id=None,
        email_encrypted="",
        email_index=None,
        phone_encrypted="",
        phone_index=None,
        attributes={},
        language="",
        time_zone="",
        erased_at=database_now(),
    )
    # The admin's log copied the name.
    LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Customer), object_id=str(customer_id)
    ).update(object_repr=f"Customer {customer_id}")
