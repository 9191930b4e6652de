"""Campaigns that are being sent, and the steps of a sender, one by one."""

import uuid

from campaigns.delivery import outbox
from campaigns.delivery.outcomes import Outcome
from campaigns.delivery.pacing import Lane
from campaigns.models import Campaign, Pace
from tests.factories import CampaignFactory, DeliveryFactory


def sending(deliveries: int = 3, channel: str = "email", **fields: object) -> Campaign:
    """A campaign under way without limits, with so many deliveries that wait."""
    fields = {"send_rate_limit_emails": 0, "send_rate_limit_sms": 0} | fields
    campaign = CampaignFactory(status="sending", **fields)
    Pace.objects.create(campaign=campaign, channel=channel)
    DeliveryFactory.create_batch(deliveries, campaign=campaign, channel=channel)
    return campaign


def lane_of(campaign: Campaign, channel: str = "email") -> Lane:
    campaign.refresh_from_db()
    pace = Pace.objects.get(campaign=campaign, channel=channel)
    return Lane(campaign.pk, channel, campaign.rate_limit(channel), pace)


def claim_and_mark(
    campaign: Campaign, channel: str = "email", limit: int = 100
) -> tuple[Lane, uuid.UUID, outbox.Marked]:
    lane, token = lane_of(campaign, channel), uuid.uuid4()
    ids = [row.pk for row in outbox.claim(lane=lane, limit=limit, token=token)]
    return lane, token, outbox.mark(lane=lane, ids=ids, units=[1] * len(ids), token=token)


def record_all(
    campaign: Campaign, outcome: Outcome, channel: str = "email", limit: int = 100
) -> bool:
    """Claim, mark and record so many deliveries; tell whether the lane must stop."""
    lane, token, marked = claim_and_mark(campaign, channel, limit)
    outcomes = dict.fromkeys(marked.attempts, outcome)
    must_stop = outbox.record(lane=lane, token=token, marked=marked, outcomes=outcomes)
    campaign.refresh_from_db()
    return must_stop
