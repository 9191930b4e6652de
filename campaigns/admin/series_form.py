"""The form that makes a campaign repeat, or a series run at other times (M-10)."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse

from campaigns.admin.page import (
    ADD,
    ADD_SERIES,
    SEND,
    VIEW_SERIES,
    campaign_page,
    signed_in,
)
from campaigns.admin.series_panel import run_lines, show
from campaigns.models import Campaign, Series
from campaigns.moments import zoned_moment
from campaigns.series.change_series import change_rule
from campaigns.series.make_series import LONGEST_NAME, make_series
from campaigns.series.originals import living_series_of
from campaigns.series.rules import describe, require_possible, runs_from
from campaigns.series.series_forms import SeriesForm, written
from config.clock import database_now
from config.errors import DomainError
from config.times import business_zone

SHOWN_RUNS = 5


@campaign_page(SEND, VIEW_SERIES, ADD_SERIES)
def repeat(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Ask when the campaign is to repeat, then make the series."""
    series = living_series_of(campaign_id=campaign.pk)
    if series is not None:
        return _to_series(series)
    copies = not campaign.is_draft or campaign.series_id is not None
    if copies and not request.user.has_perm(ADD):
        raise PermissionDenied
    form = SeriesForm(request.POST or None, initial=_suggested(campaign))
    if request.method == "POST" and "look" not in request.POST and form.is_valid():
        try:
            made = make_series(
                campaign_id=campaign.pk,
                name=form.cleaned_data["name"],
                repetition=form.repetition(),
                user=signed_in(request),
            )
        except DomainError as refused:
            form.add_error(None, refused.message)
        else:
            assert made.next_run_at is not None
            messages.success(
                request, f"“{made}” repeats: the first run is on {zoned_moment(made.next_run_at)}."
            )
            return _to_series(made)
    return _page(request, form, campaign, f"Repeat “{campaign}”", copies=copies)


def change_series_rule(request: HttpRequest, series: Series) -> HttpResponse:
    """Ask when the series is to run from now on, then follow that."""
    if not series.is_living or series.original is None:
        raise DomainError(
            "series_ended", "This series has ended: repeat its campaign anew to go on."
        )
    form = SeriesForm(request.POST or None, initial=written(series))
    if request.method == "POST" and "look" not in request.POST and form.is_valid():
        try:
            changed = change_rule(
                series_id=series.pk,
                name=form.cleaned_data["name"],
                repetition=form.repetition(),
            )
        except DomainError as refused:
            form.add_error(None, refused.message)
        else:
            messages.success(request, f"Changed: {describe(changed)}.")
            return _to_series(changed)
    return _page(request, form, series.original, f"When “{series}” runs", series=series)


def next_runs(request: HttpRequest) -> HttpResponse:
    """Show the next runs of a rule that is being typed, for a part of the form's page."""
    if not request.user.has_perms((SEND, VIEW_SERIES)):
        raise PermissionDenied
    number = request.GET.get("series", "")
    is_id = number.isascii() and number.isdigit() and len(number) < 18
    series = Series.objects.filter(pk=int(number)).first() if is_id else None
    look = _look(SeriesForm(request.GET), series)
    return render(request, "admin/campaigns/series/next_runs.html", {"look": look})


def _page(
    request: HttpRequest, form: SeriesForm, campaign: Campaign, title: str, **context: Any
) -> TemplateResponse:
    shown = form if form.is_bound else SeriesForm(form.initial)
    look = _look(shown, context.get("series"))
    return show(request, "form", title, campaign=campaign, form=form, look=look, **context)


def _look(form: SeriesForm, series: Series | None) -> dict[str, Any]:
    """Return the rule in words with its next runs, or why there are none."""
    if not form.is_valid():
        errors = [message for field in form.errors.values() for message in field]
        return {"error": " ".join(map(str, errors))}
    now = database_now()
    repetition = form.repetition()
    try:
        require_possible(repetition, today=now.astimezone(business_zone()).date())
    except DomainError as refused:
        return {"error": refused.message}
    tried = Series(**repetition.columns())
    if series is not None:
        tried.last_run_at, tried.runs_made = series.last_run_at, series.runs_made
    runs = runs_from(tried, now=now, count=SHOWN_RUNS)
    return {"words": describe(tried), "runs": run_lines(tried, runs)}


def _suggested(campaign: Campaign) -> dict[str, Any]:
    """Return a rule to begin with: this weekday, from tomorrow on, at ten."""
    tomorrow = (database_now() + timedelta(days=1)).astimezone(business_zone()).date()
    return {
        "name": campaign.name[:LONGEST_NAME],
        "frequency": Series.Frequency.WEEKLY,
        "weekdays": [tomorrow.isoweekday()],
        "month_day": min(tomorrow.day, 28),
        "at": "10:00",
        "starts_on": tomorrow.isoformat(),
    }


def _to_series(series: Series) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:campaigns_series_change", args=[series.pk]))
