"""Changes a campaign: all of it while it is a draft, name and rates afterwards (M-3)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db import transaction

from campaigns.create_campaign import validate_fields
from campaigns.models import Campaign, Pace
from config.errors import DomainError
from customers.segments import ALL, find_segments
from qrcodes.offers import update_offer

RATES = frozenset({"send_rate_limit_emails", "send_rate_limit_sms"})
OPEN_FIELDS = RATES | {"name"}


def update_campaign(
    *,
    campaign_id: int,
    fields: Mapping[str, Any],
    target_segments: Sequence[str] | str | None = None,
    excluded_segments: Sequence[str] | None = None,
    offer: Mapping[str, Any] | None = None,
) -> Campaign:
    """Write the given fields of a campaign and no others; what is None stays as it is.

    ``target_segments`` is a list of names or ``"ALL"``; ``offer`` holds all of the offer's terms.
    Raises DomainError: ``locked`` for anything but name and rates once the campaign has left draft,
    ``invalid_field`` or the offer's own codes. Nothing is changed then.
    """
    columns = dict(fields)
    if target_segments is not None:
        columns["target_all"] = target_segments == ALL
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().filter(pk=campaign_id).first()
        if campaign is None:
            raise DomainError("unknown_campaign", f"There is no campaign {campaign_id}.")
        touches_audience = "target_all" in columns or excluded_segments is not None
        touches_content = bool(offer) or not columns.keys() <= OPEN_FIELDS | {"target_all"}
        if (touches_content and not campaign.is_draft) or (
            touches_audience and not campaign.may_change_audience
        ):
            raise DomainError(
                "locked",
                f"This campaign is {campaign.get_status_display().lower()}: only its name and its "
                "rates can still be changed. Duplicate it to send something else.",
            )
        for name, value in columns.items():
            setattr(campaign, name, value)
        validate_fields(campaign, columns)
        if columns:
            # Only what was asked for: a stale form never writes the machine's columns back.
            campaign.save(update_fields=list(columns))
        if target_segments is not None:
            chosen = [] if columns["target_all"] else find_segments(target_segments)
            campaign.target_segments.set(chosen)
        if excluded_segments is not None:
            campaign.excluded_segments.set(find_segments(excluded_segments))
        if offer:
            update_offer(campaign_id=campaign_id, **offer)
        if columns.keys() & RATES:
            # After the outermost commit, because senders lock paces before their campaign.
            transaction.on_commit(partial(_forget_smoothing, campaign_id))
    return campaign


def _forget_smoothing(campaign_id: int) -> None:
    """Start the smoothing anew: it thinks in the old rate's intervals; the ring holds the limit."""
    Pace.objects.filter(campaign_id=campaign_id).update(tat=0)
