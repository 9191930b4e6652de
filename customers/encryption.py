"""Personal data at rest (C-2): AES-256-GCM under rotating keys; keyed blind indexes for look-up.

A ciphertext is bound to its place (table and column): moved elsewhere it does not decrypt.
"""

import base64
import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_BYTES = 12


class DecryptionError(Exception):
    """A stored value cannot be read: its key is missing, or it was changed or moved."""


@lru_cache(maxsize=32)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def current_key_id() -> str:
    """Return the id of the key that encrypts."""
    return next(iter(settings.FIELD_ENCRYPTION_KEYS))


def encrypt_bytes(plain: bytes, *, place: str) -> bytes:
    """Return key id, nonce and ciphertext of ``plain``, bound to ``place``."""
    key_id = current_key_id()
    nonce = os.urandom(NONCE_BYTES)
    sealed = _cipher(settings.FIELD_ENCRYPTION_KEYS[key_id]).encrypt(nonce, plain, place.encode())
    return key_id.encode() + b"." + nonce + sealed


def decrypt_bytes(stored: bytes, *, place: str) -> bytes:
    """Return what ``encrypt_bytes`` was given.

    Raises DecryptionError when no key fits: it never returns ciphertext.
    """
    key_id, _, sealed = bytes(stored).partition(b".")
    key = settings.FIELD_ENCRYPTION_KEYS.get(key_id.decode("ascii", "replace"))
    if key is None or len(sealed) <= NONCE_BYTES:
        raise DecryptionError(
            f"A value of {place} was encrypted with a key that FIELD_ENCRYPTION_KEYS does not hold."
        )
    try:
        return _cipher(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
    except InvalidTag:
        raise DecryptionError(
            f"A value of {place} does not decrypt: a key in FIELD_ENCRYPTION_KEYS was changed, or "
            "the value was."
        ) from None


def encrypt(plain: str, *, place: str) -> str:
    """Return the ciphertext of ``plain`` as printable text; an empty text stays empty."""
    if not plain:
        return ""
    key_id, _, sealed = encrypt_bytes(plain.encode(), place=place).partition(b".")
    return f"{key_id.decode()}.{base64.urlsafe_b64encode(sealed).decode()}"


def decrypt(stored: str, *, place: str) -> str:
    """Return what ``encrypt`` was given. Raises DecryptionError when no key fits."""
    if not stored:
        return ""
    key_id, _, encoded = stored.partition(".")
    try:
        sealed = base64.urlsafe_b64decode(encoded)
    except ValueError:
        raise DecryptionError(f"A value of {place} is not a ciphertext.") from None
    return decrypt_bytes(key_id.encode() + b"." + sealed, place=place).decode()


def is_current(stored: str) -> bool:
    """Tell whether a ciphertext was made with the key that encrypts now."""
    return not stored or stored.partition(".")[0] == current_key_id()


def are_current(stored: bytes) -> bool:
    """Tell whether the bytes of a ciphertext were made with the key that encrypts now."""
    return stored.partition(b".")[0].decode("ascii", "replace") == current_key_id()


def blind_index(plain: str, *, place: str) -> str:
    """Return a keyed hash of ``plain``, 64 hex digits, equal for equal texts in one place."""
    message = place.encode() + b"\x00" + plain.encode()
    return hmac.new(settings.BLIND_INDEX_KEY, message, hashlib.sha256).hexdigest()
