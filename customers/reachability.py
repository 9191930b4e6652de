"""Why a channel must not be used for a customer, as the database sees it (S-4).

The same rule as ``Customer.exclusion_reason``, set-based; a test holds them together.
"""

from django.db.models import Case, CharField, Expression, Q, Value, When

from customers.models import ADDRESS_FIELD, ConsentAction


def exclusion_code(channel: str) -> Expression:
    """Return an expression over Customer: no_address, unsubscribed, bounced, or empty."""
    return Case(
        When(Q(**{f"{ADDRESS_FIELD[channel]}_index": None}), then=Value("no_address")),
        When(Q(**{f"{channel}_subscribed": True}), then=Value("")),
        When(Q(**{f"{channel}_consent_action": ConsentAction.BOUNCE}), then=Value("bounced")),
        default=Value("unsubscribed"),
        output_field=CharField(),
    )
