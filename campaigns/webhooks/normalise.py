"""What the readers of all providers share: keys, blind indexes, and payloads without addresses."""

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from config.errors import DomainError
from customers.contact import normalise_email, normalise_phone
from customers.encryption import blind_index
from customers.models import EMAIL_PLACE, PHONE_PLACE

KEY_PLACE = "campaigns_providerevent.key"
# SendGrid's ids are base64url; no address fits.
_KEY = re.compile(r"[A-Za-z0-9_=.:/+-]{1,150}")


def event_key(own: object, content: Any) -> str:
    """Return the provider's ``own`` id of an event, or a keyed hash of its whole ``content``."""
    if isinstance(own, str) and _KEY.fullmatch(own):
        return own
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return blind_index(canonical, place=KEY_PLACE)


def email_index(raw: object) -> str:
    """Return the blind index of an address as customers have it, empty for what is none."""
    try:
        return blind_index(normalise_email(str(raw)), place=EMAIL_PLACE)
    except DomainError:
        return ""


def phone_index(raw: object) -> str:
    """Return the blind index of an E.164 number as customers have it, empty for what is none."""
    try:
        return blind_index(normalise_phone(str(raw)), place=PHONE_PLACE)
    except DomainError:
        return ""


def public_id_of(raw: object) -> uuid.UUID | None:
    """Return a delivery's public id, or None for what is none."""
    try:
        return uuid.UUID(str(raw))
    except ValueError:
        return None


def keep_allowed(
    content: Mapping[str, Any], allowed: Mapping[str, re.Pattern[str]]
) -> dict[str, Any]:
    """Return the fields of ``content`` whose whole value has the form that ``allowed`` names."""
    return {
        name: content[name]
        for name, form in allowed.items()
        if isinstance(content.get(name), str | int) and form.fullmatch(str(content[name]))
    }
