"""How many customers each segment holds, and how many of them each channel reaches (S-4)."""

from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from customers.models import ADDRESS_FIELD, Channel, Customer, Segment
from customers.segments import ALL


@dataclass(frozen=True, slots=True)
class SegmentCount:
    """A segment's figures. ``email`` and ``sms`` are customers who can be reached that way."""

    name: str
    kind: str
    customers: int
    email: int
    sms: int

    def as_dict(self) -> dict[str, str | int]:
        """Return the figures under the names of the command contract."""
        return asdict(self)


def _reachable(channel: str, prefix: str = "") -> Q:
    return Q(
        **{
            f"{prefix}{channel}_subscribed": True,
            f"{prefix}{ADDRESS_FIELD[channel]}_index__isnull": False,
        }
    )


def with_counts(segments: "QuerySet[Segment]") -> "QuerySet[Segment]":
    """Annotate segments with ``customer_count``, ``email_count`` and ``sms_count``."""
    return segments.annotate(
        customer_count=Count("customers", filter=Q(customers__erased_at=None)),
        email_count=Count("customers", filter=_reachable(Channel.EMAIL.value, "customers__")),
        sms_count=Count("customers", filter=_reachable(Channel.SMS.value, "customers__")),
    )


def count_everyone() -> SegmentCount:
    """Return the figures of the whole list."""
    counts = Customer.objects.alive().aggregate(
        customers=Count("pk"),
        email=Count("pk", filter=_reachable(Channel.EMAIL.value)),
        sms=Count("pk", filter=_reachable(Channel.SMS.value)),
    )
    return SegmentCount(name=ALL, kind="all", **counts)


def count_segments() -> list[SegmentCount]:
    """Return the figures of the whole list, then of every segment by name."""
    counted: Any = with_counts(Segment.objects.order_by("name"))
    return [
        count_everyone(),
        *(
            SegmentCount(
                each.name, each.kind, each.customer_count, each.email_count, each.sms_count
            )
            for each in counted
        ),
    ]
