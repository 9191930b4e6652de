"""Codes that are out already can be withdrawn, and honoured again (Q-6)."""

from config.clock import database_now
from qrcodes.models import QRCodeQuerySet


def withdraw_codes(*, codes: QRCodeQuerySet) -> int:
    """Stop honouring these codes from now on; return how many that changed."""
    return codes.filter(withdrawn_at=None).update(withdrawn_at=database_now())


def reenable_codes(*, codes: QRCodeQuerySet) -> int:
    """Honour these codes again, as far as they are valid; return how many that changed."""
    return codes.filter(withdrawn_at__isnull=False).update(withdrawn_at=None)
