"""Creating or changing one customer by hand: columns, tags and consent together (C-1, C-4)."""

from typing import Any

from django.db import IntegrityError, transaction

from config.clock import database_now
from config.errors import DomainError
from customers.consent import forget_bounce, record_consent
from customers.models import ADDRESS_FIELD, ConsentAction, Customer
from customers.segments import set_tags

_COLUMNS = {
    "email": ("email_encrypted", "email_index"),
    "phone": ("phone_encrypted", "phone_index"),
}


def save_customer(
    *,
    customer: Customer,
    changes: dict[str, Any],
    tags: list[str] | None = None,
    consent: dict[str, bool] | None = None,
    source: str,
) -> None:
    """Save ``changes`` of a customer, who may be new: only those columns are written.

    ``email`` and ``phone`` are normalised addresses; ``tags`` replace the customer's, None leaves
    them; ``consent`` says per channel whether messages are taken from now on. Raises DomainError
    ``taken`` when the email, phone or external id is another customer's.
    """
    for name, value in changes.items():
        if name == "email":
            customer.set_email(value)
        elif name == "phone":
            customer.set_phone(value)
        else:
            setattr(customer, name, value)
    try:
        with transaction.atomic():
            if customer.pk is None:
                customer.save(force_insert=True)
            elif changes:
                customer.updated_at = database_now()
                columns = [column for name in changes for column in _COLUMNS.get(name, (name,))]
                customer.save(update_fields=[*columns, "updated_at"])
            if tags is not None:
                set_tags(customer=customer, tags=tags)
            for channel, field in ADDRESS_FIELD.items():
                if changes.get(field) and channel not in (consent or {}):
                    forget_bounce(customer_id=customer.pk, channel=channel, source=source)
            for channel, takes in (consent or {}).items():
                record_consent(
                    customer_ids=[customer.pk],
                    channel=channel,
                    action=ConsentAction.OPT_IN if takes else ConsentAction.OPT_OUT,
                    source=source,
                )
    except IntegrityError:
        raise DomainError(
            "taken",
            "The email, phone or external id is that of another customer: look them up first.",
        ) from None
