"""Merging rows into customers: who a row means, and what it changes (C-5). Pure.

Rows act one after the other, so a second row for the same person merges into the first.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from customers.imports.cleaning import CleanRow, bad_row, tidy_text
from customers.models import ADDRESS_FIELD, ConsentAction

CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"
# What a customer's flag says about a channel, where messages are not taken for any reason: closed.
ASKED_NEVER, OPEN, CLOSED = "", "open", "closed"


@dataclass(slots=True, eq=False)
class Person:
    """A customer as far as an import is concerned; ``pk`` is None for one who is new.

    Lean: a dry run keeps everyone whom the file creates or changes.
    """

    pk: int | None = None
    external_id: str | None = None
    email_index: str | None = None
    phone_index: str | None = None
    first_name: str = ""
    last_name: str = ""
    language: str = ""
    time_zone: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    email_consent: str = ASKED_NEVER
    sms_consent: str = ASKED_NEVER
    tags: frozenset[str] = frozenset()

    # What this import found out and has yet to be written.
    email: str = ""
    phone: str = ""
    before: dict[str, Any] | None = None
    new_tags: tuple[str, ...] = ()
    consent_changes: tuple[tuple[str, str], ...] = ()

    def set(self, name: str, value: Any) -> bool:
        """Set a field, remembering what it was; tell whether that changed it."""
        old = getattr(self, name)
        if old == value:
            return False
        if self.before is None:
            self.before = {}
        self.before.setdefault(name, old)
        setattr(self, name, value)
        return True

    def changed_fields(self) -> frozenset[str]:
        """Return the fields that differ from what is stored."""
        before = self.before or {}
        return frozenset(name for name, old in before.items() if getattr(self, name) != old)

    def has_changed(self) -> bool:
        """Tell whether the import found out anything that is not stored yet."""
        return bool(self.new_tags or self.consent_changes or self.changed_fields())

    def mark_written(self) -> None:
        """Forget what was found out: it is stored now."""
        self.email = self.phone = ""
        self.before = None
        self.new_tags = self.consent_changes = ()


class People:
    """The customers that the rows at hand may mean, found by any of their keys."""

    def __init__(self) -> None:
        self.by_pk: dict[int, Person] = {}
        self.by_external_id: dict[str, Person] = {}
        self.by_email: dict[str, Person] = {}
        self.by_phone: dict[str, Person] = {}

    def add(self, person: Person) -> None:
        """Make a person findable by the keys it has now."""
        if person.pk is not None:
            self.by_pk[person.pk] = person
        if person.external_id:
            self.by_external_id[person.external_id] = person
        if person.email_index:
            self.by_email[person.email_index] = person
        if person.phone_index:
            self.by_phone[person.phone_index] = person

    def remove(self, person: Person) -> None:
        """Stop finding a person; it can be read from the database again."""
        self.by_pk.pop(person.pk or 0, None)
        self.by_external_id.pop(person.external_id or "", None)
        self.forget([person.email_index or "", person.phone_index or ""])

    def find(self, row: CleanRow) -> Person | None:
        """Return whom ``row`` means, or None for someone new.

        Raises DomainError ``rejected_row`` when it means two, or someone with another external id.
        """
        matches = {
            "external id": self.by_external_id.get(row.external_id),
            "email": self.by_email.get(row.email_index),
            "phone": self.by_phone.get(row.phone_index),
        }
        found = {label: person for label, person in matches.items() if person is not None}
        if not found:
            return None
        person = next(iter(found.values()))
        for label, other in found.items():
            if other is not person:
                raise bad_row(
                    f"The row matches two customers: its {next(iter(found))} is that of one, its "
                    f"{label} that of another. Correct one of them."
                )
        if row.external_id and person.external_id not in {None, row.external_id}:
            label = " and ".join(found)
            raise bad_row(
                f"The {label} of the row already belongs to a customer with another external id: "
                "correct the external id, or remove the row."
            )
        return person

    def forget(self, keys: Iterable[str]) -> None:
        """Stop finding anyone by these email and phone indexes."""
        for key in keys:
            self.by_email.pop(key, None)
            self.by_phone.pop(key, None)


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of a row: whom it meant, and the indexes of addresses they gave up by it."""

    person: Person
    outcome: str
    freed_keys: list[str]


def merge_row(people: People, row: CleanRow) -> Merged:
    """Merge ``row`` into whom it means, or into someone new.

    Raises DomainError ``rejected_row`` when the row cannot be merged; then nothing was changed.
    """
    person = people.find(row)
    if person is None:
        if not (row.email or row.phone):
            raise bad_row(
                "There is no customer with this external id, and the row has no email or phone: "
                "fill in one of them."
            )
        person = Person()
        apply_row(person, row)
        people.add(person)
        return Merged(person, CREATED, [])
    freed = [
        old
        for old, new in (
            (person.email_index, row.email_index),
            (person.phone_index, row.phone_index),
        )
        if old and new and old != new
    ]
    people.forget(freed)
    outcome = UPDATED if apply_row(person, row) else UNCHANGED
    people.add(person)
    return Merged(person, outcome, freed)


def apply_row(person: Person, row: CleanRow) -> bool:
    """Put what ``row`` says onto ``person``; tell whether that changed anything."""
    changed = False
    if row.external_id:
        changed |= person.set("external_id", row.external_id)
    if row.email and person.set("email_index", row.email_index):
        person.email, changed = row.email, True
    if row.phone and person.set("phone_index", row.phone_index):
        person.phone, changed = row.phone, True
    for name, text in row.texts.items():
        # What was stored by other ways in may not be tidy: that alone is no change.
        if tidy_text(getattr(person, name)) != text:
            changed |= person.set(name, text)
    news = {
        name: text
        for name, text in row.attributes.items()
        if tidy_text(as_cell(person.attributes.get(name))) != text
    }
    if news:
        changed |= person.set("attributes", {**person.attributes, **news})
    new_tags = tuple(tag for tag in row.tags if tag not in person.tags)
    if new_tags:
        person.tags = _shared(person.tags.union(new_tags))
        person.new_tags += new_tags
        changed = True
    for channel, action in row.consent.items():
        changed |= _apply_consent(person, channel, action)
    return changed


@lru_cache(maxsize=4096)
def _shared(tags: frozenset[str]) -> frozenset[str]:
    """Return one and the same set for equal sets: most customers share theirs with many."""
    return tags


def as_cell(value: Any) -> str:
    """Return an attribute's value as an exported cell shows it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _apply_consent(person: Person, channel: str, action: str) -> bool:
    """Subscribe those who were never asked, unsubscribe those who take messages; nothing else.

    Whoever opted out, bounced or complained stays so: an import subscribes nobody again (C-4).
    Without an address on the channel there is nothing to consent to.
    """
    if not getattr(person, f"{ADDRESS_FIELD[channel]}_index"):
        return False
    state = getattr(person, f"{channel}_consent")
    opts_in = action == ConsentAction.OPT_IN
    if state == CLOSED or (opts_in and state == OPEN):
        return False
    setattr(person, f"{channel}_consent", OPEN if opts_in else CLOSED)
    person.consent_changes += ((channel, action),)
    return True
