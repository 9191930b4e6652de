"""The columns of the campaign list; what they show is read once for the whole page."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from analytics.figures import customers_redeemed
from campaigns.live import live_states, sent_and_failed
from campaigns.models import Campaign

# More names than this make a row taller than the others.
MOST_SEGMENTS = 3


class CampaignChangeList(ChangeList):
    """A page of campaigns with their live state and redemptions, in a fixed number of queries."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        campaigns: list[Any] = list(self.result_list)
        redeemed = customers_redeemed([campaign.pk for campaign in campaigns])
        for campaign, state in zip(campaigns, live_states(campaigns), strict=True):
            campaign.live_state = state
            campaign.customers_redeemed = redeemed.get(campaign.pk, 0)
        self.result_list = campaigns


class CampaignColumns(ModelAdmin):
    """The methods behind ``list_display``."""

    list_display = (
        "name",
        "status_label",
        "progress",
        "segments",
        "sent_at",
        "emails",
        "texts",
        "redeemed",
    )

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[CampaignChangeList]:
        return CampaignChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        campaigns: QuerySet[Campaign] = super().get_queryset(request)
        return campaigns.prefetch_related("target_segments")

    @admin.display(description="Status", ordering="status")
    def status_label(self, campaign: Campaign) -> SafeString:
        return render_to_string(
            "admin/campaigns/campaign/status_label.html", {"campaign": campaign}
        )

    @admin.display(description="Progress")
    def progress(self, campaign: Any) -> SafeString:
        return render_to_string(
            "admin/campaigns/campaign/progress_cell.html",
            {"campaign": campaign, "state": campaign.live_state},
        )

    @admin.display(description="Segments")
    def segments(self, campaign: Campaign) -> str:
        if campaign.target_all:
            return "Everyone"
        names = [segment.name for segment in campaign.target_segments.all()]
        more = f" and {len(names) - MOST_SEGMENTS} more" if len(names) > MOST_SEGMENTS else ""
        return ", ".join(names[:MOST_SEGMENTS]) + more or "None chosen"

    @admin.display(description="Emails")
    def emails(self, campaign: Campaign) -> SafeString:
        return _counter(campaign, "emails", campaign.emails_sent, campaign.emails_failed)

    @admin.display(description="Texts")
    def texts(self, campaign: Campaign) -> SafeString:
        return _counter(campaign, "sms", campaign.sms_sent, campaign.sms_failed)

    @admin.display(description="Redeemed")
    def redeemed(self, campaign: Any) -> str:
        return f"{campaign.customers_redeemed:,}"


def _counter(campaign: Campaign, part: str, sent: int, failed: int) -> SafeString:
    return format_html(
        '<span class="hb-counter" data-live="{}" data-part="{}">{}</span>',
        campaign.pk,
        part,
        sent_and_failed(sent, failed),
    )
