"""Series in the admin: the list, the page of one, and the buttons that move it (M-10)."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from campaigns.admin import series_form
from campaigns.admin.page import CHANGE_SERIES, SEND, VIEW, VIEW_SERIES, signed_in
from campaigns.admin.series_panel import panel_of, show
from campaigns.models import Series
from campaigns.moments import zoned_moment
from campaigns.series.change_series import (
    dismiss_trouble,
    end_series,
    pause_series,
    resume_series,
)
from campaigns.series.rules import describe
from config.errors import DomainError

SeriesView = Callable[..., HttpResponseBase]


@admin.register(Series)
class SeriesAdmin(ModelAdmin):
    empty_note = (
        "A series sends a campaign again every week or every month. Open a campaign and press "
        "“Repeat…”."
    )
    list_display = ("name", "rule", "next_run", "last_run", "state_label")
    list_per_page = 50
    list_fullwidth = True
    search_fields = ("name",)
    search_help_text = "Search by name"
    actions = None

    def get_urls(self) -> list[URLPattern]:
        pages = [
            ("rule", series_page(series_form.change_series_rule)),
            ("pause", series_page(pause)),
            ("resume", series_page(resume)),
            ("end", series_page(end)),
            ("seen", series_page(seen)),
        ]
        own = [
            path(
                f"<int:series_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"campaigns_series_{name}",
            )
            for name, view in pages
        ]
        preview = path(
            "next-runs/",
            self.admin_site.admin_view(series_form.next_runs),
            name="campaigns_series_next_runs",
        )
        return [preview, *own, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: a series is made from a campaign."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Series | None = None) -> bool:
        """Return False: a series ends, and stays as history."""
        return False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the series with its runs; its rule has a page of its own."""
        if not request.user.has_perms((VIEW, VIEW_SERIES)):
            raise PermissionDenied
        series = self.get_object(request, object_id)
        if series is None:
            response: HttpResponse = self._get_obj_does_not_exist_redirect(
                request, self.opts, object_id
            )
            return response
        return show(request, "page", str(series), original=series, panel=panel_of(request, series))

    @admin.display(description="When")
    def rule(self, series: Series) -> str:
        return describe(series)

    @admin.display(description="Next run", ordering="next_run_at")
    def next_run(self, series: Series) -> str:
        if series.next_run_at is None:
            return "–"
        return date_format(timezone.localtime(series.next_run_at), "D, j M Y, H:i")

    @admin.display(description="Last run", ordering="last_run_at")
    def last_run(self, series: Series) -> SafeString:
        return render_to_string("admin/campaigns/series/last_run.html", {"series": series})

    @admin.display(description="State", ordering="state")
    def state_label(self, series: Series) -> SafeString:
        return render_to_string("admin/campaigns/series/state_label.html", {"series": series})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Series]:
        found: QuerySet[Series] = super().get_queryset(request)
        return found.select_related("original")


def series_page(view: SeriesView) -> SeriesView:
    """Make a view of (request, series) out of an id: rights checked, errors shown as messages."""

    @wraps(view)
    def page(request: HttpRequest, series_id: int) -> HttpResponseBase:
        if not request.user.has_perms((VIEW, VIEW_SERIES, CHANGE_SERIES, SEND)):
            raise PermissionDenied
        series = Series.objects.filter(pk=series_id).first()
        if series is None:
            messages.error(request, "There is no such series.")
            return redirect("admin:campaigns_series_changelist")
        try:
            return view(request, series)
        except DomainError as error:
            messages.error(request, error.message)
        return back_to(series)

    return page


def back_to(series: Series) -> HttpResponseRedirect:
    """Redirect to the page of a series."""
    return HttpResponseRedirect(reverse("admin:campaigns_series_change", args=[series.pk]))


def pause(request: HttpRequest, series: Series) -> HttpResponse:
    """Make no run until it is resumed."""
    if request.method == "POST":
        pause_series(series_id=series.pk, reason=f"Paused by {signed_in(request).get_username()}.")
        messages.success(request, "Paused: no run is made until somebody resumes the series.")
    return back_to(series)


def resume(request: HttpRequest, series: Series) -> HttpResponse:
    """Go on with the next run from now."""
    if request.method == "POST":
        resumed = resume_series(series_id=series.pk)
        assert resumed.next_run_at is not None
        messages.success(
            request, f"Resumed: the next run is on {zoned_moment(resumed.next_run_at)}."
        )
    return back_to(series)


def end(request: HttpRequest, series: Series) -> HttpResponse:
    """Ask, then make no run any more."""
    if request.method != "POST":
        return show(request, "end", f"End {series}", original=series, series=series)
    end_series(series_id=series.pk, reason=f"Ended by {signed_in(request).get_username()}.")
    messages.success(request, "Ended: no run is made any more. Its campaigns stay as they are.")
    return back_to(series)


def seen(request: HttpRequest, series: Series) -> HttpResponse:
    """Stop showing what went wrong with the last run."""
    if request.method == "POST":
        dismiss_trouble(series_id=series.pk)
        messages.success(request, "Noted: this is not shown any more.")
    return back_to(series)
