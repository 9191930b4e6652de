"""The campaign report: one dictionary that the page, JSON, CSV and the command all show (A-3)."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.conf import settings
from django.utils import timezone

from analytics.figures import ChannelFigures, RedemptionGroup, campaign_figures
from campaigns.models import Campaign, Delivery
from campaigns.reasons import reason_sentence
from config.errors import DomainError
from customers.csv_cells import neutralise
from customers.models import Channel
from customers.segments import ALL
from qrcodes.models import Redemption

# What a channel's figures are called, in the words of campaign_status.
CHANNEL_PREFIX = {Channel.EMAIL.value: "emails", Channel.SMS.value: "sms"}
CHANNEL_FIGURES = (
    "targeted",
    "sent",
    "delivered",
    "bounced",
    "failed",
    "skipped",
    "pending",
    "unconfirmed",
    "cancelled",
    "opened",
    "clicked",
    "unsubscribed",
    "per_minute",
)
# Rows that are read from the database at once.
PIECE = 2_000
RECIPIENT_COLUMNS = (
    "customer",
    "name",
    "channel",
    "status",
    "reason",
    "attempts",
    "sent_at",
    "redeemed_at",
    "location",
    "amount",
)


def find_campaign(campaign_id: int) -> Campaign:
    """Return a campaign. Raises DomainError ``unknown_campaign`` when there is none of this id."""
    campaign = Campaign.objects.filter(pk=campaign_id).first()
    if campaign is None:
        raise DomainError(
            "unknown_campaign",
            f"There is no campaign {campaign_id}: campaign_status lists those that exist.",
        )
    return campaign


def campaign_report(campaign: Campaign) -> dict[str, Any]:
    """Return every figure of a campaign as plain values.

    Money is a decimal text in ``currency``, a time is ISO 8601 with its offset, a wait is seconds,
    a rate a fraction of 1, and a figure that does not exist yet is None.
    """
    figures = campaign_figures(campaign)
    redemption = figures.redemption
    targets = [segment.name for segment in campaign.target_segments.all()]
    report: dict[str, Any] = {
        "id": campaign.pk,
        "name": campaign.name,
        "status": campaign.status,
        "target_segments": [ALL] if campaign.target_all else targets,
        "excluded_segments": [segment.name for segment in campaign.excluded_segments.all()],
        "sent_at": _time(campaign.sent_at),
        "completed_at": _time(campaign.completed_at),
        "total_targeted": figures.targeted,
    }
    for channel in figures.channels.values():
        prefix = CHANNEL_PREFIX[channel.channel]
        report |= {f"{prefix}_{name}": getattr(channel, name) for name in CHANNEL_FIGURES}
    return report | {
        "customers_reached": figures.reached,
        "customers_unsubscribed": figures.unsubscribed,
        "codes_issued": redemption.codes_issued,
        "customers_redeemed": redemption.customers,
        "redemptions": redemption.redemptions,
        "redemption_rate": figures.redemption_rate,
        "currency": settings.CURRENCY,
        "revenue": str(redemption.revenue),
        "discount": str(redemption.discount),
        "seconds_to_redemption_mean": _seconds(redemption.waits.mean),
        "seconds_to_redemption_median": _seconds(redemption.waits.median),
        "reasons": [
            reason for channel in figures.channels.values() for reason in _reasons(channel)
        ],
        "segments": [
            {
                "segment": segment.name,
                "customers": segment.customers,
                "sent": segment.sent,
                "redeemed": segment.redeemed,
            }
            for segment in figures.segments
        ],
        "redeemed_within": [
            {"seconds": _seconds(step), "customers": count}
            for step, count in redemption.waits.within
        ],
        "redemptions_by_day": _groups("day", redemption.by_day),
        "redemptions_by_hour": _groups("hour", redemption.by_hour),
        "redemptions_by_location": _groups("location", redemption.by_location),
        "redemptions_by_staff": _groups("staff", redemption.by_staff),
    }


def summary_rows(report: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the report as rows of a table: section, item, figure, value; the first is the header.

    The item is what a row of a section is about: a segment, a reason, a day.
    """
    yield "section", "item", "figure", "value"
    for key, value in report.items():
        if not isinstance(value, list):
            yield "campaign", "", key, _cell(value)
        elif all(isinstance(entry, str) for entry in value):
            yield "campaign", "", key, neutralise(", ".join(value))
        else:
            yield from _section_rows(key, value)


def _section_rows(
    section: str, entries: list[dict[str, Any]]
) -> Iterator[tuple[str, str, str, str]]:
    for entry in entries:
        # A reason is known by its channel, status and code; any other entry by its first column.
        naming = 3 if section == "reasons" else 1
        columns = list(entry.items())
        item = " ".join(_cell(value) for _, value in columns[:naming])
        for figure, value in columns[naming:]:
            yield section, item, figure, _cell(value)


@dataclass(frozen=True, slots=True)
class _Redeemed:
    """What one customer's redemptions come to."""

    customer_id: int
    redeemed_at: datetime
    location: str | None
    amount: Decimal | None


def recipients(campaign: Campaign) -> Iterator[dict[str, Any]]:
    """Yield one entry per message, with the keys RECIPIENT_COLUMNS, as the database reads on.

    No email or phone number is in them; ``customer`` is the customer's id. ``redeemed_at`` and
    ``location`` are those of the first use, ``amount`` is the sum of all.
    """
    rows = (
        Delivery.objects.filter(campaign=campaign)
        .order_by("customer_id", "channel", "step")
        .values_list(
            "customer_id",
            "customer__first_name",
            "customer__last_name",
            "channel",
            "status",
            "code",
            "attempts",
            "sent_at",
        )
    )
    # Both come in the order of customers, so they are read side by side and nothing piles up.
    redeemed = _redeemed_by_customer(campaign)
    ahead = next(redeemed, None)
    for customer, first, last, channel, status, code, attempts, sent_at in rows.iterator(PIECE):
        while ahead and ahead.customer_id < customer:
            ahead = next(redeemed, None)
        mine = ahead if ahead and ahead.customer_id == customer else None
        values = (
            customer,
            f"{first} {last}".strip(),
            channel,
            status,
            reason_sentence(code, channel=channel),
            attempts,
            _time(sent_at),
            _time(mine.redeemed_at) if mine else None,
            mine.location if mine else None,
            f"{mine.amount:.2f}" if mine and mine.amount is not None else None,
        )
        yield dict(zip(RECIPIENT_COLUMNS, values, strict=True))


def _redeemed_by_customer(campaign: Campaign) -> Iterator[_Redeemed]:
    rows = (
        Redemption.objects.filter(offer__campaign=campaign, qr_code__is_test=False)
        .order_by("qr_code__customer_id", "redeemed_at")
        .values_list("qr_code__customer_id", "redeemed_at", "location__name", "amount")
    )
    for customer_id, uses in groupby(rows.iterator(PIECE), key=lambda row: row[0]):
        listed = list(uses)
        amounts = [amount for *_, amount in listed if amount is not None]
        _, redeemed_at, location, _ = listed[0]
        yield _Redeemed(
            customer_id, redeemed_at, location, sum(amounts, Decimal()) if amounts else None
        )


def recipient_rows(campaign: Campaign) -> Iterator[list[str]]:
    """Yield the recipients as rows of a table, the header first."""
    yield list(RECIPIENT_COLUMNS)
    for entry in recipients(campaign):
        yield [_cell(value) for value in entry.values()]


class _Echo:
    """A file that hands back what is written to it, so that csv.writer can stream."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield each row as one line of CSV."""
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow(row)


def json_lines(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a JSON list, one entry a line."""
    before = "["
    for entry in entries:
        yield f"{before}\n{json.dumps(entry, ensure_ascii=False)}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def _reasons(channel: ChannelFigures) -> list[dict[str, Any]]:
    return [
        {
            "channel": channel.channel,
            "status": status,
            "code": code,
            "reason": reason_sentence(code, channel=channel.channel) or "No reason was reported.",
            "messages": count,
        }
        for status, code, count in channel.reasons
    ]


def _groups(name: str, groups: list[RedemptionGroup[Any]]) -> list[dict[str, Any]]:
    return [
        {
            name: str(group.key) if name == "day" else group.key,
            "redemptions": group.redemptions,
            "revenue": str(group.revenue),
            "discount": str(group.discount),
        }
        for group in groups
    ]


def _time(moment: datetime | None) -> str | None:
    return timezone.localtime(moment).isoformat(timespec="seconds") if moment else None


def _seconds(wait: timedelta | None) -> int | None:
    return round(wait.total_seconds()) if wait is not None else None


def _cell(value: object) -> str:
    if value is None:
        return ""
    return neutralise(value) if isinstance(value, str) else str(value)
