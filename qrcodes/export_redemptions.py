"""Redemptions as CSV, streamed (A-3)."""

import csv
import io
from collections.abc import Iterable, Iterator

from django.db.models import QuerySet
from django.utils import timezone

from customers.csv_cells import neutralise
from qrcodes.models import Redemption
from qrcodes.redeem import name_staff

CHUNK = 1_000
COLUMNS = (
    "redemption_id",
    "redeemed_at",
    "offer",
    "customer_id",
    "customer",
    "location",
    "staff",
    "bill",
    "discount",
    "note",
    "undone_at",
    "undo_reason",
)


def export_redemptions(*, redemptions: QuerySet[Redemption]) -> Iterator[str]:
    """Yield CSV, a thousand redemptions at a time, in their order; times in the business's zone.

    No email address and no phone number: those are the customers' own export.
    """
    yield _csv([COLUMNS])
    rows = redemptions.select_related("offer", "qr_code__customer", "location", "staff")
    chunk: list[list[str]] = []
    for redemption in rows.iterator(chunk_size=CHUNK):
        chunk.append(_cells(redemption))
        if len(chunk) == CHUNK:
            yield _csv(chunk)
            chunk = []
    yield _csv(chunk)


def _csv(rows: Iterable[Iterable[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()


def _cells(redemption: Redemption) -> list[str]:
    customer = redemption.qr_code.customer
    undone_at = redemption.undone_at
    values = [
        redemption.pk,
        timezone.localtime(redemption.redeemed_at).isoformat(timespec="seconds"),
        redemption.offer.title,
        customer.pk,
        customer.full_name,
        redemption.location or "",
        name_staff(redemption.staff),
        "" if redemption.amount is None else redemption.amount,
        "" if redemption.discount is None else redemption.discount,
        redemption.note,
        timezone.localtime(undone_at).isoformat(timespec="seconds") if undone_at else "",
        redemption.undo_reason,
    ]
    return [neutralise(str(value)) for value in values]
