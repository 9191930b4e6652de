"""The three faces of a code: the token, the short code people type, and the addresses they open.

Pure functions; nothing here reads the database.
"""

import hashlib
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as day_time
from zoneinfo import ZoneInfo

from django.conf import settings

from customers.encryption import blind_index

# No 0/O, 1/I/L, U/V look-alikes: 30 letters, so ten of them hold 49 bits.
SHORT_CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
SHORT_CODE_LENGTH = 10
SHORT_CODE_PLACE = "qrcodes_qrcode.short_code"
# 18 digits always fit a 64-bit key: a longer number cannot be one of ours.
_TOKEN = re.compile(r"([0-9]{1,18})-([0-9]{1,18})-([0-9a-f]{32})")
_SHORT_CODE = re.compile(f"[{SHORT_CODE_ALPHABET}]{{{SHORT_CODE_LENGTH}}}")
_ADDRESS = re.compile(r"/[rc]/([^/?#.]+)", re.IGNORECASE)
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_LONGEST_INPUT = 500


@dataclass(frozen=True, slots=True)
class ParsedCode:
    """What somebody scanned or typed: a token, a short code, or neither.

    ``digest`` is the keyed hash under which an attempt keeps it: the same for both faces of one
    code, and for a code that cannot be one of ours a hash of what was typed.
    """

    token: str
    short_code: str
    campaign_id: int
    customer_id: int
    digest: str

    @property
    def is_malformed(self) -> bool:
        """Whether it cannot be a code at all."""
        return not self.short_code


def make_token(campaign_id: int, customer_id: int) -> str:
    """Return a new token ``{campaign_id}-{customer_id}-{32 hex digits}`` (Q-2)."""
    return f"{campaign_id}-{customer_id}-{secrets.token_hex(16)}"


def short_code_of(token: str) -> str:
    """Return the ten letters that stand for ``token``.

    They follow from the token under BLIND_INDEX_KEY, so the database keeps only their hash.
    """
    digest = hmac.new(
        settings.BLIND_INDEX_KEY, b"qrcodes.short_code\x00" + token.encode(), hashlib.sha256
    ).digest()
    number = int.from_bytes(digest)
    letters = []
    for _ in range(SHORT_CODE_LENGTH):
        number, rest = divmod(number, len(SHORT_CODE_ALPHABET))
        letters.append(SHORT_CODE_ALPHABET[rest])
    return "".join(letters)


def display_short_code(short_code: str) -> str:
    """Return a short code as people read it: ABCDE-12345."""
    middle = SHORT_CODE_LENGTH // 2
    return f"{short_code[:middle]}-{short_code[middle:]}"


def short_code_hash(short_code: str) -> str:
    """Return the keyed hash that finds a short code, 64 hex digits."""
    return blind_index(short_code, place=SHORT_CODE_PLACE)


def parse_code(text: str) -> ParsedCode:
    """Read a scanned or typed code: an address, a token or a short code.

    Any case, stray spaces and hyphens are forgiven. Never raises: what cannot be a code comes back
    malformed.
    """
    tidy = unicodedata.normalize("NFKC", text[:_LONGEST_INPUT]).translate(_DASHES)
    # Zero-width marks travel with text copied out of messages; a scanner may append controls.
    tidy = "".join(c for c in tidy if not c.isspace() and unicodedata.category(c)[0] != "C")
    found = _ADDRESS.search(tidy)
    code = found[1] if found else tidy
    token = _TOKEN.fullmatch(code.lower())
    if token:
        short_code = short_code_of(token[0])
        return ParsedCode(
            token[0], short_code, int(token[1]), int(token[2]), short_code_hash(short_code)
        )
    short_code = code.upper().replace("-", "")
    if _SHORT_CODE.fullmatch(short_code):
        return ParsedCode("", short_code, 0, 0, short_code_hash(short_code))
    return ParsedCode("", "", 0, 0, blind_index(tidy, place="qrcodes_scanattempt.malformed"))


def expiry_of(made_at: datetime, days: int) -> datetime:
    """Return the last moment of the ``days``-th day after ``made_at``, in UTC (Q-4).

    Days begin at midnight in TIME_ZONE, the business's own.
    """
    zone = ZoneInfo(settings.TIME_ZONE)
    day_after = made_at.astimezone(zone).date() + timedelta(days=days + 1)
    midnight = datetime.combine(day_after, day_time.min, tzinfo=zone)
    return midnight.astimezone(UTC) - timedelta(microseconds=1)


def redeem_url(token: str) -> str:
    """Return the address that a QR code carries."""
    return f"{settings.PUBLIC_BASE_URL}/r/{token}"


def coupon_url(token: str) -> str:
    """Return the address of the coupon page, short enough for a text message."""
    return f"{settings.PUBLIC_BASE_URL}/c/{short_code_of(token)}"


def image_url(token: str) -> str:
    """Return the address of the code's PNG."""
    return f"{coupon_url(token)}.png"


def qr_payload(token: str) -> str:
    """Return what the QR image says: an address, or the bare token with QR_PAYLOAD=token (Q-3)."""
    return token if settings.QR_PAYLOAD == "token" else redeem_url(token)
