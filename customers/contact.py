"""Normal forms of email addresses and phone numbers (C-3)."""

import unicodedata

import idna
import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from config.errors import DomainError


def normalise_email(raw: str) -> str:
    """Return the address in lower case, without spaces, its domain in ASCII (IDNA 2008).

    Raises DomainError ``invalid_email``. The local part is lower-cased too: providers that tell
    case apart do not exist among those people use, and duplicates would be sent twice.
    """
    text = unicodedata.normalize("NFC", raw).strip().strip("<>").strip()
    text = text.removeprefix("mailto:")
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
    text = unicodedata.normalize("NFKC", raw).strip().lstrip("'")
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
