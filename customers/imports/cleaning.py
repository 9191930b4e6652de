"""From one record to what it says about a customer, or to why it cannot be used (C-5).

Pure: no database, so that it can run ahead of a transaction.
"""

import functools
import re
import unicodedata
import zoneinfo
from dataclasses import dataclass, field

from config.errors import DomainError
from customers.contact import normalise_email, normalise_phone, refuse_address
from customers.csv_cells import restore
from customers.encryption import blind_index
from customers.imports.mapping import ATTRIBUTE, FIELDS, Mapping, has_consent_column
from customers.imports.reading import Record
from customers.models import EMAIL_PLACE, PHONE_PLACE, Channel, ConsentAction
from customers.segments import normalise_tag

MAX_CHARACTERS = {
    "first_name": 120,
    "last_name": 120,
    "external_id": 120,
    "language": 12,
    "time_zone": 64,
}
MAX_ATTRIBUTE_CHARACTERS = 1_000
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})?", re.IGNORECASE)

# The words of Shopify (yes, no), Square (subscribed, unsubscribed, unknown) and Klaviyo
# (SUBSCRIBED, UNSUBSCRIBED, NEVER_SUBSCRIBED), and what people write.
_CONSENT_WORDS: dict[str, str] = (
    dict.fromkeys(
        ("yes", "y", "true", "1", "subscribed", "opted in", "opt in", "on", "ja", "x"),
        ConsentAction.OPT_IN.value,
    )
    | dict.fromkeys(
        (
            *("no", "n", "false", "0", "unsubscribed", "opted out", "opt out", "off", "nein"),
            *("bounced", "cleaned", "complained", "suppressed"),
        ),
        ConsentAction.OPT_OUT.value,
    )
    | dict.fromkeys(
        ("", "unknown", "never subscribed", "not subscribed", "non subscribed", "pending", "none"),
        "",
    )
)


@dataclass(slots=True)
class CleanRow:
    """What a record says about a customer. Empty texts say nothing."""

    line: int
    external_id: str = ""
    email: str = ""
    email_index: str = ""
    phone: str = ""
    phone_index: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    # Channel → opt_in or opt_out; a channel that is absent is not spoken of.
    consent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every row of a list."""

    mapping: Mapping
    width: int
    tags: tuple[str, ...]
    stated_consent: frozenset[str]


@functools.cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def bad_row(message: str) -> DomainError:
    """Return the error that rejects a row; ``message`` says what to do."""
    return DomainError("rejected_row", message)


def tidy_text(text: str) -> str:
    """Return a text in NFC, without spaces around it."""
    return unicodedata.normalize("NFC", text).strip()


def read_text(cell: str) -> str:
    """Return the text of a cell: tidy, without the apostrophe that guards it."""
    # A guard comes first of all; spaces behind it are the cell's own.
    return tidy_text(restore(cell if cell.startswith("'") else cell.strip()))


def clean_text(field_name: str, text: str) -> str:
    """Return a name, language, time zone or external id as it is stored.

    Raises DomainError ``rejected_row`` when it is too long or not one.
    """
    label = FIELDS[field_name].split(" (")[0].lower()
    if len(text) > MAX_CHARACTERS[field_name]:
        raise bad_row(f"The {label} is too long: use {MAX_CHARACTERS[field_name]} characters.")
    if field_name == "language":
        text = text.replace("_", "-")
        if not _LANGUAGE.fullmatch(text):
            raise bad_row(f"The language “{text[:40]}” is not a code: write it like en or pt-BR.")
    if field_name == "time_zone" and text not in _time_zones():
        raise bad_row(f"The time zone “{text[:40]}” is unknown: write it like Europe/Berlin.")
    return text


@functools.lru_cache(maxsize=4096)
def read_tags(cell: str) -> tuple[str, ...]:
    """Return the tags of a cell; Mailchimp puts each between quotation marks.

    Raises DomainError ``invalid_tag``.
    """
    parts = (part.strip().strip('"') for part in re.split(r"[,;]", cell))
    return tuple(normalise_tag(part) for part in parts if part.strip())


@functools.lru_cache(maxsize=256)
def read_consent(cell: str, *, label: str) -> str:
    """Return opt_in, opt_out, or an empty text where a cell says neither.

    Raises DomainError ``rejected_row`` for a word that is not known.
    """
    word = re.sub(r"[\W_]+", " ", cell.lower()).strip()
    if word not in _CONSENT_WORDS:
        raise bad_row(f"“{label}” says “{cell[:40]}”: write yes, no, or leave it blank.")
    return _CONSENT_WORDS[word]


def clean_record(record: Record, rules: Rules) -> CleanRow:
    """Return what a record says.

    Raises DomainError, with a sentence that says what to do, when any of its used cells is not
    valid: a row goes in whole or not at all.
    """
    cells = _cells_of(record, rules.width)
    row = CleanRow(record.line, tags=list(rules.tags))
    for channel in rules.stated_consent:
        if not has_consent_column(rules.mapping, channel):
            row.consent[channel] = ConsentAction.OPT_IN.value
    opted_out: dict[str, str] = {}
    for name, positions in rules.mapping.items():
        for position in positions:
            cell = read_text(cells[position])
            if cell and name.endswith("_opt_out"):
                opted_out[name.removesuffix("_opt_out")] = ConsentAction.OPT_OUT.value
            elif cell:
                _read_cell(row, name, cell)
    row.consent |= opted_out
    row.tags = list(dict.fromkeys(row.tags))
    _refuse_addresses(row)
    return row


def _cells_of(record: Record, width: int) -> list[str]:
    """Return a record's cells, as many as there are columns."""
    cells = record.cells
    if record.problem:
        raise bad_row(record.problem)
    if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        cells = cells[:width]
    if len(cells) != width:
        raise bad_row(
            f"The row has {len(cells)} cells, and the first line {width}: put a text with a "
            "separator in it between quotation marks, and add the separators that are missing."
        )
    if any("\x00" in cell for cell in cells):
        raise bad_row("The row holds a character that is no text (NUL): remove it.")
    return cells


def _read_cell(row: CleanRow, name: str, cell: str) -> None:
    if name == "email":
        row.email = normalise_email(cell)
        row.email_index = blind_index(row.email, place=EMAIL_PLACE)
    elif name == "phone":
        row.phone = normalise_phone(cell)
        row.phone_index = blind_index(row.phone, place=PHONE_PLACE)
    elif name == "external_id":
        row.external_id = clean_text(name, cell)
    elif name == "tags":
        row.tags += read_tags(cell)
    elif name.endswith("_consent"):
        action = read_consent(cell, label=FIELDS[name].split(":")[0])
        if action:
            row.consent[name.removesuffix("_consent")] = action
    elif name.startswith(ATTRIBUTE):
        row.attributes[name.removeprefix(ATTRIBUTE)] = _attribute(name, cell)
    else:
        row.texts[name] = clean_text(name, cell)


def _attribute(name: str, cell: str) -> str:
    if len(cell) > MAX_ATTRIBUTE_CHARACTERS:
        raise bad_row(f"“{name}” is too long: use {MAX_ATTRIBUTE_CHARACTERS} characters.")
    return cell


def _refuse_addresses(row: CleanRow) -> None:
    if not (row.external_id or row.email or row.phone):
        raise bad_row("The row has no email, phone or external id: fill in one of them.")
    in_clear = {"external id": row.external_id} | row.attributes
    in_clear |= {name.replace("_", " "): text for name, text in row.texts.items()}
    for label, text in in_clear.items():
        refuse_address(text, label=label, phone=row.phone)


def clean_channels(names: list[str]) -> list[str]:
    """Return the channels of ``--consent``, each once.

    Raises DomainError ``unknown_channel``.
    """
    channels = list(dict.fromkeys(name.strip().lower() for name in names if name.strip()))
    for name in channels:
        if name not in Channel.values:
            raise DomainError(
                "unknown_channel", f"There is no channel “{name[:40]}”: state email, sms or both."
            )
    return channels
