"""Filters of the list of deliveries; none of them counts, for there are millions."""

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from campaigns.delivery.outbox import Report
from campaigns.models import Campaign, Delivery
from campaigns.reasons import REASONS

# The campaigns the filter offers; older ones are reached from their own page.
MOST_CAMPAIGNS = 100


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
    """Why it was not sent, waits, or came back."""

    title = "reason"
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # From the code, not the table: reading millions of rows for a menu takes a second.
        return list(REASONS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        code = self.value()
        if code not in REASONS:
            return queryset
        return queryset.filter(Q(code=code) | Q(bounced_at__isnull=False, bounce_code=code))


class ReportedFilter(DropdownFilter):
    """What the provider reported after it took a message."""

    title = "what the provider reported"
    parameter_name = "reported"
    columns: ClassVar = {
        Report.DELIVERED.value: ("Arrived", "delivered_at"),
        Report.BOUNCED.value: ("Came back", "bounced_at"),
        Report.OPENED.value: ("Opened", "opened_at"),
        Report.CLICKED.value: ("Clicked", "clicked_at"),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, label) for name, (label, _) in self.columns.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        _, column = self.columns.get(self.value() or "", ("", ""))
        return queryset.filter(**{f"{column}__isnull": False}) if column else queryset
