"""Which column of a list is what: guessed from the names, or as the person says (C-5).

Besides our own export's names, these of Mailchimp, Shopify, Square and Klaviyo exports are known.
"""

import re
import unicodedata
from dataclasses import dataclass

from config.errors import DomainError

ATTRIBUTE = "attributes."
# Usable in a template as customer.attributes.<name>.
_ATTRIBUTE_FIELD = re.compile(r"attributes\.[^\W\d_]\w{0,59}")
KEYS = ("external_id", "email", "phone")
# Field → its label, in the order people see them.
FIELDS = {
    "email": "Email",
    "phone": "Phone",
    "first_name": "First name",
    "last_name": "Last name",
    "external_id": "Number at the till",
    "tags": "Tags",
    "email_consent": "Takes emails: yes or no",
    "sms_consent": "Takes texts: yes or no",
    "email_opt_out": "Unsubscribed from emails: any value",
    "sms_opt_out": "Unsubscribed from texts: any value",
    "language": "Language",
    "time_zone": "Time zone",
}
# Fields that several columns may fill: Mailchimp tells opt-outs in two.
SEVERAL = frozenset({"tags", "email_opt_out", "sms_opt_out"})

Mapping = dict[str, list[int]]

_GUESSES = {
    "email": (
        "email",
        "email address",
        "e mail",
        "e mail address",
        "mail",
        "primary email",
        "e mail adresse",
    ),
    "phone": (
        "phone",
        "phone number",
        "mobile",
        "mobile phone",
        "mobile number",
        "cell phone",
        "telephone",
        "tel",
        "sms phone number",
        "telefon",
        "telefonnummer",
        "handy",
        "mobil",
        "default address phone",
    ),
    "first_name": ("first name", "firstname", "given name", "vorname", "fname"),
    "last_name": ("last name", "lastname", "surname", "family name", "nachname", "lname"),
    "external_id": (
        "external id",
        "reference id",
        "customer id",
        "customer number",
        "square customer id",
        "klaviyo id",
        "kundennummer",
    ),
    "tags": ("tags", "tag", "segments"),
    "email_consent": (
        "email consent",
        "accepts email marketing",
        "accepts marketing",
        "email subscription status",
        "email marketing consent",
        "email marketing consent status",
    ),
    "sms_consent": (
        "sms consent",
        "accepts sms marketing",
        "sms marketing consent",
        "sms marketing consent status",
        "sms subscription status",
    ),
    "email_opt_out": ("unsub time", "clean time"),
    "language": ("language", "locale", "sprache"),
    "time_zone": ("time zone", "timezone"),
}
# What tells an export apart from others.
_SOURCES = {
    "Mailchimp": {"email address", "leid", "euid"},
    "Shopify": {"accepts email marketing", "email", "tags"},
    "Square": {"square customer id", "email address"},
    "Klaviyo": {"email marketing consent"},
}


def _plain(name: str) -> str:
    """Return a column's name in lower-case words, so that E-Mail and e_mail are one."""
    lowered = unicodedata.normalize("NFKC", name).lower()
    return re.sub(r"[\W_]+", " ", lowered).strip()


def recognise_source(names: list[str]) -> str:
    """Return which product exported a list with these columns, or an empty text."""
    present = {_plain(name) for name in names}
    return next((source for source, marks in _SOURCES.items() if marks <= present), "")


def is_attribute(field: str) -> bool:
    """Tell whether a field is a customer's own attribute, ``attributes.<name>``."""
    return _ATTRIBUTE_FIELD.fullmatch(field) is not None


def attribute_for(name: str) -> str:
    """Return the attribute field for a column: ``attributes.favourite_pizza``."""
    word = _plain(name).replace(" ", "_")[:50]
    return ATTRIBUTE + (word if word[:1].isalpha() else f"column_{word}")


def guess_mapping(names: list[str]) -> Mapping:
    """Return what can be told from the columns' names. What is not known is left out.

    Unknown columns never become attributes by themselves: they could hold addresses in clear.
    """
    plain = [_plain(name) for name in names]
    mapping: Mapping = {}
    for field, guesses in _GUESSES.items():
        found = [plain.index(guess) for guess in guesses if guess in plain]
        if found:
            mapping[field] = found if field in SEVERAL else found[:1]
    for position, name in enumerate(names):
        if is_attribute(name.strip()):
            mapping[name.strip()] = [position]
    return mapping


@dataclass(frozen=True, slots=True)
class Override:
    """What a person said about one field: ``field=Header``."""

    field: str
    header: str


def parse_overrides(texts: list[str]) -> list[Override]:
    """Return the overrides of the command's ``--map``.

    Raises DomainError ``invalid_mapping`` when one is not ``field=Header``.
    """
    overrides = []
    for text in texts:
        field, equals, header = text.partition("=")
        if not equals or not field.strip() or not header.strip():
            raise DomainError(
                "invalid_mapping",
                f"“{text[:80]}” is no mapping: write field=Header, such as email=E-Mail.",
            )
        overrides.append(Override(field.strip(), header.strip()))
    return overrides


def _position_of(header: str, names: list[str]) -> int:
    positions = [index for index, name in enumerate(names) if name == header] or [
        index for index, name in enumerate(names) if _plain(name) == _plain(header)
    ]
    if not positions:
        shown = ", ".join(f"“{name}”" for name in names if name)
        raise DomainError(
            "unknown_header", f"The file has no column “{header[:80]}”: it has {shown}."
        )
    if len(positions) > 1:
        raise DomainError(
            "ambiguous_header",
            f"The file has several columns “{header[:80]}”: rename all but one.",
        )
    return positions[0]


def override_mapping(mapping: Mapping, names: list[str], overrides: list[Override]) -> Mapping:
    """Return ``mapping`` with each overridden field taken from the column that was named.

    Raises DomainError ``unknown_field``, ``unknown_header`` or ``ambiguous_header``.
    """
    named: Mapping = {}
    for override in overrides:
        check_field(override.field)
        positions = named.setdefault(override.field, [])
        if positions and override.field not in SEVERAL:
            raise DomainError(
                "invalid_mapping", f"“{override.field}” is mapped twice: name one column for it."
            )
        positions.append(_position_of(override.header, names))
    taken = {position for positions in named.values() for position in positions}
    kept = {
        field: [position for position in positions if position not in taken]
        for field, positions in mapping.items()
        if field not in named
    }
    return {field: positions for field, positions in kept.items() if positions} | named


def check_field(field: str) -> None:
    """Raise DomainError ``unknown_field`` unless a column may be mapped to ``field``."""
    if field not in FIELDS and not is_attribute(field):
        raise DomainError(
            "unknown_field",
            f"There is no field “{field[:80]}”: map {', '.join(FIELDS)} or attributes.<name>.",
        )


def check_mapping(mapping: Mapping) -> None:
    """Raise DomainError ``no_key_column`` when no column tells who a customer is."""
    for field, positions in mapping.items():
        check_field(field)
        if len(positions) > 1 and field not in SEVERAL:
            raise DomainError(
                "invalid_mapping",
                f"Two columns are mapped to “{FIELDS.get(field, field)}”: choose one.",
            )
    if not any(key in mapping for key in KEYS):
        raise DomainError(
            "no_key_column",
            "No column was recognised as email, phone or number at the till: say which one is, "
            "such as email=E-Mail.",
        )


def has_consent_column(mapping: Mapping, channel: str) -> bool:
    """Tell whether the file itself says who takes messages on ``channel``."""
    return f"{channel}_consent" in mapping
