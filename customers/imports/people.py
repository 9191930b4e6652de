"""Customers of a batch of rows: read with one select per key, written set-based (C-5)."""

from collections import defaultdict
from typing import Any

from config.clock import database_now
from customers.consent import record_consent
from customers.encryption import encrypt
from customers.imports.bulk_rows import update_rows
from customers.imports.cleaning import CleanRow
from customers.imports.insert_people import insert_people
from customers.imports.merging import ASKED_NEVER, CLOSED, OPEN, People, Person
from customers.models import (
    EMAIL_PLACE,
    PHONE_PLACE,
    Channel,
    ConsentAction,
    Customer,
    CustomerTag,
    Segment,
)
from customers.segments import ensure_segments

_COLUMNS = (
    "pk",
    "external_id",
    "email_index",
    "phone_index",
    "first_name",
    "last_name",
    "language",
    "time_zone",
    "attributes",
)
_CONSENT_COLUMNS = tuple(
    f"{channel}_{column}"
    for channel in Channel.values
    for column in ("subscribed", "consent_action")
)
# The columns to write when a field of a person changed.
_WRITTEN = {
    "email_index": ("email_encrypted", "email_index"),
    "phone_index": ("phone_encrypted", "phone_index"),
}


def load_people(rows: list[CleanRow], people: People, *, lock: bool) -> list[Person]:
    """Add to ``people`` the stored customers that ``rows`` may mean, unless they are there already.

    Returns those added. With ``lock``, they are locked in the order of their ids, so that no
    opt-out is lost while rows are merged.
    """
    ids: set[int] = set()
    for column, keys in (
        ("external_id", {row.external_id for row in rows if row.external_id}),
        ("email_index", {row.email_index for row in rows if row.email_index}),
        ("phone_index", {row.phone_index for row in rows if row.phone_index}),
    ):
        if keys:
            ids.update(
                Customer.objects.filter(**{f"{column}__in": keys}).values_list("pk", flat=True)
            )
    loaded = []
    query = Customer.objects.filter(pk__in=ids - people.by_pk.keys()).order_by("pk")
    if lock:
        query = query.select_for_update()
    for values in query.values_list(*_COLUMNS, *_CONSENT_COLUMNS):
        person = Person(*values[: len(_COLUMNS)])
        for number, channel in enumerate(Channel.values):
            subscribed, action = values[len(_COLUMNS) + 2 * number :][:2]
            state = OPEN if subscribed else CLOSED if action else ASKED_NEVER
            setattr(person, f"{channel}_consent", state)
        loaded.append(person)
        people.add(person)
    tags = {tag for row in rows for tag in row.tags}
    carried = CustomerTag.objects.filter(customer__in=ids, segment__name__in=tags)
    for pk, tag in carried.values_list("customer_id", "segment__name"):
        people.by_pk[pk].tags |= {tag}
    return loaded


def write_people(changed: list[Person], *, source: str) -> None:
    """Write what the import found out about these people: columns, tags and consent.

    Existing customers first: they may give up an address that a new one takes.
    """
    known = [person for person in changed if person.pk is not None]
    new = [person for person in changed if person.pk is None]
    segments = ensure_segments(tag for person in changed for tag in person.new_tags)
    _update(known)
    _tag(known, segments)
    _consent(known, source=source)
    insert_people(new, segments, source=source)
    for person in changed:
        person.mark_written()


def _written(person: Person, name: str) -> list[Any]:
    """Return the values of the columns that a changed field is stored in."""
    if name == "email_index":
        return [encrypt(person.email, place=EMAIL_PLACE), person.email_index]
    if name == "phone_index":
        return [encrypt(person.phone, place=PHONE_PLACE), person.phone_index]
    return [getattr(person, name)]


def _update(people: list[Person]) -> None:
    by_fields: dict[tuple[str, ...], list[Person]] = defaultdict(list)
    for person in people:
        by_fields[tuple(sorted(person.changed_fields()))].append(person)
    by_fields.pop((), None)
    now = database_now()
    for fields, group in by_fields.items():
        columns = [column for name in fields for column in _WRITTEN.get(name, (name,))]
        rows = [
            [person.pk, *(value for name in fields for value in _written(person, name)), now]
            for person in group
        ]
        update_rows(Customer, [*columns, "updated_at"], rows)


def _tag(people: list[Person], segments: dict[str, Segment]) -> None:
    CustomerTag.objects.bulk_create(
        [
            CustomerTag(customer_id=person.pk or 0, segment=segments[tag])
            for person in people
            for tag in person.new_tags
        ],
        ignore_conflicts=True,
    )


def _consent(people: list[Person], *, source: str) -> None:
    changes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for person in people:
        for change in person.consent_changes:
            changes[change].append(person.pk or 0)
    # Within one batch someone may be subscribed and then unsubscribed, never the other way round.
    for action in (ConsentAction.OPT_IN.value, ConsentAction.OPT_OUT.value):
        for channel in Channel.values:
            if ids := changes.get((channel, action)):
                record_consent(customer_ids=ids, channel=channel, action=action, source=source)
