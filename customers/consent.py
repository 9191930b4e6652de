"""The one way consent changes: an event and the customer's flag, in one transaction (C-4)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from config.clock import database_now
from customers.models import ConsentAction, ConsentEvent, Customer


def consent_columns(*, channel: str, action: str, source: str, at: datetime) -> dict[str, Any]:
    """Return the columns of Customer that say what ``action`` made of ``channel``."""
    return {
        f"{channel}_subscribed": action == ConsentAction.OPT_IN,
        f"{channel}_consent_at": at,
        f"{channel}_consent_action": action,
        f"{channel}_consent_source": source,
    }


def record_consent(*, customer_ids: Iterable[int], channel: str, action: str, source: str) -> int:
    """Append ``action`` for each customer whose last action on ``channel`` differs.

    Returns how many changed: saying the same again changes nothing.
    """
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
            **consent_columns(channel=channel, action=action, source=source, at=now)
        )
    return len(changing)


def forget_bounce(*, customer_id: int, channel: str, source: str) -> bool:
    """Let the consent before a bounce count again: the address that bounced has been corrected.

    Returns whether that changed anything; somebody who had not agreed before stays as they are.
    """
    history = ConsentEvent.objects.filter(customer=customer_id, channel=channel)
    *_, before, last = ["", "", *history.order_by("pk").values_list("action", flat=True)]
    if last != ConsentAction.BOUNCE or before != ConsentAction.OPT_IN:
        return False
    return bool(
        record_consent(
            customer_ids=[customer_id], channel=channel, action=ConsentAction.OPT_IN, source=source
        )
    )
