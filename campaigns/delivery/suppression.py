"""Takes a provider's word that a customer must not be written to any more (E-2)."""

from campaigns.delivery.outcomes import Outcome
from campaigns.models import Delivery
from customers.consent import record_consent
from customers.models import ConsentAction


def suppress(*, channel: str, outcomes: dict[int, Outcome]) -> int:
    """Unsubscribe the customers of these deliveries whose outcome asks for it; return how many.

    Outside the transaction that records: there customers would be locked after deliveries.
    """
    asked = [pk for pk, outcome in outcomes.items() if outcome.suppress]
    if not asked:
        return 0
    return sum(
        record_consent(
            customer_ids=[delivery.customer_id],
            channel=channel,
            action=ConsentAction.OPT_OUT,
            source=f"provider:campaign:{delivery.campaign_id}",
        )
        for delivery in Delivery.objects.filter(pk__in=asked, customer__erased_at=None)
    )
