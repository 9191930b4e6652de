"""The life of a campaign: one table of moves, one conditional update per move (M-2).

Whoever hits no row has lost the race; a person is told so, a task leaves quietly.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from campaigns.check_campaign import require_sendable
from campaigns.delivery import outbox
from campaigns.delivery.outbox import GIVEN_UP
from campaigns.delivery.streaks import forget_stops
from campaigns.delivery.wake import enqueue_freeze, wake_on_commit
from campaigns.fingerprint import fingerprint_of
from campaigns.images.freeze_images import freeze_images
from campaigns.models import Campaign
from campaigns.reasons import REASONS
from campaigns.series.originals import require_no_original
from config.clock import database_now
from config.errors import DomainError
from config.times import require_sensible_time
from customers.models import Channel
from qrcodes.models import Offer
from qrcodes.offers import set_offer_state

Status = Campaign.Status

MOVES: dict[str, frozenset[str]] = {
    Status.DRAFT: frozenset({Status.SCHEDULED, Status.QUEUED}),
    Status.SCHEDULED: frozenset({Status.DRAFT, Status.QUEUED, Status.CANCELLED}),
    Status.QUEUED: frozenset({Status.SENDING, Status.FAILED, Status.CANCELLED}),
    Status.SENDING: frozenset({Status.PAUSED, Status.COMPLETED, Status.FAILED, Status.CANCELLED}),
    Status.PAUSED: frozenset({Status.SENDING, Status.CANCELLED}),
    Status.COMPLETED: frozenset({Status.SENDING}),
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.CANCELLED: frozenset(),
}


def allowed_moves(status: str) -> frozenset[str]:
    """Return the states that a campaign in ``status`` can move to."""
    return MOVES[status]


def move(
    *, campaign_id: int, to: str, source: str | None = None, where: Q | None = None, **columns: Any
) -> bool:
    """Move a campaign in one conditional update; tell whether this call did it.

    ``source`` narrows where it may come from, ``where`` what else must hold at that instant;
    ``columns`` are set with it.
    """
    sources = [status for status, targets in MOVES.items() if to in targets]
    if source is not None:
        sources = [status for status in sources if status == source]
    columns.setdefault("status_reason", "")
    candidates = Campaign.objects.filter(where or Q(), pk=campaign_id, status__in=sources)
    return candidates.update(status=to, **columns) == 1


def _require(moved: bool, campaign_id: int, wanted: str) -> None:
    if moved:
        return
    status = Campaign.objects.filter(pk=campaign_id).values_list("status", flat=True).first()
    if status is None:
        raise DomainError("unknown_campaign", f"There is no campaign {campaign_id}.")
    label = Status(status).label.lower()
    raise DomainError("wrong_state", f"This campaign is {label}: it cannot be {wanted} now.")


def _require_unchanged(campaign: Campaign, shown: str) -> None:
    if shown and shown != fingerprint_of(campaign):
        raise changed_meanwhile()


def changed_meanwhile() -> DomainError:
    """Return what is raised to whoever acts on a page that is no longer true."""
    return DomainError(
        "changed_meanwhile",
        "Somebody changed this campaign after you opened this page: look at it again first.",
    )


def send_campaign(*, campaign_id: int, shown: str = "") -> Campaign:
    """Queue a campaign and return at once; workers do the rest (D-2).

    ``shown`` is the fingerprint of what the sender looked at. Raises CheckFailed when a check
    fails, DomainError ``wrong_state`` when it cannot be sent now, ``original_of_series`` when a
    series sends copies of it, ``changed_meanwhile`` when it is no longer what was shown.
    """
    with transaction.atomic():
        # Locked, so that what is queued is what was checked.
        campaign = _get_locked(campaign_id)
        if Status.QUEUED not in MOVES[campaign.status]:
            _require(False, campaign_id, "sent")
        require_no_original(campaign_id=campaign_id, wanted="sent")
        freeze_images(campaign)
        _require_unchanged(campaign, shown)
        require_sendable(campaign)
        moved = move(
            campaign_id=campaign_id,
            to=Status.QUEUED,
            source=campaign.status,
            sent_at=database_now(),
            completed_at=None,
        )
        _require(moved, campaign_id, "sent")
        enqueue_freeze(campaign_id=campaign_id)
    campaign.refresh_from_db()
    return campaign


def schedule_campaign(*, campaign_id: int, at: datetime, shown: str = "") -> Campaign:
    """Have a draft sent at a time; ``shown`` is as in ``send_campaign``.

    Raises CheckFailed, DomainError ``in_the_past``, ``time_out_of_range``, ``wrong_state``,
    ``original_of_series`` or ``changed_meanwhile``.
    """
    _require_future(at)
    with transaction.atomic():
        campaign = _get_locked(campaign_id)
        if Status.SCHEDULED not in MOVES[campaign.status]:
            _require(False, campaign_id, "scheduled")
        require_no_original(campaign_id=campaign_id, wanted="scheduled")
        freeze_images(campaign)
        _require_unchanged(campaign, shown)
        require_sendable(campaign)
        moved = move(campaign_id=campaign_id, to=Status.SCHEDULED, scheduled_for=at)
        _require(moved, campaign_id, "scheduled")
    campaign.refresh_from_db()
    return campaign


def reschedule_campaign(*, campaign_id: int, at: datetime) -> None:
    """Have a scheduled campaign sent at another time; all else stays as it is.

    Raises DomainError ``in_the_past``, ``time_out_of_range``, or ``wrong_state`` when it is not
    scheduled any more.
    """
    _require_future(at)
    moved = Campaign.objects.filter(pk=campaign_id, status=Status.SCHEDULED).update(
        scheduled_for=at
    )
    _require(moved == 1, campaign_id, "given another time")


def _require_future(at: datetime) -> None:
    now = database_now()
    require_sensible_time(at, now=now)
    if at <= now:
        raise DomainError("in_the_past", "This time has passed: choose a later one, or send now.")


def unschedule_campaign(*, campaign_id: int) -> None:
    """Make a scheduled campaign a draft again. Raises DomainError ``wrong_state``."""
    moved = move(campaign_id=campaign_id, to=Status.DRAFT, scheduled_for=None)
    _require(moved, campaign_id, "unscheduled")


def pause_campaign(*, campaign_id: int, reason: str = "") -> None:
    """Stop sending after the messages that are being called. Raises DomainError ``wrong_state``."""
    moved = move(campaign_id=campaign_id, to=Status.PAUSED, status_reason=reason[:300])
    _require(moved, campaign_id, "paused")


def resume_campaign(*, campaign_id: int) -> None:
    """Go on where a paused campaign stopped. Raises DomainError ``wrong_state``."""
    with transaction.atomic():
        forget_stops(campaign_id=campaign_id)
        moved = move(campaign_id=campaign_id, to=Status.SENDING, source=Status.PAUSED)
        _require(moved, campaign_id, "resumed")
        wake_on_commit()


def cancel_campaign(*, campaign_id: int, withdraw_codes: bool = False) -> int:
    """End a campaign; what has not left never will. Returns how many messages that stopped.

    With ``withdraw_codes`` codes already out are refused at the till from now on.
    Raises DomainError ``wrong_state``.
    """
    with transaction.atomic():
        moved = move(campaign_id=campaign_id, to=Status.CANCELLED, completed_at=database_now())
        _require(moved, campaign_id, "cancelled")
        if withdraw_codes:
            set_offer_state(campaign_id=campaign_id, state=Offer.State.CAMPAIGN_CANCELLED)
    # After the commit: senders lock deliveries before their campaign. The sweeper ends leftovers.
    return outbox.cancel_pending(campaign_id=campaign_id)


def retry_failed(*, campaign_id: int, channel: str = "", code: str = "") -> int:
    """Try failed messages of a completed campaign again; return how many.

    All, or those of one ``channel`` and reason ``code``; never those that somebody gave up on, who
    was told that nobody is written to again. Raises DomainError ``wrong_state``, or
    ``nothing_failed`` when there are none.
    """
    if channel not in {"", *Channel.values} or code not in {"", *REASONS.keys() - {GIVEN_UP}}:
        raise _nothing_failed()
    with transaction.atomic():
        # Paces, then deliveries, then their campaign, as everybody locks them.
        forget_stops(campaign_id=campaign_id)
        retried = outbox.retry_failed(campaign_id=campaign_id, channel=channel, code=code)
        _require(_reopen(campaign_id), campaign_id, "retried")
        if not retried:
            raise _nothing_failed()
        wake_on_commit()
    return retried


def _nothing_failed() -> DomainError:
    return DomainError("nothing_failed", "There is no failed message left to try again.")


def decide_unconfirmed(
    *,
    campaign_id: int,
    decision: outbox.Decision,
    ids: Sequence[int] | None = None,
    channel: str = "",
) -> int:
    """Settle messages that may or may not have arrived as a person decided (D-6); return how many.

    All of the campaign, of one ``channel``, or those of ``ids``. Sending again reopens a completed
    campaign. Raises DomainError ``nothing_unconfirmed``, or ``wrong_state`` when the campaign sends
    no more.
    """
    with transaction.atomic():
        if decision is outbox.Decision.SEND_AGAIN:
            forget_stops(campaign_id=campaign_id, only_if=Status.COMPLETED)
        settled = outbox.decide_unconfirmed(
            campaign_id=campaign_id, decision=decision, ids=ids, channel=channel
        )
        if not settled:
            raise nothing_unconfirmed()
        if decision is outbox.Decision.SEND_AGAIN:
            under_way = Campaign.objects.filter(
                pk=campaign_id, status__in=[Status.SENDING, Status.PAUSED]
            )
            _require(under_way.exists() or _reopen(campaign_id), campaign_id, "sent again")
            wake_on_commit()
    return settled


def nothing_unconfirmed() -> DomainError:
    """Return what is raised to whoever decides about messages that are settled already."""
    return DomainError(
        "nothing_unconfirmed",
        "None of these messages is unconfirmed any more: somebody, or a report of the provider, "
        "has settled them.",
    )


def _reopen(campaign_id: int) -> bool:
    return move(
        campaign_id=campaign_id, to=Status.SENDING, source=Status.COMPLETED, completed_at=None
    )


def _get_locked(campaign_id: int) -> Campaign:
    campaign = Campaign.objects.select_for_update().filter(pk=campaign_id).first()
    if campaign is None:
        raise DomainError("unknown_campaign", f"There is no campaign {campaign_id}.")
    return campaign
