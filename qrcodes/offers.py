"""What a campaign's coupon is worth, and whether its codes are honoured."""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.dateparse import parse_date, parse_datetime

from config.clock import database_now
from config.errors import DomainError
from config.times import require_sensible_time
from qrcodes.amounts import read_amount
from qrcodes.models import Offer


def _read_text(written: object, *, what: str, longest: int) -> str:
    if not isinstance(written, str):
        raise DomainError("invalid_offer", f"The offer's {what} must be a text.")
    text = written.strip()
    if len(text) > longest:
        raise DomainError(
            "invalid_offer", f"The offer's {what} is too long: use up to {longest} characters."
        )
    return text


def _read_start(written: datetime | date | str | None) -> datetime | None:
    """Return a moment; without a zone it is the business's, without a time it is midnight."""
    if written is None or written == "":
        return None
    moment: object = written
    if isinstance(written, str):
        try:
            moment = parse_datetime(written.strip()) or parse_date(written.strip())
        except ValueError:
            moment = None
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min)
    if not isinstance(moment, datetime):
        raise DomainError(
            "invalid_offer",
            "The offer's start (starts_at) cannot be read: write it like 2026-12-01 10:00.",
        )
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(settings.TIME_ZONE))
    require_sensible_time(aware, now=database_now())
    return aware


def create_offer(
    *,
    campaign_id: int,
    title: str,
    terms: str = "",
    value: str = "",
    minimum_amount: Decimal | float | str | None = None,
    starts_at: datetime | date | str | None = None,
    max_redemptions: int | None = None,
    max_discount: Decimal | float | str | None = None,
) -> Offer:
    """Store the offer of a campaign.

    Raises DomainError ``invalid_offer`` or ``invalid_amount``, naming the field.
    """
    columns = _read_terms(
        title=title,
        terms=terms,
        value=value,
        minimum_amount=minimum_amount,
        starts_at=starts_at,
        max_redemptions=max_redemptions,
        max_discount=max_discount,
    )
    return Offer.objects.create(campaign_id=campaign_id, **columns)


def update_offer(*, campaign_id: int, **terms: Any) -> None:
    """Write a campaign's offer anew, creating it where there is none; its state stays.

    ``terms`` are the other arguments of ``create_offer``; raises what that raises. Whether an offer
    may still be changed is the campaign's rule.
    """
    columns = _read_terms(**terms)
    Offer.objects.update_or_create(campaign_id=campaign_id, defaults=columns)


def _read_terms(
    *,
    title: str,
    terms: str = "",
    value: str = "",
    minimum_amount: Decimal | float | str | None = None,
    starts_at: datetime | date | str | None = None,
    max_redemptions: int | None = None,
    max_discount: Decimal | float | str | None = None,
) -> dict[str, Any]:
    title = _read_text(title, what="title", longest=200)
    if not title:
        raise DomainError(
            "invalid_offer", "The offer needs a title, such as “20% off every pizza”."
        )
    if max_redemptions is not None and (
        not isinstance(max_redemptions, int)
        or isinstance(max_redemptions, bool)
        or not 1 <= max_redemptions <= 2_000_000_000
    ):
        raise DomainError(
            "invalid_offer",
            "The offer's budget of redemptions (max_redemptions) must be a whole number from 1.",
        )
    budget = read_amount(max_discount, what="offer's budget (max_discount)")
    if budget is not None and not budget:
        raise DomainError(
            "invalid_offer",
            "The offer's budget (max_discount) must be more than 0; leave it out for no limit.",
        )
    return {
        "title": title,
        "terms": _read_text(terms, what="terms", longest=5_000),
        "value": _read_text(value, what="value", longest=40),
        "minimum_amount": read_amount(minimum_amount, what="offer's minimum bill (minimum_amount)"),
        "starts_at": _read_start(starts_at),
        "max_redemptions": max_redemptions,
        "max_discount": budget,
    }


def set_offer_state(*, campaign_id: int, state: str) -> bool:
    """Honour a campaign's codes or stop honouring them, at once and for every code.

    Returns whether that changed anything; a campaign without an offer has nothing to change.
    """
    wanted = Offer.State(state)
    changed = Offer.objects.filter(campaign_id=campaign_id).exclude(state=wanted)
    return changed.update(state=wanted) == 1
