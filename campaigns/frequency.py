"""Who has had enough messages lately (D-10): FREQUENCY_CAP campaigns in so many days."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    Expression,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)

from campaigns.models import Campaign, Delivery
from config.clock import database_now
from customers.models import ADDRESS_FIELD
from customers.reachability import exclusion_code

# Waiting so long for another campaign's message to leave, or not, costs little.
WAIT_UNDER_WAY = timedelta(seconds=60)
# So long after a campaign was done, a provider may report that a message of it left.
LATE_REPORTS = timedelta(days=30)


def _who_had_enough(
    deliveries: QuerySet[Delivery],
    *,
    cap: tuple[int, int],
    campaign_id: int,
    now: datetime,
    under_way: bool = False,
) -> QuerySet[Any, Any]:
    """Return the customers, as ``customer_id``, whom other campaigns reached ``cap`` times.

    A campaign counts once, whatever its channels, and one that may have arrived counts; with
    ``under_way``, one that is just being sent does too.
    """
    times, days = cap
    perhaps = [Delivery.Status.UNCONFIRMED, *([Delivery.Status.SENDING] if under_way else [])]
    return (
        deliveries.filter(Q(sent_at__gte=now - timedelta(days=days)) | Q(status__in=perhaps))
        .exclude(campaign=campaign_id)
        .order_by()
        .values("customer_id")
        .annotate(campaigns=Count("campaign_id", distinct=True))
        .filter(campaigns__gte=times)
    )


def lock_frequency() -> None:
    """Let one claim at a time decide who has had enough, until its transaction ends.

    Two campaigns that claim the same customers at once would each see the other's too late. SQLite
    admits one writer anyway.
    """
    if settings.FREQUENCY_CAP is not None and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('campaigns.frequency'))")


def contacted_recently(
    *, customer_ids: Collection[int], campaign_id: int, now: datetime, under_way: bool = False
) -> frozenset[int]:
    """Return those of ``customer_ids`` whom other campaigns have reached as often as allowed.

    With ``under_way``, those too for whom that hangs on messages that are just being sent.
    """
    cap = settings.FREQUENCY_CAP
    if cap is None or not customer_ids:
        return frozenset()
    theirs = Delivery.objects.filter(customer__in=customer_ids)
    enough = _who_had_enough(theirs, cap=cap, campaign_id=campaign_id, now=now, under_way=under_way)
    return frozenset(enough.values_list("customer_id", flat=True))


def had_enough(campaign_id: int) -> Q | None:
    """Return who has had enough as a condition on Customer for counting many; None when nobody.

    The customers of lately sent campaigns are grouped once, rather than looked up one by one.
    """
    cap = settings.FREQUENCY_CAP
    if cap is None:
        return None
    now = database_now()
    times, days = cap
    since = now - timedelta(days=days)
    lately = Campaign.objects.exclude(pk=campaign_id).filter(
        Q(completed_at=None) | Q(completed_at__gte=since - LATE_REPORTS),
        Exists(Delivery.objects.filter(campaign=OuterRef("pk"))),
    )
    ids = list(lately.values_list("pk", flat=True))
    if len(ids) < times:
        return None
    # A flag for each campaign is hashed; counting distinct ones would sort every delivery.
    got = [Max(Case(When(campaign=pk, then=1), default=0)) for pk in ids]
    enough = (
        Delivery.objects.filter(campaign__in=ids)
        .filter(Q(sent_at__gte=since) | Q(status=Delivery.Status.UNCONFIRMED))
        .order_by()
        .values("customer_id")
        .annotate(campaigns=sum(got[1:], got[0]))
        .filter(campaigns__gte=times)
    )
    return Q(pk__in=enough.values("customer_id"))


def exclusion_from(campaign_id: int, channel: str) -> Expression:
    """Return an expression over Customer: why a campaign leaves them out on a channel, or empty.

    What ``customers.reachability`` knows, and contacted_recently for whoever is left.
    """
    cap = settings.FREQUENCY_CAP
    if cap is None:
        return exclusion_code(channel)
    theirs = Delivery.objects.filter(customer=OuterRef("pk"))
    enough = _who_had_enough(theirs, cap=cap, campaign_id=campaign_id, now=database_now())
    reachable = Q(
        **{f"{channel}_subscribed": True, f"{ADDRESS_FIELD[channel]}_index__isnull": False}
    )
    return Case(
        When(reachable & Q(Exists(enough)), then=Value("contacted_recently")),
        default=exclusion_code(channel),
        output_field=CharField(),
    )
