"""Another time for a campaign that is scheduled (M-10)."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from campaigns import lifecycle
from campaigns.admin.page import SEND, back_to, campaign_page, show
from campaigns.forms import ScheduleForm
from campaigns.models import Campaign
from campaigns.moments import zoned_moment


@campaign_page(SEND)
def reschedule(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Ask for another time, then have the campaign sent at it."""
    if campaign.status != Campaign.Status.SCHEDULED:
        label = campaign.get_status_display().lower()
        messages.error(request, f"This campaign is {label}: it has no time to change.")
        return back_to(campaign)
    form = ScheduleForm(request.POST or None, initial={"at": campaign.scheduled_for})
    if request.method == "POST" and form.is_valid():
        at = form.cleaned_data["at"]
        lifecycle.reschedule_campaign(campaign_id=campaign.pk, at=at)
        messages.success(request, f"“{campaign}” will be sent on {zoned_moment(at)} instead.")
        return back_to(campaign)
    return show(request, "reschedule", campaign, f"Another time for {campaign}", form=form)
