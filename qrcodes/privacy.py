"""What coupons hold about one person (C-8)."""

from typing import Any

from customers.privacy import Holding
from qrcodes.models import QRCode, Redemption, ScanAttempt


def export_coupons(customer_id: int) -> list[dict[str, Any]]:
    """Return a customer's coupons with every scan and use, times in UTC.

    Tokens are left out: whoever read the export could redeem with them.
    """
    codes = QRCode.objects.filter(customer_id=customer_id).select_related("offer").order_by("id")
    scans = _by_code(
        ScanAttempt.objects.filter(qr_code__customer_id=customer_id).select_related("location")
    )
    uses = _by_code(
        Redemption.history.filter(qr_code__customer_id=customer_id).select_related("location")
    )
    return [
        {
            "offer": code.offer.title,
            "is_test": code.is_test,
            "made_at": code.created_at.isoformat(),
            "expires_at": code.expires_at.isoformat(),
            "first_viewed_at": code.first_viewed_at and code.first_viewed_at.isoformat(),
            "withdrawn_at": code.withdrawn_at and code.withdrawn_at.isoformat(),
            "scans": [_scan(scan) for scan in scans.get(code.pk, ())],
            "uses": [_use(use) for use in uses.get(code.pk, ())],
        }
        for code in codes
    ]


def _by_code(rows: Any) -> dict[int, list[Any]]:
    grouped: dict[int, list[Any]] = {}
    for row in rows.order_by("id"):
        grouped.setdefault(row.qr_code_id, []).append(row)
    return grouped


def _scan(scan: ScanAttempt) -> dict[str, Any]:
    return {
        "at": scan.at.isoformat(),
        "accepted": scan.accepted,
        "reason": scan.reason,
        "location": scan.location.name if scan.location else "",
    }


def _use(use: Redemption) -> dict[str, Any]:
    return {
        "at": use.redeemed_at.isoformat(),
        "location": use.location.name if use.location else "",
        "bill": None if use.amount is None else str(use.amount),
        "discount": None if use.discount is None else str(use.discount),
        "note": use.note,
        "undone_at": use.undone_at and use.undone_at.isoformat(),
        "undone_because": use.undo_reason,
    }


def forget_notes(customer_id: int) -> None:
    """Remove what staff wrote about a customer's visits; when and where stay for the statistics."""
    uses = Redemption.history.filter(qr_code__customer_id=customer_id)
    uses.exclude(note="").update(note="")
    # The database demands a reason of what was undone.
    uses.exclude(undo_reason="").update(undo_reason="(erased)")


HOLDING = Holding("coupons", export_coupons, forget_notes)
