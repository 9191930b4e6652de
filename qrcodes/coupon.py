"""What the coupon page tells its customer (Q-5)."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format

from config.clock import database_now
from qrcodes.codes import display_short_code, parse_code, short_code_of
from qrcodes.models import QRCode
from qrcodes.redeem import find_code, judge
from qrcodes.verdicts import Verdict, say_amount, say_time

VALID = "valid"
WAITING = "waiting"
OVER = "over"
TEST = "test"


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon as its customer sees it.

    ``state`` is ``valid``, ``waiting`` (not started), ``over`` or ``test``; ``headline`` and
    ``detail`` say it in words. No name and no address.
    """

    qr_code: QRCode
    state: str
    headline: str
    detail: str
    short_code: str
    minimum: str

    @property
    def title(self) -> str:
        """What the coupon is for."""
        return self.qr_code.offer.title

    @property
    def shown_code(self) -> str:
        """The short code as people read it aloud."""
        return display_short_code(self.short_code)

    @property
    def is_shown(self) -> bool:
        """Whether the QR code is still of use to anyone."""
        return self.state != OVER


def say_day(moment: datetime) -> str:
    """Return a day as the business reads it: 21 November 2026."""
    return date_format(timezone.localtime(moment), "j F Y")


def _describe(code: QRCode, verdict: Verdict) -> tuple[str, str, str]:
    """Return state, headline and detail."""
    state, headline, detail = OVER, "No longer valid", "This offer was withdrawn."
    if verdict.is_accepted:
        state, headline, detail = VALID, _until(code), _uses_left(code)
    elif verdict.reason == "not_started" and code.offer.starts_at:
        state, headline, detail = WAITING, f"Valid from {say_time(code.offer.starts_at)}", ""
    elif verdict.reason == "test_code":
        state, headline = TEST, "Test coupon"
        detail = "It shows what customers get, and is worth nothing."
    elif verdict.reason == "already_redeemed":
        headline = f"Used on {say_time(verdict.redeemed_at)}" if verdict.redeemed_at else "Used"
        detail = f"At {verdict.location}" if verdict.location else ""
    elif verdict.reason == "expired":
        headline, detail = f"Expired on {say_day(code.expires_at)}", ""
    elif verdict.reason == "budget_reached":
        headline, detail = "All gone", "This offer has been used as often as it could be."
    return state, headline, detail


def _uses_left(code: QRCode) -> str:
    left = code.max_usage - code.usage_count
    if code.max_usage == 1:
        return ""
    return "You can use it once more." if left == 1 else f"You can use it {left} more times."


def _until(code: QRCode) -> str:
    return f"Valid until {say_day(code.expires_at)}"


def open_coupon(text: str) -> Coupon | None:
    """Return the coupon of a token or short code, or None for a wrong one. Changes nothing."""
    code = find_code(parse_code(text))
    if code is None:
        return None
    state, headline, detail = _describe(code, judge(code, now=database_now()))
    minimum = code.offer.minimum_amount
    return Coupon(
        qr_code=code,
        state=state,
        headline=headline,
        detail=detail,
        short_code=short_code_of(code.token),
        minimum=say_amount(minimum) if minimum else "",
    )
