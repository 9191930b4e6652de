"""What the confirm page shows: problems, who, what, when, and what it costs (M-8)."""

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from campaigns.admin.counted import seal_counts
from campaigns.admin.page import rights
from campaigns.admin.problems import place_problems
from campaigns.audience import AudienceCounts, audience_of, count_audience
from campaigns.check_campaign import check_campaign
from campaigns.content.errors import ContentError
from campaigns.content.sms_length import measure_sms
from campaigns.editor.draft import draft_of
from campaigns.editor.measure_texts import MeasuredTexts, measure_texts
from campaigns.fingerprint import fingerprint_of
from campaigns.finishing import Plan
from campaigns.forms import AudienceForm
from campaigns.models import Campaign
from campaigns.moments import readable_span
from campaigns.plan_campaign import plan_campaign
from campaigns.preview import Preview, preview_campaign
from campaigns.reasons import reason_sentence
from campaigns.timeline import draw_timeline
from config.clock import database_now
from config.errors import DomainError
from customers.encryption import DecryptionError
from customers.models import Channel, Customer
from qrcodes.codes import expiry_of

# The first of the audience, as whom the messages are shown.
SAMPLE_PEOPLE = 3
# From here on Send asks for a second look: a mistake reaches too many to be put right.
MANY_PEOPLE = 2_000


def confirm_context(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """Return everything the page needs but its schedule form."""
    may = rights(request)
    # The fingerprint first: what is changed while the rest is read must not pass as seen.
    shown = fingerprint_of(campaign)
    counts = count_audience(campaign)
    problems = check_campaign(campaign)
    now = database_now()
    # A draft may have a time, from a file, and Send does not wait for it.
    planned = None if campaign.is_draft else campaign.scheduled_for
    start = max(now, planned or now)
    cost = _cost_of_texts(campaign, counts)
    plans = plan_campaign(
        campaign=campaign,
        counts=counts,
        start=start,
        segments_per_text=cost.per_text if cost else 1,
    )
    may_edit_audience = campaign.may_change_audience and may["change"]
    return {
        "shown": shown,
        "counted": seal_counts(campaign=campaign, counts=counts, shown=shown),
        "counts": counts,
        "findings": place_problems(
            campaign,
            problems,
            may_change=may["change"] and campaign.is_draft,
            may_change_audience=may_edit_audience,
        ),
        "blocked": any(problem.blocking for problem in problems),
        "channels": [
            _channel_row(campaign, counts, channel, plans.get(channel), start)
            for channel in counts.channels
        ],
        "cost": cost,
        "starts_at": start,
        "timeline": draw_timeline(start=start, plans=plans),
        "needs_second_look": campaign.target_all or counts.people > MANY_PEOPLE,
        "audience_form": AudienceForm(instance=campaign) if may_edit_audience else None,
        "can_schedule": campaign.is_draft,
        **_codes(campaign, plans, start),
        **_samples(request, campaign),
    }


def _cost_of_texts(campaign: Campaign, counts: AudienceCounts) -> MeasuredTexts | None:
    texts = counts.channels.get(Channel.SMS)
    if texts is None or not texts.reachable:
        return None
    try:
        measured = measure_texts(draft=draft_of(campaign), texts=texts.reachable)
    except ContentError:
        # The checks name what is wrong with the message, with its line.
        return None
    return measured if measured and measured.looked_at else None


def _channel_row(
    campaign: Campaign, counts: AudienceCounts, channel: str, plan: Plan | None, start: datetime
) -> dict[str, Any]:
    reached = counts.channels[channel]
    ends_at = plan.ends_at if plan else None
    seconds = (ends_at - start).total_seconds() if ends_at else 0
    return {
        "name": channel,
        "label": Channel(channel).label,
        "reachable": reached.reachable,
        "reasons": [
            (reason_sentence(code, channel=channel), count)
            for code, count in sorted(reached.reasons.items(), key=lambda item: -item[1])
        ],
        "limit": campaign.rate_limit(channel),
        "takes": readable_span(seconds) if seconds else "",
        "done_at": ends_at if seconds else None,
        "begins_at": plan.spans[0].start if plan and plan.spans else start,
        "pauses": bool(plan and plan.waits),
        "never_ends": bool(plan and plan.spans and plan.ends_at is None),
    }


def _codes(campaign: Campaign, plans: dict[str, Plan], start: datetime) -> dict[str, Any]:
    """From when to when codes end: each is made when its first message leaves."""
    if not campaign.has_qr_code:
        return {"expires_at": None, "last_expires_at": None}
    ends = [plan.ends_at for plan in plans.values() if plan.ends_at]
    days = campaign.qr_expiration_days
    first, last = expiry_of(start, days), expiry_of(max(ends, default=start), days)
    return {"expires_at": first, "last_expires_at": last if last > first else None}


def _samples(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    people = list(_first_people(campaign))
    chosen = request.GET.get("as", "")
    number = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 3 else 0
    person = people[number] if number < len(people) else None
    preview = _preview(campaign, person)
    return {
        "people": people,
        "person": person,
        "preview": preview,
        "sms": measure_sms(preview.sms) if preview and preview.sms else None,
    }


def _first_people(campaign: Campaign) -> list[Customer]:
    reached = Q()
    for channel in campaign.channels:
        ids = Customer.objects.reachable_by(channel).values("pk")
        reached |= Q(pk__in=ids)
    return list(audience_of(campaign).filter(reached).order_by("pk")[:SAMPLE_PEOPLE])


def _preview(campaign: Campaign, person: Customer | None) -> Preview | None:
    for customer in (person, None):
        try:
            return preview_campaign(campaign=campaign, customer=customer)
        except (DomainError, DecryptionError):
            # The checks name what is wrong with the message, with its line.
            continue
    return None
