"""Amounts of money as people and files write them."""

import re
from decimal import Decimal

from config.errors import DomainError

LARGEST_AMOUNT = Decimal("99999999.99")
_WRITTEN = re.compile(r"[0-9]{1,12}([.,][0-9]{1,2})?")


def read_amount(written: Decimal | float | str | None, *, what: str) -> Decimal | None:
    """Return an amount with two decimals, or None for nothing.

    ``what`` names it in the sentence: “bill”. Raises DomainError ``invalid_amount`` for anything
    but a number from 0 to 99,999,999.99 with at most two decimals, after a point or a comma.
    """
    text = "" if written is None else str(written).strip()
    if not text:
        return None
    amount = None
    if not isinstance(written, bool) and _WRITTEN.fullmatch(text):
        amount = Decimal(text.replace(",", ".")).quantize(Decimal("0.01"))
    if amount is None or amount > LARGEST_AMOUNT:
        raise DomainError(
            "invalid_amount",
            f"The {what} “{text[:40]}” cannot be read: write it as a number such as 23.50.",
        )
    return amount
