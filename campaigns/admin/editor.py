"""What the campaign editor asks while somebody writes (M-6): each answer is JSON, nothing is saved.

Everything comes by POST: it may hold an address, and addresses of pages are logged.
"""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from campaigns.admin.page import (
    ADD,
    ADD_TEMPLATES,
    CHANGE,
    CHANGE_TEMPLATES,
    VIEW_CUSTOMERS,
)
from campaigns.content.errors import FIELD_LABELS, ContentError
from campaigns.content.placeholders import PLACEHOLDERS
from campaigns.content.problems import Problem
from campaigns.content.sms_alphabet import explain_character
from campaigns.content.sms_length import SmsLength
from campaigns.content.text_template import text_template_of
from campaigns.editor.draft import choose_person
from campaigns.editor.draft_form import DraftForm
from campaigns.editor.measure_texts import measure_texts
from campaigns.editor.preview_draft import EmailPreview, SmsPreview, preview_draft
from campaigns.images.list_images import list_images
from campaigns.reasons import reason_sentence
from customers.encryption import DecryptionError
from customers.find_customers import find_customers

MOST_PROBLEMS = 50
MOST_CHARACTERS = 20
# What the frame may do beside showing the message: fetch pictures, or not even that.
FRAME_HEAD = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    'style-src \'unsafe-inline\'; img-src {images}"><base target="_blank">'
)
SNIPPETS = (
    {
        "label": "QR code",
        "about": "The customer’s QR code with its code in letters; nothing in a campaign without.",
        "html": '{% if qr_code_base64 %}\n<p align="center">\n  <img src="data:image/png;base64,'
        '{{ qr_code_base64 }}" width="200" height="200" alt="Your QR code"><br>\n'
        "  {{ short_code }}\n</p>\n{% endif %}\n",
        "text": "{% if coupon_url %}Your coupon: {{ coupon_url }}{% endif %}",
    },
    {
        "label": "Button to the coupon page",
        "about": "Opens the customer’s own coupon on their phone.",
        "html": '{% if coupon_url %}\n<p align="center"><a href="{{ coupon_url }}" '
        'style="display: inline-block; padding: 14px 28px; border-radius: 8px; '
        'background-color: #1f4f46; color: #ffffff; font-weight: bold; text-decoration: none">'
        "Show my coupon</a></p>\n{% endif %}\n",
        "text": "{{ coupon_url }}",
    },
    {
        "label": "Unsubscribe line",
        "about": "Every email needs it.",
        "html": '<p align="center" style="font-size: 13px">{{ business.name }}, '
        '{{ business.address }}<br><a href="{{ unsubscribe_url }}">Unsubscribe</a></p>\n',
        "text": "Unsubscribe: {{ unsubscribe_url }}",
    },
    {
        "label": "Name, or a word when there is none",
        "about": "“Hello Ada”, and “Hello there” where the first name is not known.",
        "html": '{{ customer.first_name|default("there") }}',
        "text": '{{ customer.first_name|default("there") }}',
    },
)

_DOCTYPE = re.compile(r"\s*<!doctype[^>]*>", re.IGNORECASE)

View = Callable[..., HttpResponse]


def urls(site: AdminSite) -> list[URLPattern]:
    """Return the addresses the editor's page asks."""
    views = (("preview", show_draft), ("longest", show_longest), ("people", find_people))
    return [
        path(f"editor/{name}/", site.admin_view(view), name=f"campaigns_campaign_editor_{name}")
        for name, view in views
    ]


def editor_context(request: HttpRequest, *, kind: str, pk: int | None) -> dict[str, Any]:
    """Return what the editor's page is made with, as ``editor``.

    ``kind`` is campaign or template. ``images`` are pictures for the menu: each with ``label``,
    ``about`` and what is inserted, ``html``.
    """
    images = [
        {"label": image.name, "about": image.alt or "Decoration.", "html": image.snippet}
        for image in list_images()
    ]
    settings_of_page = {
        "kind": kind,
        "id": pk or "",
        "urls": {
            name: reverse(f"admin:campaigns_campaign_editor_{name}")
            for name in ("preview", "longest", "people")
        },
        "seesCustomers": request.user.has_perm(VIEW_CUSTOMERS),
        "labels": FIELD_LABELS,
        "placeholders": [
            {
                "name": placeholder.name,
                "group": placeholder.group,
                "description": placeholder.description,
                "sample": _sample(placeholder.sample),
            }
            for placeholder in PLACEHOLDERS
        ],
        "snippets": SNIPPETS,
        "images": images,
    }
    return {"kind": kind, "settings": settings_of_page, "placeholders": PLACEHOLDERS}


def _sample(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _answers(view: Callable[[HttpRequest], dict[str, Any]]) -> View:
    """Make a page of a function from a posted form to JSON: rights first, nothing is written."""

    @require_POST
    @wraps(view)
    def page(request: HttpRequest) -> HttpResponse:
        if not _may_write(request):
            raise PermissionDenied
        try:
            return JsonResponse(view(request), headers={"Cache-Control": "no-store"})
        except DecryptionError:
            return JsonResponse({"error": reason_sentence("address_unreadable")}, status=409)

    return page


def _may_write(request: HttpRequest) -> bool:
    is_new = not request.POST.get("editor_id")
    if request.POST.get("editor_kind") == "template":
        return bool(request.user.has_perm(ADD_TEMPLATES if is_new else CHANGE_TEMPLATES))
    return bool(request.user.has_perm(ADD if is_new else CHANGE))


@_answers
def show_draft(request: HttpRequest) -> dict[str, Any]:
    """Return both messages as the chosen person would get them, and every problem."""
    draft = DraftForm(request.POST).draft()
    person = choose_person(
        choice=request.POST.get("shown_as", ""),
        draft=draft,
        sees_customers=request.user.has_perm(VIEW_CUSTOMERS),
    )
    preview = preview_draft(draft=draft, person=person)
    starting_text = ""
    if "starting_text" in request.POST:
        starting_text = text_template_of(draft.campaign.email_content)
    images = "data: https: http:" if request.POST.get("images") != "off" else "'none'"
    return {
        "person": person.name,
        "starting_text": starting_text,
        "email": _email(preview.email, images) if preview.email else None,
        "sms": _sms(preview.sms, draft.campaign.sms_content) if preview.sms else None,
        "problems": [_problem(problem) for problem in preview.problems[:MOST_PROBLEMS]],
    }


@_answers
def show_longest(request: HttpRequest) -> dict[str, Any]:
    """Return how long the text message becomes over the audience."""
    draft = DraftForm(request.POST).draft()
    try:
        found = measure_texts(draft=draft)
    except ContentError as error:
        return {"sentence": "", "error": error.message}
    if found is None:
        return {"sentence": ""}
    sees = request.user.has_perm(VIEW_CUSTOMERS)
    who = "a customer of whom little is known"
    if found.customer is not None:
        who = str(found.customer) if sees else "one of them"
    if not found.recipients:
        looked_at = "Nobody in this audience gets a text yet."
    elif found.looked_at >= found.recipients:
        looked_at = f"Longest of all {found.recipients:,} recipients: {who}."
    else:
        looked_at = (
            f"Longest of {found.looked_at:,} of {found.recipients:,} recipients looked at, the "
            f"longest names among them: {who}."
        )
    return {
        "sentence": looked_at,
        "length": _length(found.length),
        "customer": found.customer.pk if found.customer is not None and sees else None,
        "name": who,
        "total": _total(found.segments, found.price, found.looked_at < found.recipients),
    }


@_answers
def find_people(request: HttpRequest) -> dict[str, Any]:
    """Return the customers with this name, full email or full phone: ids and names, no address."""
    if not request.user.has_perm(VIEW_CUSTOMERS):
        raise PermissionDenied
    text = request.POST.get("q", "")[:254].replace("\x00", "")
    return {"people": [{"id": each.pk, "name": str(each)} for each in find_customers(text=text)]}


def _email(email: EmailPreview, images: str) -> dict[str, Any]:
    return {
        "sender": email.sender,
        "subject": email.subject,
        "preheader": email.preheader,
        "html": _for_frame(email.html, FRAME_HEAD.format(images=images)),
        "text": email.text,
        "size": email.size,
    }


def _for_frame(html: str, head: str) -> str:
    """Put the frame's rules first, but after a doctype: before it the browser would ignore that."""
    doctype = _DOCTYPE.match(html)
    start = doctype.end() if doctype else 0
    return html[:start] + head + html[start:]


def _sms(sms: SmsPreview, source: str) -> dict[str, Any]:
    characters = [explain_character(each) for each in sms.length.forcing[:MOST_CHARACTERS]]
    return {
        "text": sms.text,
        "length": _length(sms.length),
        "cost": _money(sms.price),
        "characters": [
            {
                "character": each.character,
                "name": each.name,
                "advice": each.advice,
                "replacement": each.replacement,
                "written": each.character in source,
            }
            for each in characters
        ],
    }


def _length(length: SmsLength) -> dict[str, Any]:
    return {
        "encoding": length.encoding,
        "units": length.units,
        "segments": length.segments,
        "per_segment": length.per_segment,
    }


def _money(amount: Any) -> str:
    if amount is None:
        return ""
    exact = f"{amount:,.4f}".rstrip("0")
    whole, _, cents = exact.partition(".")
    return f"{whole}.{cents:0<2} {settings.CURRENCY}"


def _total(segments: int, price: Any, is_estimate: bool) -> str:
    if not segments:
        return ""
    about = "About " if is_estimate else ""
    said = f"{about}{segments:,} segment{'s' * (segments != 1)} for everybody"
    return f"{said}, {_money(price)}" if price is not None else said


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "message": problem.message,
        "field": problem.field,
        "line": problem.line,
        "blocking": problem.blocking,
    }
