"""Deliveries in the admin: read, and settled where nobody knows; never edited, no address shown."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Max, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from campaigns.admin.delivery_actions import ACTIONS
from campaigns.admin.delivery_filters import CampaignFilter, ReasonFilter, ReportedFilter
from campaigns.admin.page import SEND
from campaigns.explain import describe
from campaigns.models import Delivery
from campaigns.standstill import notices_for
from config.clock import database_now
from customers.find_customers import MOST_FOUND, find_customers

# Where nothing but reading on finds what a filter asks for, so many are read: a third of a second.
NEWEST = 1_000_000
_LEAD_TO_AN_INDEX = frozenset({CampaignFilter.parameter_name})
_TROUBLED = frozenset({Delivery.Status.FAILED, Delivery.Status.UNCONFIRMED})
STATUS_LABELS = {
    Delivery.Status.PENDING.label: "info",
    Delivery.Status.SENDING.label: "info",
    Delivery.Status.SENT.label: "success",
    Delivery.Status.FAILED.label: "danger",
    Delivery.Status.SKIPPED.label: "",
    Delivery.Status.UNCONFIRMED.label: "warning",
    Delivery.Status.CANCELLED.label: "",
}


def _answer_for(deliveries: list[Any], *, brief: bool) -> None:
    """Write on each what became of it, with a fixed number of queries."""
    notices = notices_for({row.campaign_id: row.campaign for row in deliveries}.values())
    now = database_now()
    for row in deliveries:
        row.answer = describe(
            row, campaign=row.campaign, notices=notices[row.campaign_id], now=now, brief=brief
        )


class DeliveryChangeList(ChangeList):
    """A page of deliveries with what became of each."""

    result_list: Any
    only_newest = False

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> QuerySet[Delivery]:
        """Look among the newest alone where no index leads to what is asked for."""
        deliveries: QuerySet[Delivery] = super().get_queryset(request, exclude_parameters)
        if not self.has_active_filters or self.query or set(self.params) & _LEAD_TO_AN_INDEX:
            return deliveries
        if self.params.get("status__exact") in _TROUBLED:
            return deliveries
        newest = Delivery.objects.aggregate(newest=Max("pk"))["newest"] or 0
        self.only_newest = newest > NEWEST
        return deliveries.filter(pk__gt=newest - NEWEST)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        _answer_for(self.result_list, brief=True)


@admin.register(Delivery)
class DeliveryAdmin(ModelAdmin):
    empty_note = (
        "Every message to every customer is listed here once a campaign is sent: whether it left, "
        "arrived or came back, and why."
    )
    list_display = ("customer", "campaign", "channel", "state", "what_happened", "attempts")
    list_display_links = ("customer",)
    list_select_related = ("customer", "campaign")
    list_filter = (
        CampaignFilter,
        ("channel", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ReasonFilter,
        ReportedFilter,
    )
    list_filter_submit = True
    list_fullwidth = True
    # Counting or sorting millions of rows takes longer than the page.
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    list_per_page = 50
    list_before_template = "admin/campaigns/delivery/only_newest.html"
    # For the search box: what is looked for is decided below.
    search_fields = ("customer__last_name",)
    search_help_text = "A name, or a whole email address or phone number."
    actions = ACTIONS
    fieldsets = (
        (None, {"fields": ("about", "campaign_link", "channel", "state", "what_happened")}),
        ("Sending", {"fields": ("attempts", "next_try", "sent_at")}),
        (
            "What the provider reported",
            {"fields": ("delivered_at", "opened_at", "clicked_at", "bounced_at")},
        ),
        ("For support", {"fields": ("segments", "public_id", "provider_id", "created_at")}),
    )

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Newest first; within a campaign as its index goes, or all younger ones are read too."""
        if request.GET.get(CampaignFilter.parameter_name):
            return ("-campaign_id", "-customer_id", "-channel", "-step")
        return ("-id",)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[DeliveryChangeList]:
        return DeliveryChangeList

    def get_readonly_fields(self, request: HttpRequest, obj: Delivery | None = None) -> Any:
        return [name for _, options in self.fieldsets for name in options["fields"]]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """Look for people first: an address is found by its index only (C-2)."""
        if not search_term.strip():
            return queryset, False
        found = find_customers(text=search_term)
        if len(found) == MOST_FOUND:
            messages.info(
                request, f"Only the first {MOST_FOUND} customers of this name: type more of it."
            )
        return queryset.filter(customer__in=found), False

    @display(description="Status", label=STATUS_LABELS)
    def state(self, delivery: Delivery) -> str:
        return delivery.get_status_display()

    @display(description="What happened")
    def what_happened(self, delivery: Any) -> str:
        if not hasattr(delivery, "answer"):
            _answer_for([delivery], brief=False)
        return str(delivery.answer.sentence)

    @display(description="Customer")
    def about(self, delivery: Delivery) -> SafeString:
        if delivery.customer.erased_at:
            return format_html("{} (erased)", delivery.customer)
        return _link("admin:customers_customer_change", delivery.customer_id, delivery.customer)

    @display(description="Campaign")
    def campaign_link(self, delivery: Delivery) -> SafeString:
        return _link("admin:campaigns_campaign_change", delivery.campaign_id, delivery.campaign)

    @display(description="Next try")
    def next_try(self, delivery: Delivery) -> Any:
        waits = delivery.status == Delivery.Status.PENDING
        return delivery.not_before if waits and delivery.not_before > database_now() else None

    @display(description="Matched segments")
    def segments(self, delivery: Delivery) -> str:
        return ", ".join(delivery.matched_segments)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(SEND)


def _link(page: str, pk: int, text: object) -> SafeString:
    return format_html('<a class="hb-link" href="{}">{}</a>', reverse(page, args=[pk]), text)
