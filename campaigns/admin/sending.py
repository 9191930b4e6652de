"""The confirm page: who gets what and when, before anything leaves (M-8)."""

from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from campaigns import lifecycle
from campaigns.admin.confirm_page import confirm_context
from campaigns.admin.counted import queued_sentence
from campaigns.admin.page import CHANGE, SEND, address, back_to, campaign_page, show
from campaigns.check_campaign import CheckFailed
from campaigns.fingerprint import fingerprint_of
from campaigns.forms import AudienceForm, ScheduleForm
from campaigns.models import Campaign
from campaigns.moments import zoned_moment
from campaigns.series.originals import require_no_original
from campaigns.update_campaign import update_campaign
from config.errors import DomainError

Status = Campaign.Status


@campaign_page(SEND)
def confirm(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show what would be sent; on POST queue it and return at once."""
    if Status.QUEUED not in lifecycle.allowed_moves(campaign.status):
        label = campaign.get_status_display().lower()
        messages.error(request, f"This campaign is {label}: it cannot be sent now.")
        return back_to(campaign)
    require_no_original(campaign_id=campaign.pk, wanted="sent")
    if request.method != "POST":
        return _page(request, campaign, ScheduleForm(initial={"at": campaign.scheduled_for}))
    shown = request.POST.get("shown", "")
    sealed = request.POST.get("counted", "")
    sentence = queued_sentence(campaign=campaign, shown=shown, sealed=sealed)
    try:
        lifecycle.send_campaign(campaign_id=campaign.pk, shown=shown)
    except CheckFailed:
        # The page names each problem at its place.
        return _page(request, campaign, ScheduleForm())
    except DomainError as refused:
        return _page_again(request, campaign, ScheduleForm(), refused)
    messages.success(request, sentence)
    return back_to(campaign)


@campaign_page(SEND, method="POST")
def schedule(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Have the campaign sent at the chosen time."""
    form = ScheduleForm(request.POST)
    if not form.is_valid():
        return _page(request, campaign, form)
    at: datetime = form.cleaned_data["at"]
    try:
        lifecycle.schedule_campaign(
            campaign_id=campaign.pk, at=at, shown=request.POST.get("shown", "")
        )
    except CheckFailed:
        return _page(request, campaign, form)
    except DomainError as refused:
        return _page_again(request, campaign, form, refused)
    messages.success(request, f"“{campaign}” will be sent on {zoned_moment(at)}.")
    return back_to(campaign)


@campaign_page(CHANGE, method="POST")
def change_audience(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Save the audience and show the counts again."""
    if request.POST.get("shown", "") not in {"", fingerprint_of(campaign)}:
        # In the address rather than in a message, which the page's script would use up.
        return HttpResponseRedirect(f"{address('send', campaign)}?changed")
    form = AudienceForm(request.POST, instance=campaign)
    if form.is_valid():
        update_campaign(campaign_id=campaign.pk, fields={}, **form.audience())
    else:
        messages.error(request, "The audience was not changed: choose segments that exist.")
    return back_to(campaign, "send")


def _page_again(
    request: HttpRequest, campaign: Campaign, form: ScheduleForm, refused: DomainError
) -> HttpResponse:
    """Show the page as things are now, when they are no longer what was shown before."""
    if refused.code != "changed_meanwhile":
        raise refused
    campaign.refresh_from_db()
    messages.warning(request, refused.message)
    return _page(request, campaign, form)


def _page(request: HttpRequest, campaign: Campaign, schedule_form: ScheduleForm) -> HttpResponse:
    return show(
        request,
        "send",
        campaign,
        f"Check and send “{campaign}”",
        schedule_form=schedule_form,
        changed=lifecycle.changed_meanwhile().message if "changed" in request.GET else "",
        **confirm_context(request, campaign),
    )
