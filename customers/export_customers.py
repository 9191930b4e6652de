"""Customers as CSV: streamed, and read back by the import as unchanged (C-6)."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator

from customers.csv_cells import neutralise
from customers.imports.mapping import ATTRIBUTE, is_attribute
from customers.imports.merging import as_cell
from customers.models import Customer, CustomerQuerySet, CustomerTag

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


def export_customers(*, customers: CustomerQuerySet) -> Iterator[str]:
    """Yield CSV, a thousand customers at a time, in the order of their ids.

    Raises DecryptionError when an address cannot be read. Erased customers are left out.
    """
    attributes = _attribute_names(customers)
    columns = [*COLUMNS, *(ATTRIBUTE + name for name in attributes)]
    yield _csv([columns])
    # Ids first: a filter that joins would sort all its columns for every piece.
    wanted = customers.alive().order_by("pk").values_list("pk", flat=True)
    last = 0
    while ids := list(wanted.filter(pk__gt=last)[:CHUNK]):
        last = ids[-1]
        chunk = list(Customer.objects.filter(pk__in=ids).order_by("pk"))
        tags = _tags_of(chunk)
        yield _csv(_cells(customer, tags[customer.pk], attributes) for customer in chunk)


def _csv(rows: "Iterator[list[str]] | list[list[str]]") -> str:
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


def _tags_of(customers: list[Customer]) -> dict[int, list[str]]:
    tags: dict[int, list[str]] = defaultdict(list)
    carried = CustomerTag.objects.filter(customer__in=customers).order_by("segment__name")
    for pk, name in carried.values_list("customer_id", "segment__name"):
        tags[pk].append(name)
    return tags


def _consent(subscribed: bool, action: str) -> str:
    if subscribed:
        return "yes"
    return "no" if action else ""


def _cells(customer: Customer, tags: list[str], attributes: list[str]) -> list[str]:
    values = [
        customer.external_id or "",
        customer.first_name,
        customer.last_name,
        customer.email,
        customer.phone,
        customer.language,
        customer.time_zone,
        ",".join(tags),
        _consent(customer.email_subscribed, customer.email_consent_action),
        _consent(customer.sms_subscribed, customer.sms_consent_action),
        *(as_cell(customer.attributes.get(name)) for name in attributes),
    ]
    return [neutralise(value) for value in values]
