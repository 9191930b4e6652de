"""The coupon in the admin. Codes are money: no list, page or log shows one that could be used."""

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display
from unfold.paginator import InfinitePaginator
from unfold.utils import parse_date_str

from customers.find_customers import find_customers
from qrcodes.codes import parse_code
from qrcodes.export_redemptions import export_redemptions
from qrcodes.models import Location, Offer, QRCode, Redemption, ScanAttempt
from qrcodes.redeem import find_code, name_staff
from qrcodes.verdicts import say_amount
from qrcodes.withdraw_codes import reenable_codes, withdraw_codes

# The offers that a filter names; older ones are reached from their campaign.
MOST_OFFERS = 100
STATE_LABELS = {
    "Valid": "success",
    "Not valid yet": "info",
    "Used": "",
    "Expired": "warning",
    "Withdrawn": "danger",
    "Test": "info",
}
REASONS = {
    "not_found": "Not one of ours",
    "test_code": "Test code",
    "withdrawn": "Withdrawn",
    "campaign_cancelled": "Campaign cancelled",
    "not_started": "Not valid yet",
    "expired": "Expired",
    "already_redeemed": "Already redeemed",
    "below_minimum": "Bill too small",
    "budget_reached": "Offer used up",
}


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only the till writes."""

    show_full_result_count = False
    # Counting millions of rows for a page number takes longer than the page.
    paginator = InfinitePaginator
    list_per_page = 50
    list_fullwidth = True
    list_filter_submit = True
    ordering = ("-id",)
    actions: Any = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DayRangeFilter(RangeDateFilter):
    """Days as the business counts them, the first and the last included."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for edge, lookup, later in (("from", "gte", 0), ("to", "lt", 1)):
            day = parse_date_str(self.used_parameters.get(f"{self.parameter_name}_{edge}"))
            try:
                midnight = day and datetime.combine(day + timedelta(days=later), time.min)
            except OverflowError:
                midnight = None
            if midnight:
                moment = timezone.make_aware(midnight)
                queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": moment})
        return queryset


class OfferFilter(DropdownFilter):
    title = "offer"
    parameter_name = "offer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        recent = Offer.objects.order_by("-pk")[:MOST_OFFERS]
        return [(str(offer.pk), offer.title) for offer in recent]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() or ""
        if not chosen.isascii() or not chosen.isdigit() or len(chosen) > 18:
            return queryset
        return queryset.filter(offer_id=int(chosen))


class CodeStateFilter(DropdownFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("unused", "Not used"),
            ("used", "Used up"),
            ("expired", "Expired"),
            ("withdrawn", "Withdrawn"),
            ("test", "Test codes"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "unused":
                return queryset.filter(usage_count=0, is_test=False)
            case "used":
                return queryset.filter(usage_count__gte=F("max_usage"))
            case "expired":
                return queryset.filter(expires_at__lt=timezone.now())
            case "withdrawn":
                return queryset.filter(withdrawn_at__isnull=False)
            case "test":
                return queryset.filter(is_test=True)
        return queryset


@admin.register(QRCode)
class QRCodeAdmin(ReadOnlyAdmin):
    empty_note = (
        "Every customer of a campaign gets a code of their own. Send a campaign with a coupon, "
        "and its codes are listed here."
    )
    list_display = ("customer", "offer", "state", "used", "created_at", "expires_at", "redeemed_at")
    list_display_links = ("customer",)
    list_select_related = ("customer", "offer")
    list_filter = (CodeStateFilter, OfferFilter)
    search_fields = ("pk",)
    search_help_text = "A customer's name, full email or full phone number, or a code."
    actions = ("withdraw", "reenable")
    fields = (
        "customer",
        "offer",
        "state",
        "used",
        "created_at",
        "expires_at",
        "redeemed_at",
        "withdrawn_at",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        code = find_code(parse_code(search_term))
        if code:
            return queryset.filter(pk=code.pk), False
        return queryset.filter(customer__in=find_customers(text=search_term)), False

    def has_manage_permission(self, request: HttpRequest) -> bool:
        """Whether codes that are out may be withdrawn and honoured again."""
        return request.user.has_perm("qrcodes.change_qrcode")

    @display(description="State", label=STATE_LABELS)
    def state(self, code: QRCode) -> str:
        now = timezone.now()
        if code.is_test:
            return "Test"
        if code.withdrawn_at or code.offer.state != Offer.State.OPEN:
            return "Withdrawn"
        if code.usage_count >= code.max_usage:
            return "Used"
        if code.expires_at < now:
            return "Expired"
        return "Not valid yet" if code.offer.starts_at and code.offer.starts_at > now else "Valid"

    @display(description="Used", ordering="usage_count")
    def used(self, code: QRCode) -> str:
        return f"{code.usage_count} of {code.max_usage}"

    @action(description="Withdraw the selected codes", permissions=["manage"])
    def withdraw(self, request: HttpRequest, queryset: Any) -> None:
        changed = withdraw_codes(codes=queryset)
        self.message_user(request, f"{changed:,} codes withdrawn.", messages.SUCCESS)

    @action(description="Honour the selected codes again", permissions=["manage"])
    def reenable(self, request: HttpRequest, queryset: Any) -> None:
        changed = reenable_codes(codes=queryset)
        self.message_user(request, f"{changed:,} codes are honoured again.", messages.SUCCESS)


class UndoneFilter(DropdownFilter):
    title = "undone"
    parameter_name = "undone"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Undone only"), ("all", "With the undone ones")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(undone_at__isnull=self.value() != "yes")


@admin.register(Redemption)
class RedemptionAdmin(ReadOnlyAdmin):
    empty_note = (
        "A redemption is a coupon that was accepted at the till. Shop staff redeem them on the "
        "scan page."
    )
    list_display = (
        "redeemed_at",
        "offer",
        "customer",
        "location",
        "staff_name",
        "bill",
        "given",
        "standing",
    )
    list_select_related = ("offer", "qr_code__customer", "location", "staff")
    list_filter = (
        ("redeemed_at", DayRangeFilter),
        OfferFilter,
        ("location", RelatedDropdownFilter),
        ("staff", RelatedDropdownFilter),
        UndoneFilter,
    )
    list_before_template = "admin/qrcodes/export.html"
    fields = (
        "redeemed_at",
        "offer",
        "customer",
        "location",
        "staff_name",
        "bill",
        "given",
        "note",
        "standing",
        "undone_at",
        "undone_by",
        "undo_reason",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Redemption]:
        return Redemption.history.order_by("-pk")

    def get_urls(self) -> list[URLPattern]:
        export = path(
            "export.csv", self.admin_site.admin_view(self.export), name="qrcodes_redemption_export"
        )
        urls: list[URLPattern] = super().get_urls()
        return [export, *urls]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Stream the list as filtered."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            chosen = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return redirect("admin:qrcodes_redemption_changelist")
        return StreamingHttpResponse(
            export_redemptions(redemptions=chosen),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="redemptions.csv"'},
        )

    @display(description="Customer")
    def customer(self, redemption: Redemption) -> str:
        return str(redemption.qr_code.customer)

    @display(description="By")
    def staff_name(self, redemption: Redemption) -> str:
        return name_staff(redemption.staff)

    @display(description="Bill", ordering="amount")
    def bill(self, redemption: Redemption) -> str:
        return "" if redemption.amount is None else say_amount(redemption.amount)

    @display(description="Discount", ordering="discount")
    def given(self, redemption: Redemption) -> str:
        return "" if redemption.discount is None else say_amount(redemption.discount)

    @display(description="State", label={"Redeemed": "success", "Undone": "warning"})
    def standing(self, redemption: Redemption) -> str:
        return "Undone" if redemption.undone_at else "Redeemed"


class ReasonFilter(DropdownFilter):
    title = "answer"
    parameter_name = "answer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("accepted", "Accepted"), *REASONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "accepted":
            return queryset.filter(accepted=True)
        return queryset.filter(reason=self.value()) if self.value() else queryset


@admin.register(ScanAttempt)
class ScanAttemptAdmin(ReadOnlyAdmin):
    empty_note = (
        "Every code that is scanned or typed at a till is listed here, accepted or not, with the "
        "reason."
    )
    list_display = ("at", "verdict", "reason_words", "offer", "location", "staff_name", "source")
    list_select_related = ("qr_code__offer", "location", "staff")
    list_filter = (
        ("at", DayRangeFilter),
        ReasonFilter,
        ("source", ChoicesDropdownFilter),
        ("location", RelatedDropdownFilter),
        ("staff", RelatedDropdownFilter),
    )
    fields = ("at", "verdict", "reason_words", "offer", "location", "staff_name", "source")

    @display(description="Answer", label={"Accepted": "success", "Rejected": "danger"})
    def verdict(self, attempt: ScanAttempt) -> str:
        return "Accepted" if attempt.accepted else "Rejected"

    @display(description="Reason", ordering="reason")
    def reason_words(self, attempt: ScanAttempt) -> str:
        return REASONS.get(attempt.reason, attempt.reason)

    @display(description="Offer")
    def offer(self, attempt: ScanAttempt) -> str:
        return attempt.qr_code.offer.title if attempt.qr_code else ""

    @display(description="By")
    def staff_name(self, attempt: ScanAttempt) -> str:
        return name_staff(attempt.staff)


@admin.register(Location)
class LocationAdmin(ModelAdmin):
    empty_note = (
        "Add your shops: till staff choose where they are, and the report says which shop a "
        "campaign filled."
    )
    list_display = ("name", "created_at")
    search_fields = ("name",)
