"""What a scan is answered: one stable reason code each, and the sentence for people (X-2)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format

from qrcodes.models import ScanAttempt

ACCEPTED = "accepted"
REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one scan, as page, command and API show it.

    ``redeemed_at``, ``location`` and ``staff`` say when, where and by whom: of this redemption, or
    of the earlier one when the reason is ``already_redeemed``. For a mere look ``redemption_id`` is
    None although the status is ``accepted``. ``qr_code_id`` and ``attempt_id``, the record of this
    scan if there is one, are for our own pages only.
    """

    status: str
    reason: str
    message: str
    offer: str = ""
    redemption_id: int | None = None
    redeemed_at: datetime | None = None
    location: str = ""
    staff: str = ""
    qr_code_id: int | None = None
    attempt_id: int | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the coupon counts."""
        return self.status == ACCEPTED

    def as_dict(self) -> dict[str, Any]:
        """Return the answer for programs, times in ISO 8601."""
        return {
            "status": self.status,
            "reason": self.reason,
            "redemption_id": self.redemption_id,
            "offer": self.offer,
            "redeemed_at": self.redeemed_at.isoformat() if self.redeemed_at else None,
            "location": self.location,
            "staff": self.staff,
            "message": self.message,
        }

    @classmethod
    def from_attempt(cls, attempt: ScanAttempt) -> Self:
        """Return what was answered to a recorded attempt."""
        written = attempt.answer["redeemed_at"]
        kept = {
            "redeemed_at": parse_datetime(written) if written else None,
            "qr_code_id": attempt.qr_code_id,
            "attempt_id": attempt.pk,
        }
        return cls(**{**attempt.answer, **kept})


def say_time(moment: datetime) -> str:
    """Return a moment as the business reads it: 21 November 2026, 14:03."""
    return date_format(timezone.localtime(moment), "j F Y, H:i")


def say_amount(amount: object) -> str:
    """Return an amount with the business's currency."""
    return f"{amount} {settings.CURRENCY}"


def say_use(moment: datetime, *, location: str, staff: str) -> str:
    """Return when, where and by whom a code was used."""
    where = f" at {location}" if location else ""
    by_whom = f" by {staff}" if staff else ""
    return f"on {say_time(moment)}{where}{by_whom}"
