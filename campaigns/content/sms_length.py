"""How long a text message is for the network that bills it: 3GPP TS 23.038 and TS 23.040."""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each of these is sent as an escape and a letter, and counts as two.
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = GSM_BASIC | GSM_EXTENSION
GSM_SINGLE, GSM_CONCATENATED = 160, 153
UCS2_SINGLE, UCS2_CONCATENATED = 70, 67


@dataclass(frozen=True, slots=True)
class SmsLength:
    """What a text costs.

    ``encoding`` is GSM-7 or UCS-2, ``units`` its length in septets or in 16-bit units, ``segments``
    the number of parts that are billed, ``per_segment`` how many units fit into each of that many.
    ``forcing`` holds the characters that GSM-7 lacks, each once, in order: they make it UCS-2.
    """

    encoding: str
    units: int
    segments: int
    per_segment: int
    forcing: tuple[str, ...] = ()


def measure_sms(text: str) -> SmsLength:
    """Return the length of ``text`` as it would be sent; an empty text has no segment."""
    forcing = tuple(dict.fromkeys(c for c in text if c not in _GSM))
    if forcing:
        encoding, single, concatenated = "UCS-2", UCS2_SINGLE, UCS2_CONCATENATED
        sizes = [2 if ord(character) > 0xFFFF else 1 for character in text]
    else:
        encoding, single, concatenated = "GSM-7", GSM_SINGLE, GSM_CONCATENATED
        sizes = [2 if character in GSM_EXTENSION else 1 for character in text]
    units = sum(sizes)
    if units <= single:
        return SmsLength(encoding, units, 1 if text else 0, single, forcing)
    return SmsLength(encoding, units, _count_parts(sizes, concatenated), concatenated, forcing)


def price_of(segments: int) -> Decimal | None:
    """Return what so many segments cost in CURRENCY, None when no price is configured."""
    price: Decimal | None = settings.SMS_PRICE_PER_SEGMENT
    return None if price is None else price * segments


def _count_parts(sizes: list[int], room: int) -> int:
    """Return the number of parts when no character is torn in two at the end of one."""
    parts, used = 1, 0
    for size in sizes:
        if used + size > room:
            parts, used = parts + 1, 0
        used += size
    return parts
