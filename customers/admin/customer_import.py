"""Imports: the list of them, and the pages that lead from a file to customers (C-5)."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import path
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from customers.admin import import_pages
from customers.admin.rights import may_import
from customers.models import CustomerImport


@admin.register(CustomerImport)
class CustomerImportAdmin(ModelAdmin):
    list_display = ("file", "status_label", "outcome", "created_by", "created_at")
    list_display_links = ("file",)
    list_select_related = ("created_by",)
    actions = ()
    add_label = "Import customers"
    empty_note = (
        "Choose a file, say what its columns are, and see what would happen before anything does."
    )
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_import(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_import(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_import(request)

    def get_urls(self) -> Any:
        def page(address: str, view: Any, name: str) -> Any:
            wrapped = self.admin_site.admin_view(view)
            return path(address, wrapped, name=f"customers_customerimport_{name}")

        own = [
            page("<int:import_id>/check/", import_pages.check, "check"),
            page("<int:import_id>/columns/", import_pages.columns_again, "columns"),
            page("<int:import_id>/apply/", import_pages.apply, "apply"),
            page("<int:import_id>/resume/", import_pages.resume, "resume"),
            page("<int:import_id>/discard/", import_pages.discard, "discard"),
            page("<int:import_id>/progress/", import_pages.progress, "progress"),
            page("<int:import_id>/rejects/", import_pages.rejects, "rejects"),
            page("<int:import_id>/forget/", import_pages.forget, "forget"),
        ]
        return own + super().get_urls()

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return import_pages.upload(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return import_pages.show(request, int(object_id) if object_id.isdigit() else 0)

    @admin.display(description="File", ordering="file_name")
    def file(self, customer_import: CustomerImport) -> str:
        return f"{customer_import.file_name} (import {customer_import.pk})"

    @admin.display(description="Status", ordering="status")
    def status_label(self, customer_import: CustomerImport) -> SafeString:
        return render_to_string(
            "admin/customers/customerimport/status_label.html", {"import": customer_import}
        )

    @admin.display(description="Rows")
    def outcome(self, customer_import: CustomerImport) -> str:
        if customer_import.status in {"uploaded", "checking", "checked"}:
            return f"{customer_import.rows_total:,}"
        parts = [
            f"{count:,} {label}"
            for count, label in (
                (customer_import.created, "new"),
                (customer_import.updated, "updated"),
                (customer_import.unchanged, "unchanged"),
                (customer_import.rejected, "rejected"),
            )
            if count
        ]
        return ", ".join(parts) or "–"
