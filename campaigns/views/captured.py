"""Pages that show captured messages as their receivers would see them (E-5)."""

import re
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from campaigns.channels.capture import CapturedMessage, captured_names, read_captured
from campaigns.content.sms_length import measure_sms
from config.errors import DomainError
from customers.models import Channel

PER_PAGE = 40
KINDS = {"": "All", Channel.EMAIL.value: "Emails", Channel.SMS.value: "Texts"}
# They hold addresses and live coupons, so a right to look at campaigns is not enough.
PERMISSION = "campaigns.view_delivery"
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
# A link must leave the frame: most sites refuse to be shown in one.
_BASE = '<base target="_blank">'


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list; ``problem`` is why its message cannot be read."""

    name: str
    message: CapturedMessage | None
    problem: str = ""


@never_cache
@require_safe
@staff_member_required
@permission_required(PERMISSION, raise_exception=True)
def captured_list(request: HttpRequest) -> HttpResponse:
    """Show captured messages, newest first."""
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else ""
    names = captured_names()
    counts = {key: sum(f"-{key}" in name for name in names) for key in KINDS}
    shown = [name for name in names if f"-{kind}" in name]
    page = Paginator(shown, PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "campaigns/captured_list.html",
        _context(
            request,
            title="Captured messages",
            page=page,
            rows=[_row(name) for name in page],
            kind=kind,
            kinds=[(key, label, counts[key]) for key, label in KINDS.items()],
        ),
    )


@never_cache
@require_safe
@staff_member_required
@permission_required(PERMISSION, raise_exception=True)
def captured_detail(request: HttpRequest, name: str) -> HttpResponse:
    """Show one captured message. Not found when there is none of this name."""
    names = captured_names(kind=Channel.SMS if f"-{Channel.SMS}-" in name else Channel.EMAIL)
    if name not in names:
        raise Http404
    place = names.index(name)
    row = _row(name)
    is_text = row.message is not None and row.message.kind == Channel.SMS
    return render(
        request,
        "campaigns/captured_detail.html",
        _context(
            request,
            title="Captured text" if is_text else "Captured email",
            row=row,
            message=row.message,
            frame=_frame(row.message) if row.message and row.message.html else "",
            length=measure_sms(row.message.text) if is_text and row.message else None,
            newer=names[place - 1] if place else "",
            older=names[place + 1] if place + 1 < len(names) else "",
        ),
    )


def _context(request: HttpRequest, **values: Any) -> dict[str, Any]:
    return {**admin.site.each_context(request), **values}


def _row(name: str) -> Row:
    try:
        return Row(name, read_captured(name))
    except DomainError as error:
        return Row(name, None, error.message)


def _frame(message: CapturedMessage) -> str:
    """Return the document for the sandboxed frame: links open outside of it."""
    html = message.shown_html
    head = _HEAD.search(html)
    place = head.end() if head else 0
    return html[:place] + _BASE + html[place:]
