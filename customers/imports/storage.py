"""An import's file and rejected rows as encrypted pieces in the database (C-2)."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from customers.encryption import decrypt_bytes, encrypt_bytes
from customers.models import CustomerImport, ImportPart

PART_BYTES = 256 * 1024
UPLOAD, REJECTS = ImportPart.Kind.UPLOAD, ImportPart.Kind.REJECTS


def _add_part(customer_import: CustomerImport, kind: str, number: int, plain: bytes) -> None:
    part = ImportPart(customer_import=customer_import, kind=kind, number=number)
    part.content = encrypt_bytes(plain, place=part.place)
    part.save(force_insert=True)


def store_upload(customer_import: CustomerImport, chunks: Iterable[bytes]) -> None:
    """Encrypt and store a file piece by piece."""
    number = 0
    for chunk in chunks:
        for start in range(0, len(chunk), PART_BYTES):
            _add_part(customer_import, UPLOAD, number, chunk[start : start + PART_BYTES])
            number += 1


def read_parts(customer_import: CustomerImport, kind: str) -> Iterator[bytes]:
    """Yield the pieces in order, decrypted, one in memory at a time.

    Raises DecryptionError when a piece cannot be read.
    """
    number = 0
    while True:
        part = ImportPart.objects.filter(
            customer_import=customer_import, kind=kind, number=number
        ).first()
        if part is None:
            return
        yield decrypt_bytes(bytes(part.content), place=part.place)
        number += 1


class PartsStream(io.RawIOBase):
    """The stored file as a stream of bytes."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""

    def readable(self) -> bool:
        """Tell the io module that this stream can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with the next bytes; return how many, 0 at the end."""
        if not self._rest:
            self._rest = next(self._parts, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def open_upload(customer_import: CustomerImport) -> PartsStream:
    """Return the stored file as a stream of bytes."""
    return PartsStream(read_parts(customer_import, UPLOAD))


def csv_line(cells: list[str], delimiter: str) -> str:
    """Return one line of a CSV file."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()


def add_rejects(customer_import: CustomerImport, lines: list[str]) -> None:
    """Store rejected rows, given as lines of CSV, after those that are there."""
    if not lines:
        return
    stored = ImportPart.objects.filter(customer_import=customer_import, kind=REJECTS)
    _add_part(customer_import, REJECTS, stored.count(), "".join(lines).encode())


def read_rejects(customer_import: CustomerImport) -> Iterator[str]:
    """Yield the rejected rows as CSV: its header first, then pieces of whole lines."""
    for plain in read_parts(customer_import, REJECTS):
        yield plain.decode()


def has_rejects(customer_import: CustomerImport) -> bool:
    """Tell whether rejected rows are still kept."""
    return ImportPart.objects.filter(customer_import=customer_import, kind=REJECTS).exists()


def delete_parts(customer_import: CustomerImport, *kinds: str) -> None:
    """Delete the file, the rejected rows, or both."""
    ImportPart.objects.filter(customer_import=customer_import, kind__in=kinds).delete()
