"""Tags: their names, and putting them on customers (S-1 to S-3)."""

import re
import unicodedata
from collections.abc import Iterable

from django.db import transaction

from config.errors import DomainError
from customers.models import Customer, CustomerQuerySet, CustomerTag, Segment

ALL = "ALL"


def _allowed(character: str) -> bool:
    category = unicodedata.category(character)
    return character in "-_" or category.startswith("L") or category == "Nd"


def normalise_tag(raw: str) -> str:
    """Return a tag in lower case, trimmed, NFC.

    Raises DomainError ``invalid_tag`` for anything but Unicode letters, digits, hyphen and
    underscore, for more than 80 characters, and for the reserved name ``all``.
    """
    tag = unicodedata.normalize("NFC", raw.strip().lower())
    if tag == ALL.lower():
        raise DomainError("invalid_tag", "The tag “all” is reserved: choose another name.")
    if not tag or len(tag) > 80 or not all(map(_allowed, tag)):
        raise DomainError(
            "invalid_tag",
            f"“{raw.strip()[:80]}” cannot be a tag: use up to 80 letters, digits, hyphens and "
            "underscores, such as regulars or inactive-6months.",
        )
    return tag


def parse_tags(raw: str) -> list[str]:
    """Return the tags of a comma- or semicolon-separated text, each once, in order.

    Raises DomainError ``invalid_tag``, naming the first that cannot be one.
    """
    parts = (part for part in re.split(r"[,;]", raw) if part.strip())
    return list(dict.fromkeys(normalise_tag(part) for part in parts))


def ensure_segments(names: Iterable[str]) -> dict[str, Segment]:
    """Return name → segment for normalised tag names, creating those that are missing."""
    wanted = set(names)
    found = {segment.name: segment for segment in Segment.objects.filter(name__in=wanted)}
    # Sorted: two writers who create the same ones in another order would wait for each other.
    missing = sorted(wanted - found.keys())
    if missing:
        Segment.objects.bulk_create([Segment(name=name) for name in missing], ignore_conflicts=True)
        created = Segment.objects.filter(name__in=missing)
        found |= {segment.name: segment for segment in created}
    return found


def find_segments(names: Iterable[str]) -> list[Segment]:
    """Return the segments of these names.

    Raises DomainError ``unknown_segment``, naming the first that does not exist.
    """
    wanted = list(dict.fromkeys(normalise_tag(name) for name in names))
    found = {segment.name: segment for segment in Segment.objects.filter(name__in=wanted)}
    for name in wanted:
        if name not in found:
            raise DomainError(
                "unknown_segment",
                f"There is no segment “{name}”: choose an existing one, or tag customers first.",
            )
    return [found[name] for name in wanted]


def add_tags(*, customers: CustomerQuerySet, tags: Iterable[str]) -> int:
    """Put ``tags`` on every customer of the queryset; return how many tags were new on someone."""
    segments = ensure_segments(tags)
    with transaction.atomic():
        ids = list(customers.order_by("pk").values_list("pk", flat=True))
        before = CustomerTag.objects.filter(segment__in=segments.values()).count()
        CustomerTag.objects.bulk_create(
            (
                CustomerTag(customer_id=pk, segment=segment)
                for segment in segments.values()
                for pk in ids
            ),
            ignore_conflicts=True,
            batch_size=5_000,
        )
        return CustomerTag.objects.filter(segment__in=segments.values()).count() - before


def remove_tags(*, customers: CustomerQuerySet, tags: Iterable[str]) -> int:
    """Take ``tags`` off every customer of the queryset; return how many were taken off."""
    deleted, _ = CustomerTag.objects.filter(
        segment__name__in=list(tags), customer__in=customers.values("pk")
    ).delete()
    return deleted


def set_tags(*, customer: Customer, tags: Iterable[str]) -> None:
    """Make ``tags`` the tags of one customer: those missing are added, others taken off."""
    wanted = ensure_segments(tags)
    with transaction.atomic():
        carried = CustomerTag.objects.filter(customer=customer)
        carried.exclude(segment__in=wanted.values()).delete()
        CustomerTag.objects.bulk_create(
            [CustomerTag(customer=customer, segment=segment) for segment in wanted.values()],
            ignore_conflicts=True,
        )
