"""Every figure of a campaign, each defined once: pages, JSON, CSV and the command show these.

Test sends and their codes are in none of them. Times to redemption count from a customer's first
message that left to the first use of their code.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import (
    CharField,
    Count,
    Max,
    Min,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce, Concat, ExtractHour, NullIf, Trim, TruncDate

from analytics.waits import Waits, measure_waits
from campaigns.models import Campaign, Delivery
from customers.models import Channel, ConsentAction, ConsentEvent
from qrcodes.models import QRCode, Redemption

Key = TypeVar("Key", date, int, str)
ZERO = Decimal("0.00")
# What came back, among the reasons: no state of a delivery, the provider reports it later.
BOUNCED = "bounced"


@dataclass
class ChannelFigures:
    """One channel's messages. Every message is in exactly one of sent … cancelled."""

    channel: str
    targeted: int = 0
    """Messages planned, those that were then skipped included."""
    sent: int = 0
    """Accepted by the provider."""
    failed: int = 0
    """Given up for good."""
    skipped: int = 0
    """Never tried: the customer could not or must not be written to."""
    pending: int = 0
    """Waiting, or being sent now."""
    unconfirmed: int = 0
    """The provider's answer was lost, so it may or may not have been sent."""
    cancelled: int = 0
    """Taken back before they left, because the campaign was cancelled."""
    delivered: int = 0
    """Reported by the provider as having arrived."""
    bounced: int = 0
    """Reported by the provider as not having arrived, after it had accepted them."""
    opened: int = 0
    """Opened at least once. Unreliable: mail privacy proxies open everything (A-5)."""
    clicked: int = 0
    """A link in them was followed at least once."""
    unsubscribed: int = 0
    """Customers who unsubscribed from the channel through this campaign's messages."""
    reasons: list[tuple[str, str, int]] = field(default_factory=list)
    """(status, code, messages), most frequent first: failed, skipped, unconfirmed, bounced, and
    pending where something holds them back.

    A bounced message counts as sent too; its code says why it came back.
    """
    first_sent_at: datetime | None = None
    last_sent_at: datetime | None = None

    @property
    def per_minute(self) -> float | None:
        """Average rate from the first to the last message sent; None below one minute of it.

        What was sent within a minute, extrapolated, would seem to exceed the campaign's limit.
        """
        if not self.first_sent_at or not self.last_sent_at:
            return None
        minutes = (self.last_sent_at - self.first_sent_at).total_seconds() / 60
        return round((self.sent - 1) / minutes, 1) if minutes >= 1 else None


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """One segment as it matched when the audience was frozen; tags that changed later play no part.

    A customer who matched two segments counts in both.
    """

    name: str
    customers: int
    sent: int
    redeemed: int


@dataclass(frozen=True, slots=True)
class RedemptionGroup(Generic[Key]):
    """The redemptions of one day, hour, location or member of staff; the key may be empty."""

    key: Key
    redemptions: int
    revenue: Decimal
    discount: Decimal


@dataclass
class RedemptionFigures:
    """What came back to the till."""

    codes_issued: int = 0
    customers: int = 0
    """Customers who used their code at least once."""
    redemptions: int = 0
    """Accepted uses; more than ``customers`` where a code may be used several times."""
    revenue: Decimal = ZERO
    """Sum of the bills that were entered at the till."""
    discount: Decimal = ZERO
    """Sum of the discounts that were entered at the till."""
    waits: Waits = field(default_factory=Waits)
    by_day: list[RedemptionGroup[date]] = field(default_factory=list)
    by_hour: list[RedemptionGroup[int]] = field(default_factory=list)
    by_location: list[RedemptionGroup[str]] = field(default_factory=list)
    by_staff: list[RedemptionGroup[str]] = field(default_factory=list)


@dataclass
class CampaignFigures:
    """All there is to say about one campaign."""

    campaign: Campaign
    channels: dict[str, ChannelFigures]
    segments: list[SegmentFigures]
    redemption: RedemptionFigures
    reached: int
    """Customers to whom at least one message was sent and did not bounce."""
    unsubscribed: int
    """Customers who unsubscribed from any channel through this campaign's messages."""

    @property
    def targeted(self) -> int:
        """Distinct customers after segment exclusions, reachable or not (M-1)."""
        return self.campaign.total_targeted

    @property
    def redemption_rate(self) -> float | None:
        """Customers who redeemed, over customers reached; None as long as nobody was."""
        return redemption_rate(self.redemption.customers, self.reached)


def campaign_figures(campaign: Campaign) -> CampaignFigures:
    """Return every figure of ``campaign``, in a fixed number of queries whatever its size."""
    deliveries = Delivery.objects.filter(campaign=campaign).order_by()
    return CampaignFigures(
        campaign=campaign,
        channels=channel_figures(campaign),
        segments=_segment_figures(deliveries, _used_codes([campaign.pk])),
        redemption=_redemption_figures(campaign),
        reached=customers_reached([campaign.pk]).get(campaign.pk, 0),
        unsubscribed=_opt_outs(campaign).aggregate(n=Count("customer_id", distinct=True))["n"],
    )


def redemption_rate(redeemed: int, reached: int) -> float | None:
    """Return customers who redeemed over customers reached; None as long as nobody was."""
    return round(redeemed / reached, 4) if reached else None


def customers_reached(campaign_ids: Iterable[int]) -> dict[int, int]:
    """Return campaign id → customers to whom a message was sent that did not bounce.

    It counts deliveries: some 25 ms for every 50,000.
    """
    rows = (
        Delivery.objects.filter(
            campaign__in=list(campaign_ids), status=Delivery.Status.SENT, bounced_at=None
        )
        .order_by()
        .values_list("campaign_id")
        .annotate(n=Count("customer_id", distinct=True))
    )
    return dict(rows)


def revenue_of(campaign_ids: Iterable[int]) -> dict[int, Decimal]:
    """Return campaign id → sum of the bills entered at the till with its coupons."""
    rows = (
        Redemption.objects.filter(offer__campaign__in=list(campaign_ids), qr_code__is_test=False)
        .order_by()
        .values_list("offer__campaign")
        .annotate(revenue=Sum("amount"))
    )
    return {campaign: _money(revenue) for campaign, revenue in rows}


def customers_redeemed(campaign_ids: Iterable[int]) -> dict[int, int]:
    """Return campaign id → customers who used their code, for a list of campaigns at once."""
    rows = _used_codes(campaign_ids).values_list("campaign_id").annotate(n=Count("pk"))
    return dict(rows)


def _used_codes(campaign_ids: Iterable[int]) -> QuerySet[QRCode]:
    # One for each customer who redeemed: a campaign gives everyone a single code.
    return (
        QRCode.objects.real()
        .filter(campaign_id__in=list(campaign_ids), usage_count__gt=0)
        .order_by()
    )


def _opt_outs(campaign: Campaign) -> QuerySet[ConsentEvent]:
    return ConsentEvent.objects.filter(
        action=ConsentAction.OPT_OUT, source__endswith=f"campaign:{campaign.pk}"
    ).order_by()


def channel_figures(campaign: Campaign) -> dict[str, ChannelFigures]:
    """Return the figures of each channel, also of one the campaign does not use: all are 0."""
    figures = {channel.value: ChannelFigures(channel.value) for channel in Channel}
    rows = (
        Delivery.objects.filter(campaign=campaign)
        .order_by()
        .values("channel", "status", "code", "bounce_code")
        .annotate(
            n=Count("id"),
            delivered=Count("delivered_at"),
            bounced=Count("bounced_at"),
            opened=Count("opened_at"),
            clicked=Count("clicked_at"),
            first=Min("sent_at"),
            last=Max("sent_at"),
        )
    )
    reasons: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        channel = figures[row["channel"]]
        status = "pending" if row["status"] == Delivery.Status.SENDING else row["status"]
        channel.targeted += row["n"]
        setattr(channel, status, getattr(channel, status) + row["n"])
        for report in ("delivered", "bounced", "opened", "clicked"):
            setattr(channel, report, getattr(channel, report) + row[report])
        held_back = row["status"] == Delivery.Status.PENDING and row["code"]
        if status in {"failed", "skipped", "unconfirmed"} or held_back:
            reasons[row["channel"], status, row["code"]] += row["n"]
        if row["bounced"]:
            reasons[row["channel"], BOUNCED, row["bounce_code"]] += row["bounced"]
        if status == Delivery.Status.SENT and row["first"]:
            channel.first_sent_at = min(channel.first_sent_at or row["first"], row["first"])
            channel.last_sent_at = max(channel.last_sent_at or row["last"], row["last"])
    for (name, status, code), count in sorted(reasons.items(), key=lambda item: -item[1]):
        figures[name].reasons.append((status, code, count))
    opt_outs = _opt_outs(campaign).values_list("channel")
    for name, count in opt_outs.annotate(n=Count("customer_id", distinct=True)):
        figures[name].unsubscribed = count
    return figures


# How each database lists the elements of a JSON column, as rows with a column «value».
_ELEMENTS = {
    "postgresql": "CROSS JOIN LATERAL jsonb_array_elements_text({column}) AS element(value)",
    "sqlite": "CROSS JOIN json_each({column}) AS element",
}


def _segment_figures(
    deliveries: QuerySet[Delivery], used_codes: QuerySet[QRCode]
) -> list[SegmentFigures]:
    frozen, frozen_parameters = deliveries.values(
        "customer_id", "status", "matched_segments"
    ).query.sql_with_params()
    used, used_parameters = used_codes.values("customer_id").query.sql_with_params()
    with connection.cursor() as cursor:
        # By customer first: the channels of one may list the same segments in another order.
        cursor.execute(
            f"""
            WITH members AS (
                SELECT frozen.customer_id,
                       element.value AS segment,
                       MAX(CASE WHEN frozen.status = 'sent' THEN 1 ELSE 0 END) AS sent
                  FROM ({frozen}) AS frozen
                  {_ELEMENTS[connection.vendor].format(column="frozen.matched_segments")}
                 GROUP BY frozen.customer_id, element.value
            )
            SELECT segment, COUNT(*), SUM(sent), COUNT(used.customer_id)
              FROM members LEFT JOIN ({used}) AS used ON used.customer_id = members.customer_id
             GROUP BY segment
             ORDER BY 2 DESC, 1
            """,
            [*frozen_parameters, *used_parameters],
        )
        return [SegmentFigures(*row) for row in cursor.fetchall()]


def _redemption_figures(campaign: Campaign) -> RedemptionFigures:
    # Through the offer: it is one to one with the campaign, and the index starts with it.
    redemptions = Redemption.objects.filter(
        offer__campaign=campaign, qr_code__is_test=False
    ).order_by()
    totals = redemptions.aggregate(
        redemptions=Count("id"), revenue=Sum("amount"), discount=Sum("discount")
    )
    figures = RedemptionFigures(
        codes_issued=QRCode.objects.real().filter(campaign=campaign).count(),
        customers=_used_codes([campaign.pk]).count(),
        redemptions=totals["redemptions"],
        revenue=_money(totals["revenue"]),
        discount=_money(totals["discount"]),
    )
    if not figures.redemptions:
        return figures
    figures.waits = measure_waits(campaign)
    figures.by_day = _grouped(redemptions, TruncDate("redeemed_at"))
    figures.by_hour = _grouped(redemptions, ExtractHour("redeemed_at"))
    figures.by_location = _most_first(_grouped(redemptions, Coalesce("location__name", Value(""))))
    full_name = Trim(Concat("staff__first_name", Value(" "), "staff__last_name"))
    named = NullIf(full_name, Value(""), output_field=CharField())
    figures.by_staff = _most_first(
        _grouped(redemptions, Coalesce(named, "staff__username", Value("")))
    )
    return figures


def _grouped(redemptions: QuerySet[Redemption], key: Any) -> list[RedemptionGroup[Any]]:
    rows = (
        redemptions.annotate(key=key)
        .values("key")
        .annotate(n=Count("id"), revenue=Sum("amount"), discount=Sum("discount"))
        .order_by("key")
    )
    return [
        RedemptionGroup(row["key"], row["n"], _money(row["revenue"]), _money(row["discount"]))
        for row in rows
    ]


def _most_first(groups: list[RedemptionGroup[str]]) -> list[RedemptionGroup[str]]:
    return sorted(groups, key=lambda group: -group.redemptions)


def _money(amount: Decimal | None) -> Decimal:
    return (amount or ZERO).quantize(ZERO)
