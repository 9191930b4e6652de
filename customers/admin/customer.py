"""Customers: the list, the form, and the pages to export and erase one person."""

import contextlib
import json
import re
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from campaigns.admin.page import VIEW_DELIVERIES
from campaigns.explain import explain_recent
from config.errors import DomainError
from customers.admin.bulk_actions import ACTIONS
from customers.admin.customer_form import CustomerForm
from customers.admin.filters import EmailFilter, TagFilter, TextFilter
from customers.admin.rights import may_erase, may_import, source_of
from customers.contact import normalise_email, normalise_phone
from customers.encryption import DecryptionError
from customers.erase_customer import erase_customer
from customers.export_person import export_person
from customers.models import Channel, ConsentEvent, Customer, CustomerQuerySet
from customers.save_customer import save_customer

# The campaigns that a customer's page answers for.
MOST_CAMPAIGNS = 10
_LOOKS_LIKE_PHONE = re.compile(r"[+(]?[\d\s()/.\-]{6,}")
_WHY_NOT = {
    "unsubscribed": "unsubscribed",
    "bounced": "does not work",
    "never_asked": "never subscribed",
}


class ConsentEventInline(TabularInline):
    """The history of a customer's consent; nobody changes history."""

    model = ConsentEvent
    verbose_name_plural = "History of consent"
    fields = readonly_fields = ("at", "channel", "action", "source")
    ordering = ("-id",)
    extra = 0
    per_page = 20
    hide_title = True
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.view_customer")


@admin.register(Customer)
class CustomerAdmin(ModelAdmin):
    class Media:
        css: ClassVar = {"all": ("customers/list.css",)}

    form = CustomerForm
    empty_note = (
        "Bring your list: “Import customers” above takes a file from Excel, your till or your "
        "newsletter tool. Or add them one by one."
    )
    change_form_outer_after_template = "admin/customers/customer/messages.html"
    inlines = (ConsentEventInline,)
    actions = ACTIONS
    actions_list = ("import_list",)
    actions_detail = ("export_one", "erase_one")
    list_display = ("name", "email_cell", "phone_cell", "tag_names", "till_number", "created_at")
    list_display_links = ("name",)
    list_filter = (TagFilter, EmailFilter, TextFilter)
    list_filter_submit = True
    show_facets = admin.ShowFacets.NEVER  # a count over everyone for every choice
    list_per_page = 50
    search_fields = ("first_name", "last_name", "external_id")
    search_help_text = "Name, number at the till, whole email or phone number"
    fieldsets = (
        (None, {"fields": (("first_name", "last_name"), ("email", "phone"), "tag_names")}),
        ("Consent", {"fields": (("takes_email", "takes_sms"),)}),
        (
            "More",
            {"fields": ("external_id", ("language", "time_zone"), "attributes")},
        ),
    )

    # --- Who may do what ---

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Erasing keeps the statistics; deleting would take them along.

    def has_erase_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_erase(request)

    def has_import_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_import(request)

    # --- The list ---

    def get_queryset(self, request: HttpRequest) -> CustomerQuerySet:
        customers: CustomerQuerySet = super().get_queryset(request)
        return customers.alive().prefetch_related("tags")

    def get_search_results(
        self, request: HttpRequest, queryset: CustomerQuerySet, search_term: str
    ) -> tuple[CustomerQuerySet, bool]:
        """Turn a whole address or number into its index; it is never looked for in clear (C-2)."""
        term = search_term.strip()
        if "@" in term:
            try:
                return queryset.with_email(normalise_email(term)), False
            except DomainError:
                return queryset.none(), False
        if _LOOKS_LIKE_PHONE.fullmatch(term):
            by_id = Q(external_id=term)
            with contextlib.suppress(DomainError):
                by_id |= Q(pk__in=Customer.objects.all().with_phone(normalise_phone(term)))
            return queryset.filter(by_id), False
        found: tuple[CustomerQuerySet, bool] = super().get_search_results(request, queryset, term)
        return found

    @admin.display(description="Name", ordering=("last_name"))
    def name(self, customer: Customer) -> str:
        return str(customer)

    @admin.display(description="Email")
    def email_cell(self, customer: Customer) -> SafeString:
        return _address_cell(customer, Channel.EMAIL.value)

    @admin.display(description="Phone")
    def phone_cell(self, customer: Customer) -> SafeString:
        return _address_cell(customer, Channel.SMS.value)

    @admin.display(description="Number at the till", ordering="external_id")
    def till_number(self, customer: Customer) -> str:
        return customer.external_id or "–"

    @admin.display(description="Tags")
    def tag_names(self, customer: Customer) -> str:
        return ", ".join(sorted(tag.name for tag in customer.tags.all())) or "–"

    @action(
        description="Import customers", permissions=["import"], url_path="import", icon="upload"
    )
    def import_list(self, request: HttpRequest) -> HttpResponse:
        """Open the page where a list is uploaded."""
        return redirect("admin:customers_customerimport_add")

    # --- One customer ---

    @admin.display(description="Takes emails", boolean=True)
    def takes_email(self, customer: Customer) -> bool:
        return customer.email_subscribed

    @admin.display(description="Takes texts", boolean=True)
    def takes_sms(self, customer: Customer) -> bool:
        return customer.sms_subscribed

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context: dict[str, Any] = {}
        if object_id and request.user.has_perms(VIEW_DELIVERIES):
            customer = self.get_object(request, object_id)
            if customer is not None:
                context["explanations"] = explain_recent(customer, most=MOST_CAMPAIGNS)
        try:
            return super().changeform_view(
                request, object_id, form_url, {**context, **(extra_context or {})}
            )
        except DomainError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(
        self, request: HttpRequest, obj: Customer, form: CustomerForm, change: bool
    ) -> None:
        save_customer(
            customer=obj,
            changes=form.changes(),
            tags=form.tags(),
            consent=form.consent(),
            source=source_of(request),
        )

    @action(
        description="Download their data",
        permissions=["change"],
        url_path="export",
        icon="download",
    )
    def export_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Download everything held about a customer."""
        try:
            person = export_person(customer_id=int(object_id))
        except (DomainError, DecryptionError) as error:
            messages.error(request, str(error))
            return redirect("admin:customers_customer_changelist")
        return HttpResponse(
            json.dumps(person, ensure_ascii=False, indent=2),
            content_type="application/json",
            headers={
                "Content-Disposition": f'attachment; filename="customer-{person["id"]}.json"',
                "Cache-Control": "no-store",
            },
        )

    @action(description="Erase…", permissions=["erase"], url_path="erase", icon="person_remove")
    def erase_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask once more, then erase a customer."""
        customer = self.get_object(request, object_id)
        if customer is None:
            messages.error(request, "There is no such customer: they may have been erased.")
            return redirect("admin:customers_customer_changelist")
        if request.method != "POST":
            context = {
                **admin.site.each_context(request),
                "opts": self.model._meta,
                "title": f"Erase {customer}",
                "count": 1,
                "address": request.path,
                "back": reverse("admin:customers_customer_change", args=[customer.pk]),
                "kept": {},
            }
            return TemplateResponse(request, "admin/customers/customer/erase.html", context)
        try:
            erase_customer(customer_id=customer.pk, source=source_of(request))
        except DomainError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, f"Customer {customer.pk} is erased.")
        return redirect("admin:customers_customer_changelist")


def _address_cell(customer: Customer, channel: str) -> SafeString:
    """Show an address, and why no message goes there, if none does."""
    try:
        address = customer.address_for(channel)
    except DecryptionError:
        return format_html('<span class="hb-note">{}</span>', "Its key is missing")
    if not address:
        return SafeString("–")
    reason = customer.exclusion_reason(channel)
    if reason == "unsubscribed" and not getattr(customer, f"{channel}_consent_action"):
        reason = "never_asked"
    if not reason:
        return format_html("{}", address)
    return format_html('{}<span class="hb hb-why">{}</span>', address, _WHY_NOT.get(reason, reason))
