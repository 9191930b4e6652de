"""Actions on the customers that are selected, or on all that match the filters (S-2, C-6, C-8)."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin, helpers
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from config.errors import DomainError
from customers.admin.rights import source_of
from customers.encryption import DecryptionError
from customers.erase_customer import erase_customer
from customers.export_customers import export_customers
from customers.models import Customer, CustomerQuerySet, Segment
from customers.segments import add_tags, parse_tags, remove_tags

# Excel takes a file without this mark for Latin-1.
UTF8_MARK = "\ufeff"


class TagsForm(forms.Form):
    """The tags to put on or take off."""

    tags = forms.CharField(
        widget=UnfoldAdminTextInputWidget(attrs={"list": "known-tags", "autofocus": True}),
        help_text="Separated by commas, such as regulars, inactive-6months.",
    )

    def clean_tags(self) -> list[str]:
        """Return the tags, normalised."""
        try:
            tags = parse_tags(self.cleaned_data["tags"])
        except DomainError as error:
            raise ValidationError(error.message, code=error.code) from None
        if not tags:
            raise ValidationError("Type at least one tag.")
        return tags


def _ask(
    model_admin: "ModelAdmin[Customer]",
    request: HttpRequest,
    customers: CustomerQuerySet,
    template: str,
    **context: Any,
) -> HttpResponse:
    """Show a page that repeats the action's form, and so its selection, when it is sent."""
    return TemplateResponse(
        request,
        f"admin/customers/customer/{template}.html",
        {
            **admin.site.each_context(request),
            "opts": model_admin.model._meta,
            "title": "Tags" if template == "tags" else "Erase customers",
            "count": customers.count(),
            "address": request.get_full_path(),
            "kept": {
                "action": [request.POST["action"]],
                "select_across": [request.POST.get("select_across", "0")],
                "index": [request.POST.get("index", "0")],
                helpers.ACTION_CHECKBOX_NAME: request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
            },
            **context,
        },
    )


def _people(count: int) -> str:
    return f"{count:,} customer" if count == 1 else f"{count:,} customers"


def _listed(tags: list[str]) -> str:
    return ", ".join(f"“{tag}”" for tag in tags)


@admin.action(description="Add tags…", permissions=["change"])
def add_tags_action(
    model_admin: "ModelAdmin[Customer]", request: HttpRequest, customers: CustomerQuerySet
) -> HttpResponse | None:
    """Ask for tags, then put them on every customer of the selection."""
    form = TagsForm(request.POST if "tags" in request.POST else None)
    if not form.is_valid():
        known = Segment.objects.values_list("name", flat=True)
        return _ask(model_admin, request, customers, "tags", form=form, verb="Add", known=known)
    tags = form.cleaned_data["tags"]
    added = add_tags(customers=customers, tags=tags)
    verb = "are" if len(tags) > 1 else "is"
    new = f"new {added:,} times" if added else "as it was before"
    messages.success(request, f"{_listed(tags)} {verb} on {_people(customers.count())}, {new}.")
    return None


@admin.action(description="Remove tags…", permissions=["change"])
def remove_tags_action(
    model_admin: "ModelAdmin[Customer]", request: HttpRequest, customers: CustomerQuerySet
) -> HttpResponse | None:
    """Ask for tags, then take them off every customer of the selection."""
    form = TagsForm(request.POST if "tags" in request.POST else None)
    if not form.is_valid():
        known = Segment.objects.values_list("name", flat=True)
        return _ask(model_admin, request, customers, "tags", form=form, verb="Remove", known=known)
    tags = form.cleaned_data["tags"]
    # Counted first: the selection may itself be a filter on these tags.
    selected = customers.count()
    removed = remove_tags(customers=customers, tags=tags)
    took = f"taken off, {removed:,} in all" if removed else "nobody had them"
    messages.success(request, f"{_listed(tags)}, for {_people(selected)}: {took}.")
    return None


@admin.action(description="Export as CSV", permissions=["change"])
def export_action(
    model_admin: "ModelAdmin[Customer]", request: HttpRequest, customers: CustomerQuerySet
) -> StreamingHttpResponse | None:
    """Stream the selection as CSV, in the form that the import reads back."""
    pieces = export_customers(customers=customers)
    try:
        # The first piece with customers in it: an answer that has begun cannot say that it failed.
        first = [next(pieces, ""), next(pieces, "")]
    except DecryptionError as error:
        messages.error(request, str(error))
        return None
    return csv_response(chain(first, pieces), f"customers-{timezone.localdate()}.csv")


def csv_response(pieces: Iterator[str], file_name: str) -> StreamingHttpResponse:
    """Return pieces of CSV as a file that spreadsheets open as UTF-8 and nobody keeps."""
    return StreamingHttpResponse(
        (piece.encode() for piece in chain([UTF8_MARK], pieces)),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{file_name}"',
            "Cache-Control": "no-store",
        },
    )


@admin.action(description="Erase for good…", permissions=["erase"])
def erase_action(
    model_admin: "ModelAdmin[Customer]", request: HttpRequest, customers: CustomerQuerySet
) -> HttpResponse | None:
    """Ask once more, then erase every customer of the selection."""
    if request.POST.get("confirmed") != "yes":
        return _ask(model_admin, request, customers, "erase")
    erased = 0
    for pk in list(customers.order_by("pk").values_list("pk", flat=True)):
        try:
            erase_customer(customer_id=pk, source=source_of(request))
        except DomainError as error:
            messages.error(request, error.message)
        else:
            erased += 1
    messages.success(request, f"{_people(erased)} erased.")
    return None


ACTIONS = (add_tags_action, remove_tags_action, export_action, erase_action)
