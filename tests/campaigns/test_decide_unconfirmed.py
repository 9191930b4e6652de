"""What a person makes of messages that may or may not have arrived (D-6)."""

import pytest

from campaigns import lifecycle
from campaigns.delivery import sweeper
from campaigns.delivery.outbox import Decision
from campaigns.models import Campaign, Delivery, Pace
from config.errors import DomainError
from tests.factories import CampaignFactory, DeliveryFactory

pytestmark = pytest.mark.django_db


def unconfirmed(status: str = "completed", *, email: int = 0, sms: int = 0) -> Campaign:
    campaign = CampaignFactory(status=status)
    for channel, count in (("email", email), ("sms", sms)):
        Pace.objects.create(campaign=campaign, channel=channel)
        DeliveryFactory.create_batch(
            count, campaign=campaign, channel=channel, status="unconfirmed", attempts=1
        )
    return campaign


def decide(campaign: Campaign, decision: Decision, **which: object) -> int:
    settled = lifecycle.decide_unconfirmed(campaign_id=campaign.pk, decision=decision, **which)
    campaign.refresh_from_db()
    return settled


def test_sending_again_reopens_the_campaign_with_fresh_attempts() -> None:
    campaign = unconfirmed(sms=2)
    assert decide(campaign, Decision.SEND_AGAIN) == 2
    assert campaign.status == "sending"
    assert campaign.completed_at is None
    assert set(Delivery.objects.values_list("status", "attempts")) == {("pending", 0)}


def test_counting_as_sent_moves_the_counter_and_nothing_else() -> None:
    campaign = unconfirmed(email=1, sms=2)
    assert decide(campaign, Decision.COUNT_AS_SENT, channel="sms") == 2
    assert (campaign.status, campaign.sms_sent, campaign.emails_sent) == ("completed", 2, 0)
    assert Delivery.objects.get(channel="email").status == "unconfirmed"


def test_giving_up_counts_as_failed() -> None:
    campaign = unconfirmed(sms=2)
    chosen = Delivery.objects.first()
    assert decide(campaign, Decision.GIVE_UP, ids=[chosen.pk]) == 1
    assert campaign.sms_failed == 1
    chosen.refresh_from_db()
    assert (chosen.status, chosen.code) == ("failed", "given_up")


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_campaign_that_sends_no_more_sends_nothing_again(status: str) -> None:
    campaign = unconfirmed(status, sms=1)
    with pytest.raises(DomainError, match="cannot be sent again"):
        decide(campaign, Decision.SEND_AGAIN)
    assert Delivery.objects.get().status == "unconfirmed"
    assert decide(campaign, Decision.COUNT_AS_SENT) == 1


def test_the_second_of_two_people_is_told() -> None:
    campaign = unconfirmed(sms=1)
    decide(campaign, Decision.SEND_AGAIN)
    with pytest.raises(DomainError) as told:
        decide(campaign, Decision.GIVE_UP)
    assert told.value.code == "nothing_unconfirmed"
    assert campaign.sms_failed == 0


def test_a_campaign_completed_in_the_instant_of_the_decision_goes_on() -> None:
    campaign = unconfirmed("sending", sms=1)
    decide(campaign, Decision.SEND_AGAIN)
    Campaign.objects.update(status="completed")
    assert sweeper.sweep()["reopened"] == 1
    campaign.refresh_from_db()
    assert campaign.status == "sending"


def test_a_policy_decides_what_waits_for_a_person(settings) -> None:
    settings.UNCONFIRMED_POLICY = {"email": "wait", "sms": "retry"}
    campaign = unconfirmed("sending", email=1, sms=1)
    assert sweeper.sweep()["retried"] == 1
    assert Delivery.objects.get(channel="sms").status == "pending"
    assert Delivery.objects.get(channel="email").status == "unconfirmed"
    Delivery.objects.filter(channel="sms").update(status="sent")
    assert sweeper.finish_campaigns() == 1
    campaign.refresh_from_db()
    assert campaign.status == "completed"
