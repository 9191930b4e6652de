"""Customers as CSV: streamed, and read back by the import as unchanged (C-6)."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from customers.csv_cells import neutralise
from customers.encryption import decrypt
from customers.imports.mapping import ATTRIBUTE, is_attribute
from customers.imports.merging import as_cell
from customers.models import EMAIL_PLACE, PHONE_PLACE, CustomerQuerySet, CustomerTag

CHUNK = 1_000
COLUMNS = (
    "external_id",
    "first_name",
    "last_name",
    "email",
    "phone",
    "language",
    "time_zone",
    "tags",
    "email_consent",
    "sms_consent",
)
_STORED = (
    "pk",
    "external_id",
    "first_name",
    "last_name",
    "email_encrypted",
    "phone_encrypted",
    "language",
    "time_zone",
    "email_subscribed",
    "email_consent_action",
    "sms_subscribed",
    "sms_consent_action",
    "attributes",
)


def export_customers(*, customers: CustomerQuerySet) -> Iterator[str]:
    """Yield CSV, a thousand customers at a time, in the order of their ids.

    Raises DecryptionError when an address cannot be read. Erased customers are left out.
    """
    attributes = _attribute_names(customers)
    yield _csv([[*COLUMNS, *(ATTRIBUTE + name for name in attributes)]])
    wanted = customers.alive().order_by("pk").values_list(*_STORED)
    last = 0
    while chunk := list(wanted.filter(pk__gt=last)[:CHUNK]):
        last = chunk[-1][0]
        # A filter that joins may return someone several times.
        stored = {values[0]: values for values in chunk}
        tags = _tags_of(stored)
        yield _csv(_cells(values, tags[pk], attributes) for pk, values in stored.items())


def _csv(rows: Iterable[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()


def _attribute_names(customers: CustomerQuerySet) -> list[str]:
    """Return the attributes that anyone has and an import could read back."""
    names: set[str] = set()
    stored = customers.order_by().exclude(attributes={}).values_list("attributes", flat=True)
    for attributes in stored.iterator(chunk_size=CHUNK):
        names.update(attributes)
    return sorted(name for name in names if is_attribute(ATTRIBUTE + name))


def _tags_of(customer_ids: Iterable[int]) -> dict[int, list[str]]:
    tags: dict[int, list[str]] = defaultdict(list)
    carried = CustomerTag.objects.filter(customer__in=customer_ids).order_by("segment__name")
    for pk, name in carried.values_list("customer_id", "segment__name"):
        tags[pk].append(name)
    return tags


def _consent(subscribed: bool, action: str) -> str:
    if subscribed:
        return "yes"
    return "no" if action else ""


def _cells(values: tuple[Any, ...], tags: list[str], attributes: list[str]) -> list[str]:
    (_, external_id, first_name, last_name, email, phone, language, time_zone, *rest) = values
    email_subscribed, email_action, sms_subscribed, sms_action, own = rest
    cells = [
        external_id or "",
        first_name,
        last_name,
        decrypt(email, place=EMAIL_PLACE),
        decrypt(phone, place=PHONE_PLACE),
        language,
        time_zone,
        ",".join(tags),
        _consent(email_subscribed, email_action),
        _consent(sms_subscribed, sms_action),
        *(as_cell(own.get(name)) for name in attributes),
    ]
    return [neutralise(cell) for cell in cells]
