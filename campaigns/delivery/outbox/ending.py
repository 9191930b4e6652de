"""Cancelled campaigns, and failed messages that are tried again."""

from collections import Counter

from django.db import transaction
from django.db.models import Q

from campaigns.delivery.outbox.counters import Counts, move_counters
from campaigns.delivery.outbox.states import RELEASED, ids_of_campaigns
from campaigns.models import Campaign, Delivery
from config.clock import database_now
from customers.models import Channel

Status = Delivery.Status
# Rows cancelled in one transaction.
BATCH = 1_000
# What somebody gave up on is not tried again with the others.
GIVEN_UP = "given_up"


def cancel_pending(*, campaign_id: int) -> int:
    """Cancel what has not left and is not being called; return how many."""
    waiting = Q(status=Status.PENDING) | Q(status=Status.SENDING, call_started_at=None)
    stopped = 0
    while True:
        with transaction.atomic():
            # Never waits for a sender: what one holds now, it gives back and the sweeper ends.
            ids = list(
                Delivery.objects.select_for_update(skip_locked=True)
                .filter(waiting, campaign_id=campaign_id)
                .order_by("pk")
                .values_list("pk", flat=True)[:BATCH]
            )
            if not ids:
                return stopped
            stopped += Delivery.objects.filter(pk__in=ids).update(
                status=Status.CANCELLED, code="campaign_cancelled", **RELEASED
            )


def cancel_leftovers() -> int:
    """Cancel what came back to a cancelled campaign after its last call; return how many."""
    leftovers = Delivery.objects.filter(
        status=Status.PENDING, campaign_id__in=ids_of_campaigns(Campaign.Status.CANCELLED)
    )
    return leftovers.update(status=Status.CANCELLED, code="campaign_cancelled")


def retry_failed(*, campaign_id: int, channel: str = "", code: str = "") -> int:
    """Make failed deliveries of a campaign due again, with fresh attempts; return how many.

    Those of one ``channel`` and of one reason ``code``, else all but those somebody gave up on: a
    second message may reach whoever got the first.
    """
    now = database_now()
    counts: Counts = Counter()
    with transaction.atomic():
        for each in [channel] if channel else Channel.values:
            failed = Delivery.objects.in_lane(campaign_id, each).filter(status=Status.FAILED)
            failed = failed.filter(code=code) if code else failed.exclude(code=GIVEN_UP)
            changed = failed.update(status=Status.PENDING, code="", attempts=0, not_before=now)
            counts[campaign_id, each, Status.FAILED] -= changed
        move_counters(counts)
    return -counts.total()
