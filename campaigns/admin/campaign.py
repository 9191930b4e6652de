"""Campaigns in the admin: the list, and the form that changes as a campaign leaves draft."""

from typing import Any

from django.contrib import admin, messages
from django.db import connection
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from unfold.contrib.filters.admin import MultipleChoicesDropdownFilter

from campaigns.admin import (
    editor,
    gallery,
    live,
    moves,
    preview,
    report,
    rescheduling,
    sending,
    series_form,
    series_panel,
    unconfirmed,
    who,
)
from campaigns.admin.columns import CampaignColumns
from campaigns.admin.page import SEND, back_to, rights, signed_in
from campaigns.check_campaign import check_campaign
from campaigns.create_campaign import create_campaign
from campaigns.delete_campaign import delete_draft
from campaigns.forms import CampaignForm, RunningCampaignForm
from campaigns.models import Campaign
from campaigns.update_campaign import update_campaign
from config.errors import DomainError
from qrcodes.models import Offer

MESSAGE = ("Message", {"fields": ("name", "subject", "email_content", "email_text", "sms_content")})
AUDIENCE = ("Audience", {"fields": ("target_all", "target_segments", "excluded_segments")})
COUPON = (
    "Coupon",
    {
        "fields": (
            "has_qr_code",
            ("offer_title", "offer_value"),
            "offer_terms",
            ("qr_expiration_days", "max_usage"),
            "offer_starts_at",
            "offer_minimum_amount",
            ("offer_max_redemptions", "offer_max_discount"),
        )
    },
)
RATES = ("Sending rates", {"fields": (("send_rate_limit_emails", "send_rate_limit_sms"),)})
NAME_AND_RATES = (
    "Name and rates",
    {
        "fields": ("name", ("send_rate_limit_emails", "send_rate_limit_sms")),
        "description": "A new rate takes effect within five seconds.",
    },
)
MOST_WARNINGS = 5
FACTS = ("What it is", {"fields": ("subject", "audience", "coupon")})


@admin.register(Campaign)
class CampaignAdmin(CampaignColumns):
    change_form_template = "admin/campaigns/campaign/change_form.html"
    list_filter = (("status", MultipleChoicesDropdownFilter),)
    list_filter_submit = True
    search_fields = ("name",)
    search_help_text = "Search by name"
    list_per_page = 50
    list_fullwidth = True
    actions = ("confirm_sending",)
    save_on_top = False
    warn_unsaved_form = True
    add_label = "New campaign"

    # --- Addresses ------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        pages = [
            ("panel", live.panel),
            ("preview", preview.preview),
            ("test", preview.send_a_test),
            ("test_results", preview.test_results),
            ("audience", sending.change_audience),
            ("send", sending.confirm),
            ("schedule", sending.schedule),
            ("cancel", moves.cancel),
            ("pause", moves.pause),
            ("resume", moves.resume),
            ("unschedule", moves.unschedule),
            ("reschedule", rescheduling.reschedule),
            ("repeat", series_form.repeat),
            ("retry", moves.retry),
            ("unconfirmed", unconfirmed.settle),
            ("who", who.page),
            ("duplicate", moves.duplicate),
            ("save_as_template", gallery.save_as_template),
            ("report", report.page),
            ("report.csv", report.summary_csv),
            ("report.json", report.as_json),
            ("recipients.csv", report.recipients_csv),
        ]
        own = [
            path(
                f"<int:campaign_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"campaigns_campaign_{name}",
            )
            for name, view in pages
        ]
        poll = path("live/", self.admin_site.admin_view(live.poll), name="campaigns_campaign_live")
        return [
            poll,
            *gallery.urls(self.admin_site),
            *editor.urls(self.admin_site),
            *own,
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Offer something to start from before the empty form."""
        if request.method != "POST" and "blank" not in request.GET:
            return gallery.show_gallery(request)
        response: HttpResponse = super().add_view(request, form_url, extra_context)
        return response

    # --- The form -------------------------------------------------------------------------------

    def get_form(
        self, request: HttpRequest, obj: Campaign | None = None, change: bool = False, **kwargs: Any
    ) -> "type[ModelForm[Campaign]]":
        if self._edits(request, obj):
            is_draft = obj is None or obj.is_draft
            kwargs["form"] = CampaignForm if is_draft else RunningCampaignForm
        form: type[ModelForm[Campaign]] = super().get_form(request, obj, change=change, **kwargs)
        return form

    def _edits(self, request: HttpRequest, obj: Campaign | None) -> bool:
        if obj is None:
            return bool(self.has_add_permission(request))
        return bool(self.has_change_permission(request, obj))

    def get_fieldsets(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        if not self._edits(request, obj):
            return (FACTS,)
        if obj is None or obj.is_draft:
            return (MESSAGE, AUDIENCE, COUPON, RATES)
        return (NAME_AND_RATES, FACTS)

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        if obj is None or (obj.is_draft and self._edits(request, obj)):
            return ()
        return FACTS[1]["fields"]

    @admin.display(description="Audience")
    def audience(self, campaign: Campaign) -> str:
        text = "Everyone"
        if not campaign.target_all:
            text = ", ".join(s.name for s in campaign.target_segments.all()) or "None chosen"
        excluded = ", ".join(segment.name for segment in campaign.excluded_segments.all())
        return f"{text}, except {excluded}" if excluded else text

    @admin.display(description="Coupon")
    def coupon(self, campaign: Campaign) -> str:
        offer = Offer.objects.filter(campaign_id=campaign.pk).first()
        if not campaign.has_qr_code or offer is None:
            return "None"
        uses = "once" if campaign.max_usage == 1 else f"{campaign.max_usage} times"
        days = campaign.qr_expiration_days
        state = "" if offer.state == Offer.State.OPEN else f" ({offer.get_state_display().lower()})"
        return f"{offer.title}, {uses}, for {days} day{'s' * (days != 1)}{state}"

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Campaign | None:
        """Lock a draft that is being saved: the form compares it with what it was loaded with."""
        found: Campaign | None = super().get_object(request, object_id, from_field)
        saves_draft = found and found.is_draft and "email_content" in request.POST
        if saves_draft and connection.in_atomic_block:
            return Campaign.objects.select_for_update().filter(pk=object_id).first()
        return found

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        campaign = self.get_object(request, object_id) if object_id else None
        context: dict[str, Any] = {"may": rights(request)}
        if self._edits(request, campaign) and (campaign is None or campaign.is_draft):
            pk = campaign.pk if campaign else None
            context["editor"] = editor.editor_context(request, kind="campaign", pk=pk)
        if campaign is not None:
            context["panel"] = live.panel_context(request, campaign)
            context["series_panel"] = series_panel.panel_on(request, campaign)
        try:
            if campaign is not None and "email_content" in request.POST:
                _refuse_stale_draft(campaign)
            response: HttpResponse = super().changeform_view(
                request, object_id, form_url, {**context, **(extra_context or {})}
            )
        except DomainError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(request.get_full_path())
        return response

    def save_model(self, request: HttpRequest, obj: Campaign, form: Any, change: bool) -> None:
        """Hand what was changed to a use case: a loaded row is never saved whole."""
        if change:
            update_campaign(campaign_id=obj.pk, **form.changes())
            if sentence := getattr(form, "kept_sentence", ""):
                messages.info(request, sentence)
            return
        obj.pk = create_campaign(**form.content(), user=signed_in(request)).pk
        obj._state.adding = False

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Do nothing: ``save_model`` has written the segments too."""

    def response_add(
        self, request: HttpRequest, obj: Campaign, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._after_saving(request, obj)

    def response_change(self, request: HttpRequest, obj: Campaign) -> HttpResponse:
        return self._after_saving(request, obj)

    def _after_saving(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        campaign = Campaign.objects.get(pk=campaign.pk)
        messages.success(request, f"“{campaign}” is saved.")
        for button in ("preview", "send"):
            if f"_{button}" in request.POST:
                return back_to(campaign, button)
        if campaign.is_draft:
            problems = [problem.message for problem in check_campaign(campaign)[:MOST_WARNINGS]]
            if problems:
                messages.warning(request, f"Before you send: {' '.join(problems)}")
        return back_to(campaign)

    # --- Deleting and sending from the list -----------------------------------------------------

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return (obj is None or obj.is_draft) and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the draft alone: what hangs on it are its test sends."""
        names = [str(campaign) for campaign in objs]
        return names, {self.opts.verbose_name_plural: len(names)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Campaign) -> None:
        delete_draft(campaign_id=obj.pk)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            response: HttpResponse = super().delete_view(request, object_id, extra_context)
        except DomainError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(reverse("admin:campaigns_campaign_changelist"))
        return response

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description="Send…", permissions=["send"])
    def confirm_sending(
        self, request: HttpRequest, queryset: QuerySet[Campaign]
    ) -> HttpResponse | None:
        chosen = list(queryset[:2])
        if len(chosen) == 1:
            return back_to(chosen[0], "send")
        messages.warning(request, "Choose one campaign: each is confirmed by itself.")
        return None

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(SEND)


def _refuse_stale_draft(campaign: Campaign) -> None:
    """Tell somebody who edits a draft that a colleague has sent it meanwhile (M-3)."""
    if not campaign.is_draft:
        raise DomainError(
            "locked",
            f"Nothing was saved: meanwhile this campaign is "
            f"{campaign.get_status_display().lower()}, and its message can no longer be changed.",
        )
