"""Giving customers their codes: token, PNG, base64, then the row (Q-1, Q-2)."""

import base64
import logging
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from config.clock import database_now
from qrcodes.codes import (
    expiry_of,
    make_token,
    qr_payload,
    short_code_hash,
    short_code_of,
)
from qrcodes.images import qr_png
from qrcodes.models import Offer, QRCode

logger = logging.getLogger(__name__)

# A short code that another token has already is one in 10¹⁴; a second try settles it.
TRIES = 3


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A stored code and its image, as PNG and as the base64 text of that PNG."""

    qr_code: QRCode
    png: bytes
    png_base64: str


@dataclass(slots=True)
class IssuedCodes:
    """Customer id → code, and the customers for whom none could be made."""

    codes: dict[int, IssuedCode] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Image:
    token: str
    png: bytes
    png_base64: str


def _draw(token: str) -> _Image:
    png = qr_png(qr_payload(token))
    return _Image(token, png, base64.b64encode(png).decode("ascii"))


def _draw_or_log(token: str, offer: Offer, customer_id: int) -> _Image | None:
    try:
        return _draw(token)
    except Exception as error:
        # The text of an error may hold the token, which is money: its kind is enough.
        logger.error(
            "qr_failed: no QR code for customer %s of campaign %s (%s)",
            customer_id,
            offer.campaign_id,
            type(error).__name__,
        )
        return None


def _new_code(
    *,
    offer: Offer,
    customer_id: int,
    token: str,
    now: datetime,
    expiration_days: int,
    max_usage: int,
) -> QRCode:
    return QRCode(
        campaign_id=offer.campaign_id,
        customer_id=customer_id,
        offer=offer,
        token=token,
        short_code_hash=short_code_hash(short_code_of(token)),
        created_at=now,
        expires_at=expiry_of(now, expiration_days),
        max_usage=max_usage,
    )


def _stored_codes(offer: Offer, customer_ids: list[int]) -> dict[int, QRCode]:
    rows = QRCode.objects.real().filter(campaign_id=offer.campaign_id, customer_id__in=customer_ids)
    return {row.customer_id: row for row in rows}


def issue_codes(
    *, offer: Offer, customer_ids: list[int], expiration_days: int, max_usage: int
) -> IssuedCodes:
    """Return the one code of each customer for the offer's campaign, making those that are missing.

    Callers that overlap agree on one row each: who comes second reads what the first stored. A
    customer whose code cannot be made has no row and is in ``failed``; the others go on.
    """
    issued = IssuedCodes()
    images: dict[int, _Image] = {}
    wanted = sorted(set(customer_ids))
    stored = _stored_codes(offer, wanted)
    for _ in range(TRIES):
        missing = [pk for pk in wanted if pk not in stored and pk not in issued.failed]
        if not missing:
            break
        for customer_id in missing:
            token = make_token(offer.campaign_id, customer_id)
            image = _draw_or_log(token, offer, customer_id)
            if image is None:
                issued.failed.add(customer_id)
            else:
                images[customer_id] = image
        now = database_now()
        with transaction.atomic():
            # Sorted by customer: two senders that insert the same rows never wait in a circle.
            QRCode.objects.bulk_create(
                [
                    _new_code(
                        offer=offer,
                        customer_id=pk,
                        token=images[pk].token,
                        now=now,
                        expiration_days=expiration_days,
                        max_usage=max_usage,
                    )
                    for pk in missing
                    if pk in images
                ],
                ignore_conflicts=True,
            )
            stored.update(_stored_codes(offer, missing))
    for customer_id in wanted:
        row = stored.get(customer_id)
        image = images.get(customer_id)
        if row and (image is None or image.token != row.token):
            image = _draw_or_log(row.token, offer, customer_id)
        if row and image:
            issued.failed.discard(customer_id)
            issued.codes[customer_id] = IssuedCode(row, image.png, image.png_base64)
        else:
            issued.failed.add(customer_id)
    return issued


def issue_test_code(*, offer: Offer, customer_id: int, expiration_days: int) -> IssuedCode:
    """Store a code for a test send: it scans as TEST, counts nowhere and may be one of many (M-9).

    Raises ValueError when its text does not fit into a QR code.
    """
    image = _draw(make_token(offer.campaign_id, customer_id))
    row = _new_code(
        offer=offer,
        customer_id=customer_id,
        token=image.token,
        now=database_now(),
        expiration_days=expiration_days,
        max_usage=1,
    )
    row.is_test = True
    row.save()
    return IssuedCode(row, image.png, image.png_base64)


def sample_code(*, offer: Offer, expiration_days: int) -> IssuedCode:
    """Return a code for a preview: nothing is stored, so no till knows it."""
    now = database_now()
    image = _draw(make_token(offer.campaign_id, 0))
    row = _new_code(
        offer=offer,
        customer_id=0,
        token=image.token,
        now=now,
        expiration_days=expiration_days,
        max_usage=1,
    )
    return IssuedCode(row, image.png, image.png_base64)
