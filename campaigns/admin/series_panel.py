"""What the pages of a series and of its original show of it: rule, next runs, past runs."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.formats import date_format

from analytics.figures import customers_redeemed
from campaigns.admin.page import CHANGE_SERIES, SEND, VIEW_SERIES, rights
from campaigns.check_campaign import check_campaign
from campaigns.models import Campaign, Series
from campaigns.moments import zoned_moment
from campaigns.series.notices import series_by_original
from campaigns.series.rules import coming_runs, describe
from config.clock import database_now
from config.times import business_zone, say_twice
from qrcodes.models import Offer

NEXT_RUNS = 5
PAST_RUNS = 20


def panel_on(request: HttpRequest, campaign: Campaign) -> dict[str, Any] | None:
    """Return the panel of the series whose original this draft is, if this person may see it."""
    if not campaign.is_draft or not request.user.has_perm(VIEW_SERIES):
        return None
    series = series_by_original([campaign.pk]).get(campaign.pk)
    return panel_of(request, series) if series is not None else None


def panel_of(request: HttpRequest, series: Series) -> dict[str, Any]:
    """Return what the panel of a series shows."""
    runs = coming_runs(series, now=database_now(), count=NEXT_RUNS)
    return {
        "series": series,
        "words": describe(series),
        "next_runs": run_lines(series, runs),
        "warnings": _warnings(series, runs),
        "past_runs": _past_runs(series),
        "may_change": series.is_living and request.user.has_perms((SEND, CHANGE_SERIES)),
        "may": rights(request),
    }


def show(request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
    """Render a page about a series inside the admin."""
    return TemplateResponse(
        request,
        f"admin/campaigns/series/{template}.html",
        {
            **admin.site.each_context(request),
            "opts": Series._meta,
            "title": title,
            "may": rights(request),
            **context,
        },
    )


def run_lines(series: Series, runs: Iterable[datetime]) -> list[dict[str, str]]:
    """Return each run by the clock on the wall, with a remark where clocks change."""
    return [{"when": _wall(run), "remark": _remark(series, run)} for run in runs]


def _wall(run: datetime) -> str:
    local = run.astimezone(business_zone())
    return f"{date_format(local, 'l, j F Y')}, {local:%H:%M}"


def _remark(series: Series, run: datetime) -> str:
    if run.astimezone(business_zone()).time() != series.at:
        return f"there is no {series.at:%H:%M} then: clocks are put forward"
    return say_twice(run)


def _warnings(series: Series, runs: list[datetime]) -> list[str]:
    if not series.is_living or series.original is None:
        return []
    problems = [problem for problem in check_campaign(series.original) if problem.blocking]
    found = [f"As it is now, the next run would not be sent: {p.message}" for p in problems]
    offer = Offer.objects.filter(campaign_id=series.original.pk).first()
    starts = offer.starts_at if offer else None
    if starts and runs and starts > runs[0]:
        found.append(
            f"The coupon says “Valid from” {zoned_moment(starts)}: until then the codes of earlier "
            "runs are not accepted. Every run copies this date as it is."
        )
    return found


def _past_runs(series: Series) -> list[dict[str, Any]]:
    campaigns = list(series.runs.order_by("-run_at")[:PAST_RUNS])
    redeemed = customers_redeemed([campaign.pk for campaign in campaigns])
    return [
        {
            "campaign": campaign,
            "sent": campaign.emails_sent + campaign.sms_sent,
            "redeemed": redeemed.get(campaign.pk, 0),
        }
        for campaign in campaigns
    ]
