"""New customers with their tags and consent, inserted set-based (C-5)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from config.clock import database_now
from customers.consent import consent_columns
from customers.encryption import encrypt
from customers.imports.bulk_rows import insert_rows, reserve_ids
from customers.imports.merging import Person
from customers.models import (
    EMAIL_PLACE,
    PHONE_PLACE,
    Channel,
    ConsentEvent,
    Customer,
    CustomerTag,
    Segment,
)

_NEVER_ASKED = {
    f"{channel}_{column}": empty
    for channel in Channel.values
    for column, empty in {
        "subscribed": False,
        "consent_at": None,
        "consent_action": "",
        "consent_source": "",
    }.items()
}


def insert_people(people: list[Person], segments: dict[str, Segment], *, source: str) -> None:
    """Insert people who are new, with their tags and the history of their consent."""
    if not people:
        return
    now = database_now()
    for person, pk in zip(people, reserve_ids(Customer, len(people)), strict=True):
        person.pk = pk
    rows = [_columns(person, source=source, now=now) for person in people]
    insert_rows(Customer, list(rows[0]), [list(row.values()) for row in rows])
    insert_rows(
        CustomerTag,
        ["customer_id", "segment_id"],
        [[person.pk, segments[tag].pk] for person in people for tag in person.new_tags],
    )
    insert_rows(
        ConsentEvent,
        ["customer_id", "channel", "action", "source", "at"],
        list(_events(people, source=source, now=now)),
    )


def _events(people: list[Person], *, source: str, now: datetime) -> Iterator[list[Any]]:
    for person in people:
        for channel, action in person.consent_changes:
            yield [person.pk, channel, action, source, now]


def _columns(person: Person, *, source: str, now: datetime) -> dict[str, Any]:
    columns = {
        "id": person.pk,
        "external_id": person.external_id,
        "email_encrypted": encrypt(person.email, place=EMAIL_PLACE),
        "email_index": person.email_index,
        "phone_encrypted": encrypt(person.phone, place=PHONE_PLACE),
        "phone_index": person.phone_index,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "language": person.language,
        "time_zone": person.time_zone,
        "attributes": person.attributes,
        "created_at": now,
        "updated_at": now,
    } | _NEVER_ASKED
    for channel, action in person.consent_changes:
        columns |= consent_columns(channel=channel, action=action, source=source, at=now)
    return columns
