"""The buttons that move a campaign from one state to another: each a POST, each told back."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from campaigns import lifecycle
from campaigns.admin.page import ADD, SEND, back_to, campaign_page, show, signed_in
from campaigns.codes_out import codes_out
from campaigns.duplicate_campaign import duplicate_campaign
from campaigns.models import Campaign


@campaign_page(SEND, method="POST")
def pause(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Stop after the messages that are being called."""
    lifecycle.pause_campaign(
        campaign_id=campaign.pk, reason=f"Paused by {signed_in(request).get_username()}."
    )
    messages.success(request, "Paused: nothing leaves until it is resumed.")
    return back_to(campaign)


@campaign_page(SEND, method="POST")
def resume(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Go on where it stopped."""
    lifecycle.resume_campaign(campaign_id=campaign.pk)
    messages.success(request, "Resumed: it goes on where it stopped.")
    return back_to(campaign)


@campaign_page(SEND, method="POST")
def unschedule(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Make a scheduled campaign a draft again."""
    lifecycle.unschedule_campaign(campaign_id=campaign.pk)
    messages.success(request, "This campaign is a draft again.")
    return back_to(campaign)


@campaign_page(SEND, method="POST")
def retry(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Try failed messages again: all, or those of one channel and reason."""
    channel, code = request.POST.get("channel", ""), request.POST.get("code", "")
    retried = lifecycle.retry_failed(campaign_id=campaign.pk, channel=channel, code=code)
    noun = "message is" if retried == 1 else "messages are"
    messages.success(request, f"{retried:,} failed {noun} tried again.")
    return back_to(campaign)


@campaign_page(SEND)
def cancel(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Ask whether codes already out are honoured, then end the campaign."""
    if request.method != "POST":
        codes = codes_out(campaign)
        return show(request, "cancel", campaign, f"Cancel {campaign}", codes_out=codes)
    withdraw = request.POST.get("codes") == "withdraw"
    stopped = lifecycle.cancel_campaign(campaign_id=campaign.pk, withdraw_codes=withdraw)
    codes_say = " Codes already out are refused from now on." if withdraw else ""
    noun = "message" if stopped == 1 else "messages"
    messages.success(request, f"Cancelled: {stopped:,} {noun} will not be sent.{codes_say}")
    return back_to(campaign)


@campaign_page(ADD, method="POST")
def duplicate(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Make a draft from it."""
    copy = duplicate_campaign(campaign_id=campaign.pk, user=signed_in(request))
    messages.success(request, f"“{copy}” is a new draft with the same message and audience.")
    return back_to(copy)
