"""The confirm page: who gets what and when, before anything leaves (M-8)."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from campaigns import lifecycle
from campaigns.admin.page import SEND, back_to, campaign_page, rights, show
from campaigns.audience import AudienceCounts, count_audience
from campaigns.check_campaign import CheckFailed, check_campaign
from campaigns.content.sms_length import SmsLength, measure_sms
from campaigns.fingerprint import fingerprint_of
from campaigns.forms import AudienceForm, ScheduleForm
from campaigns.models import Campaign
from campaigns.moments import readable_span, zoned_moment
from campaigns.preview import Preview, preview_campaign
from campaigns.reasons import reason_sentence
from campaigns.series.originals import require_no_original
from config.clock import database_now
from config.errors import DomainError
from customers.models import Channel
from qrcodes.codes import expiry_of

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
        return _page(request, campaign, ScheduleForm())
    counts = count_audience(campaign)
    try:
        lifecycle.send_campaign(campaign_id=campaign.pk, shown=request.POST.get("shown", ""))
    except CheckFailed:
        # The page names each problem at its place.
        return _page(request, campaign, ScheduleForm())
    except DomainError as refused:
        return _page_again(request, campaign, ScheduleForm(), refused)
    messages.success(request, counts.queued_sentence(with_codes=campaign.has_qr_code))
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
    counts = count_audience(campaign)
    problems = check_campaign(campaign)
    preview = _sample(campaign)
    sms = measure_sms(preview.sms) if preview and preview.sms else None
    now = database_now()
    may_edit_audience = campaign.may_change_audience and rights(request)["change"]
    return show(
        request,
        "send",
        campaign,
        f"Send {campaign}",
        counts=counts,
        channels=_channels(campaign, counts, now),
        problems=problems,
        blocked=any(problem.blocking for problem in problems),
        preview=preview,
        sms=sms,
        sms_parts=_billed_parts(counts, sms),
        expires_at=expiry_of(now, campaign.qr_expiration_days) if campaign.has_qr_code else None,
        audience_form=AudienceForm(instance=campaign) if may_edit_audience else None,
        schedule_form=schedule_form,
        shown=fingerprint_of(campaign),
        can_schedule=campaign.is_draft,
    )


def _sample(campaign: Campaign) -> Preview | None:
    try:
        return preview_campaign(campaign=campaign)
    except DomainError:
        # The checks name the error, with its line.
        return None


def _channels(campaign: Campaign, counts: AudienceCounts, now: datetime) -> list[dict[str, Any]]:
    rows = []
    for channel, reached in counts.channels.items():
        limit = campaign.rate_limit(channel)
        seconds = reached.reachable * 60 / limit if limit else 0
        rows.append(
            {
                "name": channel,
                "label": Channel(channel).label,
                "reachable": reached.reachable,
                "reasons": [
                    (reason_sentence(code), count)
                    for code, count in sorted(reached.reasons.items(), key=lambda item: -item[1])
                ],
                "limit": limit,
                "takes": readable_span(seconds) if limit else "",
                "done_at": now + timedelta(seconds=seconds) if limit else None,
            }
        )
    return rows


def _billed_parts(counts: AudienceCounts, sms: SmsLength | None) -> int:
    """Parts that are billed if every text is as long as the sample."""
    if sms is None or Channel.SMS not in counts.channels:
        return 0
    return counts.channels[Channel.SMS].reachable * sms.segments
