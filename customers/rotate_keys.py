"""Re-encrypting what older keys encrypted, so that they can be retired (C-2)."""

from typing import Any

from django.db import models, transaction

from customers.encryption import (
    are_current,
    decrypt,
    decrypt_bytes,
    encrypt,
    encrypt_bytes,
    is_current,
)
from customers.models import EMAIL_PLACE, PHONE_PLACE, Customer, ImportPart
from customers.privacy import EncryptedColumn, encrypted_columns, rotations

BATCH_ROWS = 500


def _part_place(part: ImportPart) -> str:
    return part.place


OWN_COLUMNS = (
    EncryptedColumn(Customer, "email_encrypted", EMAIL_PLACE),
    EncryptedColumn(Customer, "phone_encrypted", PHONE_PLACE),
    EncryptedColumn(ImportPart, "content", _part_place),
)


def rotate_keys() -> int:
    """Encrypt every value with the first key; return how many were with another.

    Raises DecryptionError when a value's key is missing; what was done until then stays done. Safe
    to repeat, and while people work: each row is changed under its lock.
    """
    in_columns = sum(_rotate(column) for column in (*OWN_COLUMNS, *encrypted_columns()))
    return in_columns + sum(rotate() for rotate in rotations())


def _rotate(column: EncryptedColumn) -> int:
    binary = isinstance(column.model._meta.get_field(column.column), models.BinaryField)
    rows = 20 if binary else BATCH_ROWS
    rotated, last = 0, 0
    while True:
        with transaction.atomic():
            batch = list(
                column.model._default_manager.select_for_update(of=("self",))
                .filter(pk__gt=last)
                .order_by("pk")[:rows]
            )
            if not batch:
                return rotated
            last = batch[-1].pk
            stale = [row for row in batch if not _is_current(getattr(row, column.column))]
            for row in stale:
                _reencrypt(row, column)
            column.model._default_manager.bulk_update(stale, [column.column])
            rotated += len(stale)


def _is_current(stored: Any) -> bool:
    if isinstance(stored, str):
        return is_current(stored)
    return not stored or are_current(bytes(stored))


def _reencrypt(row: models.Model, column: EncryptedColumn) -> None:
    place = column.place(row) if callable(column.place) else column.place
    stored = getattr(row, column.column)
    if isinstance(stored, str):
        renewed: Any = encrypt(decrypt(stored, place=place), place=place)
    else:
        renewed = encrypt_bytes(decrypt_bytes(stored, place=place), place=place)
    setattr(row, column.column, renewed)
