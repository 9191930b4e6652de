"""Notices that something is wrong with us rather than with one customer (D-9).

Kept on the lane's pace row: so many first tries that failed one after another, over all workers, or
one answer that every message would get, and nothing more leaves until a person has looked.
"""

from collections.abc import Iterable

from django.conf import settings
from django.db.models import F

from campaigns.delivery.outcomes import Action, Outcome
from campaigns.models import Campaign, Pace

MANY_FAILURES = "many_failures"
# A provider that never answers is one too: nobody would know of anyone whether they got it.
_FAILURES = frozenset({Action.FAIL, Action.RETRY, Action.UNCONFIRMED})


def note_outcomes(
    *, pace_id: int, first_tries: Iterable[Outcome], others: Iterable[Outcome]
) -> bool:
    """Count what became of a group of calls; tell whether the lane must stop.

    Only first tries count as failures, so that ten bad addresses that are tried again and again
    stop nobody; a success of any try ends the row. Runs inside the transaction that records.
    """
    first_tries, others = list(first_tries), list(others)
    everything = first_tries + others
    stop_code = next((o.code for o in everything if o.action is Action.PAUSE), "")
    pace = Pace.objects.filter(pk=pace_id)
    if any(outcome.action is Action.SENT for outcome in everything):
        pace.filter(failures_in_a_row__gt=0).update(failures_in_a_row=0)
    elif failures := sum(outcome.action in _FAILURES for outcome in first_tries):
        pace.update(failures_in_a_row=F("failures_in_a_row") + failures)
        in_a_row = pace.values_list("failures_in_a_row", flat=True).get()
        if too_many(in_a_row):
            stop_code = stop_code or MANY_FAILURES
    if stop_code:
        set_stop(pace_id=pace_id, code=stop_code)
    return bool(stop_code)


def too_many(failures: int) -> bool:
    """Tell whether so many failures in a row are one too many."""
    return 0 < settings.FAILURES_BEFORE_PAUSE <= failures


def set_stop(*, pace_id: int, code: str) -> None:
    """Let nothing more leave on a lane; the first reason stays."""
    Pace.objects.filter(pk=pace_id, stop_code="").update(stop_code=code)


def forget_stops(*, campaign_id: int, only_if: str = "") -> None:
    """Start counting afresh: a person has looked. ``only_if`` is the status it must have."""
    paces = Pace.objects.filter(campaign_id=campaign_id)
    if only_if:
        paces = paces.filter(campaign_id__in=Campaign.objects.filter(status=only_if).values("pk"))
    paces.update(stop_code="", failures_in_a_row=0, filtered=0)
