"""Settling unconfirmed messages from the list: those selected, or all that match (D-6)."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from campaigns.delivery.outbox import Decision
from campaigns.lifecycle import nothing_unconfirmed
from campaigns.models import Campaign, Delivery
from campaigns.unconfirmed import (
    LABELS,
    Chosen,
    choose_unconfirmed,
    consequences,
    done_sentence,
    question,
    settle,
)
from config.errors import DomainError


@admin.action(description="Unconfirmed: send again…", permissions=["send"])
def send_again(
    model_admin: Any, request: HttpRequest, deliveries: QuerySet[Delivery]
) -> HttpResponse | None:
    """Ask once more, then send them again."""
    return _settle(model_admin, request, deliveries, Decision.SEND_AGAIN)


@admin.action(description="Unconfirmed: count as sent…", permissions=["send"])
def count_as_sent(
    model_admin: Any, request: HttpRequest, deliveries: QuerySet[Delivery]
) -> HttpResponse | None:
    """Ask once more, then count them as sent."""
    return _settle(model_admin, request, deliveries, Decision.COUNT_AS_SENT)


@admin.action(description="Unconfirmed: give up…", permissions=["send"])
def give_up(
    model_admin: Any, request: HttpRequest, deliveries: QuerySet[Delivery]
) -> HttpResponse | None:
    """Ask once more, then give them up."""
    return _settle(model_admin, request, deliveries, Decision.GIVE_UP)


ACTIONS = (send_again, count_as_sent, give_up)


def _settle(
    model_admin: Any, request: HttpRequest, deliveries: QuerySet[Delivery], decision: Decision
) -> HttpResponse | None:
    chosen = choose_unconfirmed(deliveries)
    shown = request.POST.get("shown")
    if not chosen.total:
        error = nothing_unconfirmed() if shown else None
        text = error.message if error else "None of the selected messages is unconfirmed."
        messages.error(request, text)
        return None
    if shown != str(chosen.total):
        if shown:
            messages.warning(request, "Their number has changed meanwhile: look at it again first.")
        return _ask(model_admin, request, deliveries, chosen, decision)
    names = Campaign.objects.in_bulk(chosen.ids)
    settled = 0
    for campaign_id, ids in chosen.ids.items():
        try:
            settled += settle(campaign_id=campaign_id, decision=decision, ids=ids)
        except DomainError as error:
            messages.error(request, f"“{names[campaign_id]}”: {error.message}")
    if settled:
        messages.success(request, done_sentence(decision, settled))
    return None


def _ask(
    model_admin: Any,
    request: HttpRequest,
    deliveries: QuerySet[Delivery],
    chosen: Chosen,
    decision: Decision,
) -> HttpResponse:
    """Show a page that repeats the action's form, and so its selection, when it is sent."""
    selected = request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)
    across = request.POST.get("select_across", "0")
    names = Campaign.objects.in_bulk(chosen.ids)
    return TemplateResponse(
        request,
        "admin/campaigns/delivery/settle.html",
        {
            **admin.site.each_context(request),
            "opts": model_admin.model._meta,
            "title": question(decision, chosen.counts),
            "consequences": consequences(decision, chosen.counts),
            "campaigns": [(names[pk], len(ids)) for pk, ids in chosen.ids.items()],
            "left_alone": 0 if across == "1" else len(selected) - chosen.total,
            "label": LABELS[decision],
            "dangerous": decision is Decision.SEND_AGAIN,
            "address": request.get_full_path(),
            "kept": {
                "action": [request.POST["action"]],
                "select_across": [across],
                "index": [request.POST.get("index", "0")],
                "shown": [str(chosen.total)],
                helpers.ACTION_CHECKBOX_NAME: selected,
            },
        },
    )
