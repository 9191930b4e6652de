"""Deliveries in the admin: to be read, never to be changed, and without an address."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from campaigns.models import Campaign, Delivery
from campaigns.reasons import REASONS, reason_sentence

# The campaigns the filter offers; older ones are reached from their own page.
MOST_CAMPAIGNS = 100
STATUS_LABELS = {
    Delivery.Status.PENDING.label: "info",
    Delivery.Status.SENDING.label: "info",
    Delivery.Status.SENT.label: "success",
    Delivery.Status.FAILED.label: "danger",
    Delivery.Status.SKIPPED.label: "",
    Delivery.Status.UNCONFIRMED.label: "warning",
    Delivery.Status.CANCELLED.label: "",
}


class CampaignFilter(DropdownFilter):
    title = "campaign"
    parameter_name = "campaign"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        recent = Campaign.objects.exclude(status=Campaign.Status.DRAFT)[:MOST_CAMPAIGNS]
        return [(str(campaign.pk), campaign.name) for campaign in recent]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        chosen = self.value() or ""
        if not chosen.isascii() or not chosen.isdigit() or len(chosen) > 18:
            return queryset
        return queryset.filter(campaign_id=int(chosen))


class ReasonFilter(DropdownFilter):
    title = "reason"
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # From the code, not the table: reading millions of rows for a menu takes a second.
        return list(REASONS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(code=self.value()) if self.value() in REASONS else queryset


@admin.register(Delivery)
class DeliveryAdmin(ModelAdmin):
    list_display = ("customer", "campaign", "channel", "state", "reason", "attempts", "sent_at")
    list_display_links = ("customer",)
    list_select_related = ("customer", "campaign")
    list_filter = (
        CampaignFilter,
        ("channel", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ReasonFilter,
    )
    list_filter_submit = True
    list_fullwidth = True
    # Counting millions of rows for a page number takes longer than the page.
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    ordering = ("-id",)
    actions = None
    fields = (
        "customer",
        "campaign",
        "channel",
        "state",
        "reason",
        "attempts",
        "not_before",
        "sent_at",
        "delivered_at",
        "opened_at",
        "clicked_at",
        "bounced_at",
        "segments",
        "public_id",
        "provider_id",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Delivery | None = None) -> Any:
        return self.fields

    @display(description="Status", ordering="status", label=STATUS_LABELS)
    def state(self, delivery: Delivery) -> str:
        return delivery.get_status_display()

    @display(description="Reason", ordering="code")
    def reason(self, delivery: Delivery) -> str:
        return reason_sentence(delivery.code)

    @display(description="Matched segments")
    def segments(self, delivery: Delivery) -> str:
        return ", ".join(delivery.matched_segments)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
