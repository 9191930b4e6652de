"""The pages of one import: its columns, the check, the progress, the result."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from config.errors import DomainError
from customers.admin.bulk_actions import csv_response
from customers.admin.import_forms import ColumnsForm, UploadForm, too_large
from customers.admin.rights import may_import
from customers.encryption import DecryptionError
from customers.imports.forget_lists import forget_list
from customers.imports.lease import WORKING, Status, enqueue_import, is_stalled
from customers.imports.mapping import recognise_source
from customers.imports.moves import (
    choose_columns_again,
    discard_import,
    start_check,
    start_import,
)
from customers.imports.preview_list import preview_first_rows, read_columns, read_reasons
from customers.imports.run_import import run_import
from customers.imports.storage import has_rejects, read_rejects
from customers.imports.upload_list import set_up_import, upload_list
from customers.models import CustomerImport

# So few rows are checked while the person waits, worker or not.
CHECKED_AT_ONCE = 1_000
REASONS_SHOWN = 20

ImportView = Callable[..., HttpResponseBase]
STEPS = ("File", "Columns", "Check", "Import")
STEP_OF = {
    Status.UPLOADED: 1,
    Status.CHECKING: 2,
    Status.CHECKED: 2,
    Status.RUNNING: 3,
    Status.FAILED: 3,
    Status.DISCARDED: 3,
    Status.DONE: 4,
}


TITLES = {
    "columns": "Columns of",
    "checked": "Check of",
    "working": "Working on",
    "result": "Import of",
}


def import_page(method: str) -> Callable[[ImportView], ImportView]:
    """Make a view of (request, import) out of an id: rights checked, errors shown as messages."""

    def decorate(view: ImportView) -> ImportView:
        @wraps(view)
        def page(request: HttpRequest, import_id: int) -> HttpResponseBase:
            if not may_import(request):
                raise PermissionDenied
            customer_import = CustomerImport.objects.filter(pk=import_id).first()
            if customer_import is None:
                messages.error(request, "There is no such import: look at the list again.")
                return redirect("admin:customers_customerimport_changelist")
            if request.method != method:
                return _back(customer_import)
            try:
                return view(request, customer_import)
            except (DomainError, DecryptionError) as error:
                messages.error(request, str(error))
                if method == "GET":  # the import's own page may be what cannot be shown
                    return redirect("admin:customers_customerimport_changelist")
                return _back(customer_import)

        return page

    return decorate


def _back(customer_import: CustomerImport) -> HttpResponse:
    return redirect("admin:customers_customerimport_change", customer_import.pk)


def _render(
    request: HttpRequest, template: str, customer_import: CustomerImport | None, **context: Any
) -> TemplateResponse:
    step = STEP_OF[Status(customer_import.status)] if customer_import else 0
    return TemplateResponse(
        request,
        f"admin/customers/customerimport/{template}.html",
        {
            **admin.site.each_context(request),
            "opts": CustomerImport._meta,
            "title": f"{TITLES[template]} {customer_import.file_name}"
            if customer_import
            else "Import customers",
            "import": customer_import,
            "steps": [(name, number, number < step) for number, name in enumerate(STEPS)],
            "step": step,
            **context,
        },
    )


def upload(request: HttpRequest) -> HttpResponse:
    """Take in a file."""
    if not may_import(request):
        raise PermissionDenied
    assert request.user.is_authenticated
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            customer_import = upload_list(
                chunks=file.chunks(), file_name=file.name or "list.csv", user=request.user
            )
        except DomainError as error:
            form.add_error("file", error.message)
        else:
            return _back(customer_import)
    elif form.is_bound and not request.FILES and _is_large(request):
        # A file over the limit never reached the form, which says that there was none.
        form.errors["file"] = form.error_class([too_large()])
    return _render(request, "upload", None, form=form)


def _is_large(request: HttpRequest) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return length.isdigit() and int(length) > 1_000_000


@import_page("GET")
def show(request: HttpRequest, customer_import: CustomerImport) -> HttpResponse:
    """Show where an import is."""
    status = Status(customer_import.status)
    if status == Status.UPLOADED:
        return _columns(request, customer_import, data=None)
    if status in WORKING:
        return _render(request, "working", customer_import, **_progress(customer_import))
    context: dict[str, Any] = {"has_rejects": has_rejects(customer_import)}
    if context["has_rejects"]:
        context["reasons"] = read_reasons(customer_import, count=REASONS_SHOWN)
    if status == Status.CHECKED:
        context["preview"] = preview_first_rows(customer_import)
        return _render(request, "checked", customer_import, **context)
    return _render(request, "result", customer_import, **context)


def _columns(request: HttpRequest, customer_import: CustomerImport, data: Any) -> TemplateResponse:
    columns = read_columns(customer_import)
    form = ColumnsForm(data, customer_import=customer_import, columns=columns)
    return _render(
        request,
        "columns",
        customer_import,
        form=form,
        source=recognise_source([column.name for column in columns]),
    )


@import_page("POST")
def check(request: HttpRequest, customer_import: CustomerImport) -> HttpResponse:
    """Keep what was said about the columns, and start the dry run."""
    form = ColumnsForm(
        request.POST, customer_import=customer_import, columns=read_columns(customer_import)
    )
    if not form.is_valid():
        return _columns(request, customer_import, request.POST)
    set_up_import(
        import_id=customer_import.pk,
        mapping=form.mapping(),
        tags=form.cleaned_data["tags"],
        consent=form.consent(),
    )
    start_check(import_id=customer_import.pk)
    if customer_import.rows_total <= CHECKED_AT_ONCE:
        run_import(import_id=customer_import.pk)
    else:
        enqueue_import(import_id=customer_import.pk)
    return _back(customer_import)


@import_page("POST")
def columns_again(request: HttpRequest, customer_import: CustomerImport) -> HttpResponse:
    """Go back to the choice of columns."""
    choose_columns_again(import_id=customer_import.pk)
    return _back(customer_import)


@import_page("POST")
def apply(request: HttpRequest, customer_import: CustomerImport) -> HttpResponse:
    """Have a worker apply the list, or go on with it."""
    start_import(import_id=customer_import.pk)
    enqueue_import(import_id=customer_import.pk)
    return _back(customer_import)


@import_page("POST")
def resume(request: HttpRequest, customer_import: CustomerImport) -> HttpResponse:
    """Ask a worker again, where none works on it."""
    if is_stalled(customer_import):
        enqueue_import(import_id=customer_import.pk)
        messages.info(request, "A worker was asked again.")
    return _back(customer_import)


@import_page("POST")
def discard(request: HttpRequest, customer_import: CustomerImport) -> HttpResponse:
    """Stop it and delete the file."""
    discard_import(import_id=customer_import.pk)
    messages.success(request, "The import was discarded, and its file deleted.")
    return redirect("admin:customers_customerimport_changelist")


@import_page("POST")
def forget(request: HttpRequest, customer_import: CustomerImport) -> HttpResponse:
    """Delete the rejected rows."""
    forget_list(import_id=customer_import.pk)
    messages.success(request, "The rejected rows were deleted.")
    return _back(customer_import)


def _progress(customer_import: CustomerImport) -> dict[str, Any]:
    total = max(customer_import.rows_total, customer_import.rows_done)
    return {
        "status": customer_import.status,
        "rows_done": customer_import.rows_done,
        "rows_total": total,
        "text": f"{customer_import.rows_done:,} of {total:,} rows",
        "stalled": is_stalled(customer_import),
    }


@import_page("GET")
def progress(request: HttpRequest, customer_import: CustomerImport) -> HttpResponse:
    """Return how far an import is, for the page that shows it."""
    return JsonResponse(_progress(customer_import), headers={"Cache-Control": "no-store"})


@import_page("GET")
def rejects(request: HttpRequest, customer_import: CustomerImport) -> HttpResponseBase:
    """Download the rejected rows with their reasons."""
    if not has_rejects(customer_import):
        messages.info(request, "No rejected rows are kept of this import.")
        return _back(customer_import)
    return csv_response(
        read_rejects(customer_import), f"rejected-rows-import-{customer_import.pk}.csv"
    )
