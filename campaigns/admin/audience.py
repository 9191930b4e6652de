"""Changing a draft's audience on its confirm page, so that the counts can be watched (M-8)."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from campaigns.admin.page import CHANGE, back_to, campaign_page
from campaigns.forms import AudienceForm
from campaigns.models import Campaign
from campaigns.update_campaign import update_campaign


@campaign_page(CHANGE, method="POST")
def change_audience(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Save the audience and show the counts again."""
    form = AudienceForm(request.POST, instance=campaign)
    if form.is_valid():
        update_campaign(campaign_id=campaign.pk, fields={}, **form.audience())
    else:
        messages.error(request, "The audience was not changed: choose segments that exist.")
    return back_to(campaign, "send")
