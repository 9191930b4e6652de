"""The one way consent changes: an event and the customer's flag, in one transaction (C-4)."""

from collections.abc import Iterable

from django.db import transaction

from config.clock import database_now
from customers.models import ConsentAction, ConsentEvent, Customer


def record_consent(*, customer_ids: Iterable[int], channel: str, action: str, source: str) -> int:
    """Append ``action`` for each customer whose last action on ``channel`` differs.

    Returns how many changed: saying the same again changes nothing.
    """
    subscribed = action == ConsentAction.OPT_IN
    with transaction.atomic():
        changing = list(
            Customer.objects.select_for_update()
            .filter(pk__in=list(customer_ids))
            .exclude(**{f"{channel}_consent_action": action})
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        now = database_now()
        ConsentEvent.objects.bulk_create(
            ConsentEvent(customer_id=pk, channel=channel, action=action, source=source, at=now)
            for pk in changing
        )
        Customer.objects.filter(pk__in=changing).update(
            **{
                f"{channel}_subscribed": subscribed,
                f"{channel}_consent_at": now,
                f"{channel}_consent_action": action,
                f"{channel}_consent_source": source,
            }
        )
    return len(changing)
