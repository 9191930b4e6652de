"""The report of a campaign: a page, and the same figures as CSV and JSON (A-3, A-4)."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse

from analytics import reports
from analytics.charts import bars
from campaigns.admin.page import campaign_page, show
from campaigns.models import Campaign
from campaigns.moments import readable_span
from customers.models import Channel

# What a spreadsheet program needs to read a file as UTF-8.
BYTE_ORDER_MARK = "\ufeff"
# A chart of more days than this shows only those with redemptions.
MOST_DAYS = 92
CHANNEL_ROWS = (
    ("targeted", "Planned", "Messages the audience asked for"),
    ("sent", "Sent", "Accepted by the provider"),
    ("delivered", "Delivered", "Reported as having arrived"),
    ("bounced", "Bounced", "Came back after they were sent"),
    ("opened", "Opened", "Unreliable: mail programs open messages by themselves"),
    ("clicked", "Clicked", "A link in them was followed"),
    ("failed", "Failed", "Given up for good"),
    ("skipped", "Skipped", "Never tried: see the reasons"),
    ("pending", "Waiting", "Still to leave"),
    ("unconfirmed", "Unconfirmed", "May or may not have arrived"),
    ("cancelled", "Cancelled", "Taken back before they left"),
    ("unsubscribed", "Unsubscribed", "Customers who left through this campaign"),
    ("per_minute", "A minute", "Average rate while messages left"),
)


@campaign_page()
def page(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show tables and charts."""
    report = reports.campaign_report(campaign)
    return show(
        request,
        "report",
        campaign,
        f"Report of “{campaign}”",
        report=report,
        channel_labels=[Channel(channel).label for channel in reports.CHANNEL_PREFIX],
        channel_rows=[
            {
                "label": label,
                "help": explanation,
                "cells": [
                    {"figure": f"{prefix}_{name}", "value": report[f"{prefix}_{name}"]}
                    for prefix in reports.CHANNEL_PREFIX.values()
                ],
            }
            for name, label, explanation in CHANNEL_ROWS
        ],
        within=[
            (readable_span(step["seconds"]), step["customers"])
            for step in report["redeemed_within"]
        ],
        mean=_span(report["seconds_to_redemption_mean"]),
        median=_span(report["seconds_to_redemption_median"]),
        days=bars(_by_day(report["redemptions_by_day"])),
        hours=bars(_by_hour(report["redemptions_by_hour"])),
    )


@campaign_page()
def as_json(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Answer the report as JSON."""
    return JsonResponse(
        reports.campaign_report(campaign), json_dumps_params={"ensure_ascii": False, "indent": 2}
    )


@campaign_page()
def summary_csv(request: HttpRequest, campaign: Campaign) -> StreamingHttpResponse:
    """Answer the report as CSV."""
    rows = reports.summary_rows(reports.campaign_report(campaign))
    return _download(rows, f"campaign-{campaign.pk}-report.csv")


@campaign_page("campaigns.view_delivery")
def recipients_csv(request: HttpRequest, campaign: Campaign) -> StreamingHttpResponse:
    """Answer one row per message as CSV; it names customers, so it needs the right to see them."""
    return _download(reports.recipient_rows(campaign), f"campaign-{campaign.pk}-recipients.csv")


def _download(rows: Iterable[Iterable[str]], name: str) -> StreamingHttpResponse:
    def pieces() -> Iterator[str]:
        yield BYTE_ORDER_MARK
        yield from reports.csv_lines(rows)

    return StreamingHttpResponse(
        pieces(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _span(seconds: int | None) -> str:
    return "–" if seconds is None else readable_span(seconds)


def _by_day(entries: list[dict[str, Any]]) -> list[tuple[str, int]]:
    counts = {date.fromisoformat(entry["day"]): entry["redemptions"] for entry in entries}
    days = sorted(counts)
    if days and (days[-1] - days[0]).days < MOST_DAYS:
        days = [days[0] + timedelta(days=n) for n in range((days[-1] - days[0]).days + 1)]
    return [(f"{day:%a} {day.day} {day:%b}", counts.get(day, 0)) for day in days]


def _by_hour(entries: list[dict[str, Any]]) -> list[tuple[str, int]]:
    counts = {entry["hour"]: entry["redemptions"] for entry in entries}
    return [(f"{hour}:00", counts.get(hour, 0)) for hour in range(24)] if counts else []
