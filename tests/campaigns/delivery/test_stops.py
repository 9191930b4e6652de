"""A campaign pauses before it burns its list, and says why (D-9)."""

import pytest

from campaigns import lifecycle
from campaigns.delivery import stops, sweeper
from campaigns.delivery.outcomes import Action, Outcome
from campaigns.models import Campaign, Delivery, Pace
from tests.campaigns.delivery.lanes import record_all, sending

pytestmark = pytest.mark.django_db
FAILED = Outcome(Action.FAIL, "rejected")
RETRIED = Outcome(Action.RETRY, "provider_error", 60)
UNANSWERED = Outcome(Action.UNCONFIRMED, "no_answer")


@pytest.fixture(autouse=True)
def five(settings) -> None:
    settings.FAILURES_BEFORE_PAUSE = 5


def status_of(campaign: Campaign) -> str:
    campaign.refresh_from_db()
    return str(campaign.status)


@pytest.mark.parametrize("outcome", [FAILED, RETRIED, UNANSWERED])
def test_so_many_failures_in_a_row_pause_it(outcome: Outcome) -> None:
    campaign = sending(6)
    assert not record_all(campaign, outcome, limit=4)
    assert stops.pause_stopped() == 0
    assert record_all(campaign, outcome, limit=1)
    assert stops.pause_stopped() == 1
    assert status_of(campaign) == "paused"
    assert "5 emails in a row failed" in campaign.status_reason
    assert Delivery.objects.filter(status="pending", attempts=0).count() == 1


def test_a_success_ends_the_row() -> None:
    campaign = sending(9)
    record_all(campaign, FAILED, limit=4)
    record_all(campaign, Outcome(Action.SENT), limit=1)
    assert not record_all(campaign, FAILED, limit=4)
    assert stops.pause_stopped() == 0


def test_the_same_bad_addresses_tried_again_and_again_pause_nothing() -> None:
    campaign = sending(4)
    for _ in range(3):
        assert not record_all(campaign, RETRIED)
        Delivery.objects.update(not_before="2020-01-01T00:00Z")
    assert Pace.objects.get().failures_in_a_row == 4


def test_what_every_message_would_meet_pauses_at_once_and_burns_nobody() -> None:
    campaign = sending(3)
    assert record_all(campaign, Outcome(Action.PAUSE, "provider_refused_access"), limit=1)
    stops.pause_stopped()
    assert status_of(campaign) == "paused"
    assert "did not accept our credentials" in campaign.status_reason
    assert set(Delivery.objects.values_list("status", "attempts")) == {("pending", 0)}


def test_zero_never_pauses(settings) -> None:
    settings.FAILURES_BEFORE_PAUSE = 0
    assert not record_all(sending(50), FAILED)


def test_the_sweep_pauses_what_a_dead_worker_could_not() -> None:
    campaign = sending(6)
    record_all(campaign, FAILED, limit=5)
    assert sweeper.sweep()["paused"] == 1
    assert status_of(campaign) == "paused"


def test_resuming_counts_afresh() -> None:
    campaign = sending(12)
    record_all(campaign, FAILED, limit=5)
    stops.pause_stopped()
    lifecycle.resume_campaign(campaign_id=campaign.pk)
    assert not record_all(campaign, FAILED, limit=4)
    assert stops.pause_stopped() == 0
    assert status_of(campaign) == "sending"


def test_many_texts_that_carriers_throw_away_pause_it() -> None:
    campaign = sending(1, "sms")
    for _ in range(4):
        stops.note_filtered(campaign_id=campaign.pk)
    assert status_of(campaign) == "sending"
    stops.note_filtered(campaign_id=campaign.pk)
    assert status_of(campaign) == "paused"
    assert "carriers" in campaign.status_reason


def test_a_few_of_a_great_many_texts_thrown_away_pause_nothing() -> None:
    campaign = sending(1, "sms", sms_sent=1000)
    for _ in range(49):
        stops.note_filtered(campaign_id=campaign.pk)
    assert status_of(campaign) == "sending"


def test_a_stopped_lane_leaves_a_cancelled_campaign_cancelled() -> None:
    campaign = sending(2)
    lifecycle.cancel_campaign(campaign_id=campaign.pk)
    stops.stop_lane(campaign_id=campaign.pk, channel="email", code="account_suspended")
    assert status_of(campaign) == "cancelled"


def test_a_campaign_in_which_nothing_waits_completes_instead() -> None:
    campaign = sending(5)
    assert record_all(campaign, FAILED)
    assert sweeper.sweep()["completed"] == 1
    assert status_of(campaign) == "completed"
