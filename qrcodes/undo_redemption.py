"""Taking a redemption back (X-6): the code is usable again, history keeps both."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from config.clock import database_now
from config.errors import DomainError
from qrcodes.models import QRCode, Redemption

LONGEST_REASON = 200


def undo_redemption(*, redemption_id: int, reason: str, user: User | None) -> Redemption:
    """Undo a redemption not older than REDEMPTION_UNDO_MINUTES and return it.

    Raises DomainError ``reason_missing``, ``unknown_redemption``, ``already_undone`` or
    ``undo_too_late``, and changes nothing then.
    """
    reason = " ".join(reason.split())
    if not reason or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise DomainError(
            "reason_missing", f"Say why, in up to {LONGEST_REASON} characters: it is kept."
        )
    minutes = settings.REDEMPTION_UNDO_MINUTES
    with transaction.atomic():
        redemption = Redemption.history.filter(pk=redemption_id).first()
        if redemption is None:
            raise DomainError("unknown_redemption", "There is no such redemption.")
        # The code's row first, as redeeming does.
        QRCode.objects.select_for_update().get(pk=redemption.qr_code_id)
        now = database_now()
        undone = Redemption.objects.filter(
            pk=redemption_id, redeemed_at__gt=now - timedelta(minutes=minutes)
        ).update(undone_at=now, undone_by=user, undo_reason=reason)
        redemption.refresh_from_db()
        if not undone and redemption.undone_at:
            raise DomainError("already_undone", "This redemption was undone already.")
        if not undone:
            raise DomainError(
                "undo_too_late",
                f"This redemption cannot be undone any more: the time for it is {minutes} minutes.",
            )
        first = Redemption.objects.filter(qr_code=redemption.qr_code_id).order_by("redeemed_at")
        QRCode.objects.filter(pk=redemption.qr_code_id).update(
            usage_count=F("usage_count") - 1,
            redeemed_at=first.values_list("redeemed_at", flat=True).first(),
        )
    return redemption
