"""Normal forms of email addresses and phone numbers (C-3), and where they must not be (C-2)."""

import re
import unicodedata

import idna
import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from config.errors import DomainError

# What a spreadsheet makes of a long number in a column that is not text.
_SHORTENED = re.compile(r"\d+([.,]\d+)?E\+?\d+", re.IGNORECASE)
_NO_DIGIT = re.compile(r"\D")
_EMAIL_INSIDE = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")


def _visible(raw: str) -> str:
    """Drop invisible characters, which pasted addresses carry, and surrounding spaces."""
    if raw.isascii():
        return raw.strip()
    return "".join(c for c in raw if unicodedata.category(c) != "Cf").strip()


def normalise_email(raw: str) -> str:
    """Return the address in lower case, without spaces, its domain in ASCII (IDNA 2008).

    Raises DomainError ``invalid_email``. The local part is lower-cased too: providers that tell
    case apart do not exist among those people use, and duplicates would be sent twice.
    """
    text = _visible(unicodedata.normalize("NFC", raw))
    text = text.removeprefix("mailto:").strip("<>").strip()
    local, at, domain = text.rpartition("@")
    try:
        if not at or not local or len(text) > 254:
            raise ValueError
        if not domain.isascii():
            domain = idna.encode(domain, uts46=True).decode()
        address = f"{local}@{domain}".lower()
        validate_email(address)
        # Providers accept ASCII local parts only (RFC 5321; SMTPUTF8 is not offered by SendGrid).
        address.encode("ascii")
    except (ValueError, ValidationError):
        raise DomainError(
            "invalid_email",
            "The email address is not valid: write it like name@example.com.",
        ) from None
    return address


def normalise_phone(raw: str, *, region: str | None = None) -> str:
    """Return the number in E.164, reading national forms in ``region`` (DEFAULT_PHONE_REGION).

    Raises DomainError ``invalid_phone``.
    """
    text = _visible(unicodedata.normalize("NFKC", raw)).lstrip("'")
    if _SHORTENED.fullmatch(text):
        raise DomainError(
            "invalid_phone",
            "A spreadsheet has shortened the phone number: format its column as text, and export "
            "the file again.",
        )
    try:
        number = phonenumbers.parse(text, region or settings.DEFAULT_PHONE_REGION)
        valid = phonenumbers.is_valid_number(number) and not number.extension
    except phonenumbers.NumberParseException:
        valid = False
    if not valid:
        raise DomainError(
            "invalid_phone",
            "The phone number is not valid: write it with its country code, like +49 30 123456.",
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def holds_address(text: str, *, phone: str = "") -> bool:
    """Tell whether a text that is stored in clear would show an email address or a phone number.

    Digits alone count only where they are those of ``phone``, in E.164 or without its country code:
    birthdays and order numbers look like somebody's number.
    """
    if "@" in text and _EMAIL_INSIDE.search(text):
        return True
    digits = _NO_DIGIT.sub("", text)
    if len(digits) < 7:
        return False
    if phone and digits.lstrip("0") and phone.endswith(digits.lstrip("0")):
        return True
    if not text.strip().startswith(("+", "00")):
        return False
    try:
        normalise_phone(text)
    except DomainError:
        return False
    return True


def refuse_address(text: str, *, label: str, phone: str = "") -> None:
    """Raise DomainError ``address_in_clear`` when ``text`` shows an email address or a number."""
    if holds_address(text, phone=phone):
        raise DomainError(
            "address_in_clear",
            f"The {label} holds an email address or a phone number, which Handbill keeps encrypted "
            "only: put it under email or phone, or leave it out.",
        )
