"""Settling what may or may not have arrived: a page that asks once more, then does it (D-6)."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from campaigns import lifecycle
from campaigns.admin.page import SEND, back_to, campaign_page, show
from campaigns.models import Campaign
from campaigns.standstill import unconfirmed_of
from campaigns.unconfirmed import LABELS, consequences, decision_of, done_sentence, question
from customers.models import Channel


@campaign_page(SEND)
def settle(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Say what a decision about one channel's messages means; on POST carry it out."""
    asked = request.POST if request.method == "POST" else request.GET
    decision = decision_of(asked.get("decision", ""))
    channel = asked.get("channel", "")
    waiting = unconfirmed_of([campaign]).get((campaign.pk, channel))
    if waiting is None:
        raise lifecycle.nothing_unconfirmed()
    if request.method == "POST":
        if asked.get("shown") == str(waiting.count):
            settled = lifecycle.decide_unconfirmed(
                campaign_id=campaign.pk, decision=decision, channel=channel
            )
            messages.success(request, done_sentence(decision, settled, channel))
            return back_to(campaign)
        messages.warning(request, "Their number has changed meanwhile: look at it again first.")
    counts = {channel: waiting.count}
    return show(
        request,
        "unconfirmed",
        campaign,
        question(decision, counts),
        label=LABELS[decision],
        decision=decision.value,
        channel=Channel(channel).value,
        count=waiting.count,
        since=waiting.unconfirmed_since,
        consequences=consequences(decision, counts),
    )
