"""What keeps pages moving without a reload: the poll, and the panel of one campaign (D-8)."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from analytics.figures import BOUNCED, channel_figures
from campaigns.admin.page import VIEW, campaign_page, rights
from campaigns.delivery.outbox import GIVEN_UP, Decision
from campaigns.live import MOVING, live_states
from campaigns.models import Campaign, Delivery
from campaigns.progress import progress_of
from campaigns.reasons import reason_sentence
from campaigns.series.originals import living_series_of
from campaigns.standstill import count_messages, is_retried, unconfirmed_of
from campaigns.unconfirmed import LABELS, can_send_again
from customers.models import Channel

MOST_AT_ONCE = 200
Status = Campaign.Status

WHAT_HAPPENS = {
    Status.DRAFT: "Not sent yet.",
    Status.SCHEDULED: "It starts by itself at its time. Until then it can be made a draft again.",
    Status.QUEUED: "The audience is being written down; sending then starts by itself.",
    Status.SENDING: "Messages are leaving. You can close this page: nothing depends on it.",
    Status.PAUSED: "",  # its notice says why, and what to do
    Status.COMPLETED: "Everything that could be sent has been sent.",
    Status.FAILED: "",
    Status.CANCELLED: "What had not left when it was cancelled never will.",
}


def poll(request: HttpRequest) -> HttpResponse:
    """Answer how far the asked campaigns are."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    asked = request.GET.get("ids", "").split(",")[:MOST_AT_ONCE]
    ids = [int(text) for text in asked if text.isascii() and text.isdigit() and len(text) < 18]
    states = live_states(Campaign.objects.filter(pk__in=ids))
    return JsonResponse({"campaigns": [state.as_dict() for state in states]})


@campaign_page()
def panel(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Render the panel alone: a page fetches it when the campaign has changed its state."""
    return render(request, "admin/campaigns/campaign/panel.html", panel_context(request, campaign))


def panel_context(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """Return what the panel shows: state, figures by channel, reasons, and what may be done."""
    (state,) = live_states([campaign])
    (progress,) = progress_of([campaign])
    may = rights(request)
    troubles = _troubles(campaign)
    can_retry = may["send"] and campaign.status == Status.COMPLETED
    for trouble in troubles:
        failed = trouble["status"] == Delivery.Status.FAILED
        # Whoever gave up was told that nobody is written to again.
        trouble["can_retry"] = can_retry and failed and trouble["code"] != GIVEN_UP
    return {
        "campaign": campaign,
        "state": state,
        "what_happens": WHAT_HAPPENS[Status(campaign.status)],
        "channels": [
            {
                "label": Channel(name).label,
                "name": name,
                "figures": counts,
                "limit": campaign.rate_limit(name),
            }
            for name, counts in progress.channels.items()
        ],
        "troubles": troubles,
        "unconfirmed": _unconfirmed(campaign),
        "can_retry": any(trouble["can_retry"] for trouble in troubles),
        # A series sends copies of it: it is not sent itself.
        "is_original": campaign.is_draft and living_series_of(campaign_id=campaign.pk) is not None,
        "can_cancel": may["send"] and campaign.status in MOVING | {Status.SCHEDULED, Status.PAUSED},
        "may": may,
    }


def _troubles(campaign: Campaign) -> list[dict[str, Any]]:
    return [
        {
            "channel": channel,
            "label": Channel(channel).label,
            "status": status,
            "status_label": "Came back" if status == BOUNCED else Delivery.Status(status).label,
            "came_back": status == BOUNCED,
            "code": code,
            "reason": reason_sentence(code, channel=channel) or "No reason was reported.",
            "count": count,
        }
        for channel, figures in channel_figures(campaign).items()
        for status, code, count in figures.reasons
    ]


def _unconfirmed(campaign: Campaign) -> list[dict[str, Any]]:
    decisions = [
        {"name": decision.value, "label": label}
        for decision, label in LABELS.items()
        if decision is not Decision.SEND_AGAIN or can_send_again(campaign)
    ]
    return [
        {
            "channel": channel,
            "counted": count_messages(waiting.count, channel),
            "since": waiting.unconfirmed_since,
            "retried": is_retried(campaign, channel),
            "tried_again_at": waiting.next_at,
            "decisions": decisions,
        }
        for (_, channel), waiting in sorted(unconfirmed_of([campaign]).items())
    ]
