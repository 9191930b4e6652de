import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction

from campaigns import lifecycle
from campaigns.delivery import outbox
from campaigns.delivery.outcomes import Action, Outcome
from campaigns.delivery.pacing import provider_pace
from campaigns.models import Campaign, Delivery
from config.clock import database_now
from customers.consent import record_consent
from tests.campaigns.delivery.lanes import claim_and_mark, lane_of, record_all, sending
from tests.factories import DeliveryFactory

pytestmark = pytest.mark.django_db


def expire(campaign: Campaign) -> None:
    past = database_now() - timedelta(seconds=1)
    Delivery.objects.filter(campaign=campaign, status="sending").update(lease_until=past)


def test_a_claim_takes_due_rows_once() -> None:
    campaign = sending(5)
    DeliveryFactory(campaign=campaign, not_before=database_now() + timedelta(minutes=1))
    lane = lane_of(campaign)
    first = outbox.claim(lane=lane, limit=3, token=uuid.uuid4())
    second = outbox.claim(lane=lane, limit=3, token=uuid.uuid4())
    third = outbox.claim(lane=lane, limit=3, token=uuid.uuid4())
    assert (len(first), len(second), len(third)) == (3, 2, 0)
    assert not {row.pk for row in first} & {row.pk for row in second}


def test_a_claim_skips_who_has_unsubscribed_since() -> None:
    campaign = sending(2)
    gone = Delivery.objects.first()
    record_consent(
        customer_ids=[gone.customer_id], channel="email", action="opt_out", source="test"
    )
    assert len(outbox.claim(lane=lane_of(campaign), limit=10, token=uuid.uuid4())) == 1
    gone.refresh_from_db()
    assert (gone.status, gone.code) == ("skipped", "unsubscribed")


def test_a_mark_skips_who_unsubscribed_between_claim_and_call() -> None:
    campaign = sending(2)
    lane, token = lane_of(campaign), uuid.uuid4()
    claimed = outbox.claim(lane=lane, limit=10, token=token)
    record_consent(
        customer_ids=[claimed[0].customer_id], channel="email", action="opt_out", source="test"
    )
    marked = outbox.mark(lane=lane, ids=[row.pk for row in claimed], units=[1, 1], token=token)
    assert list(marked.attempts) == [claimed[1].pk]
    claimed[0].refresh_from_db()
    assert (claimed[0].status, claimed[0].code) == ("skipped", "unsubscribed")


@pytest.mark.parametrize("status", ["paused", "cancelled", "completed"])
def test_a_mark_lets_nothing_leave_once_the_campaign_stopped(status: str) -> None:
    campaign = sending(2)
    lane, token = lane_of(campaign), uuid.uuid4()
    ids = [row.pk for row in outbox.claim(lane=lane, limit=10, token=token)]
    Campaign.objects.filter(pk=campaign.pk).update(status=status)
    assert not outbox.mark(lane=lane, ids=ids, units=[1, 1], token=token).attempts


def test_a_mark_needs_the_lease() -> None:
    campaign = sending(2)
    lane, token = lane_of(campaign), uuid.uuid4()
    ids = [row.pk for row in outbox.claim(lane=lane, limit=10, token=token)]
    assert not outbox.mark(lane=lane, ids=ids, units=[1, 1], token=uuid.uuid4()).attempts
    soon = database_now() + timedelta(seconds=5)  # less than a call may take
    Delivery.objects.update(lease_until=soon)
    assert not outbox.mark(lane=lane, ids=ids, units=[1, 1], token=token).attempts


def test_a_mark_lets_no_more_leave_than_the_pace_permits() -> None:
    campaign = sending(30)
    Campaign.objects.update(send_rate_limit_emails=120)  # ten are five seconds' worth
    lane, token, marked = claim_and_mark(campaign)
    assert len(marked.attempts) == 10
    rest = Delivery.objects.filter(call_started_at=None).values_list("pk", flat=True)
    again = outbox.mark(lane=lane, ids=list(rest), units=[1] * 20, token=token)
    assert len(again.attempts) <= 1  # what half a second may have earned
    assert again.blocked or again.attempts


def test_the_provider_limit_holds_over_campaigns(settings) -> None:
    settings.EMAIL_PROVIDER_RATE_LIMIT = 60
    first, second = sending(10), sending(10)
    assert len(claim_and_mark(first)[2].attempts) == 5
    assert len(claim_and_mark(second)[2].attempts) <= 1


def test_a_text_costs_the_provider_its_segments(settings) -> None:
    settings.SMS_PROVIDER_RATE_LIMIT = 120
    campaign = sending(10, "sms")
    Campaign.objects.update(send_rate_limit_sms=0)
    lane, token = lane_of(campaign, "sms"), uuid.uuid4()
    ids = [row.pk for row in outbox.claim(lane=lane, limit=100, token=token)]
    marked = outbox.mark(lane=lane, ids=ids, units=[3] * 10, token=token)
    assert len(marked.attempts) == 3
    assert marked.charge.units == 9


def test_sent_is_recorded_with_its_counter() -> None:
    campaign = sending(3)
    record_all(campaign, Outcome(Action.SENT, provider_id="m-1"))
    assert campaign.emails_sent == 3
    row = Delivery.objects.first()
    assert (row.status, row.provider_id, row.attempts) == ("sent", "m-1", 1)
    assert row.sent_at
    assert not row.lease_token


def test_a_worker_that_slept_through_its_lease_changes_nothing() -> None:
    campaign = sending(3)
    lane, token, marked = claim_and_mark(campaign)
    expire(campaign)
    assert (outbox.hand_back_expired(), outbox.expire_calls()) == (0, 3)
    outcomes = dict.fromkeys(marked.attempts, Outcome(Action.SENT))
    outbox.record(lane=lane, token=token, marked=marked, outcomes=outcomes)
    campaign.refresh_from_db()
    assert campaign.emails_sent == 0
    assert set(Delivery.objects.values_list("status", "code")) == {("unconfirmed", "lease_expired")}


def test_what_was_claimed_and_not_called_is_due_again_after_the_lease() -> None:
    campaign = sending(3)
    outbox.claim(lane=lane_of(campaign), limit=10, token=uuid.uuid4())
    assert (outbox.hand_back_expired(), outbox.expire_calls()) == (0, 0)
    expire(campaign)
    assert (outbox.hand_back_expired(), outbox.expire_calls()) == (3, 0)
    assert set(Delivery.objects.values_list("status", "attempts")) == {("pending", 0)}


def test_a_retry_is_due_after_its_delay() -> None:
    campaign = sending(1)
    before = database_now()
    record_all(campaign, Outcome(Action.RETRY, "provider_error", 60))
    row = Delivery.objects.get()
    assert (row.status, row.code, row.attempts) == ("pending", "provider_error", 1)
    assert 59 < (row.not_before - before).total_seconds() < 65
    assert not Delivery.objects.due(database_now()).exists()


def test_a_failure_is_final_and_counted() -> None:
    campaign = sending(2)
    record_all(campaign, Outcome(Action.FAIL, "invalid_address"))
    assert campaign.emails_failed == 2
    assert set(Delivery.objects.values_list("status", "code")) == {("failed", "invalid_address")}


def test_being_asked_to_wait_costs_no_attempt_and_holds_the_provider() -> None:
    campaign = sending(2)
    record_all(campaign, Outcome(Action.SLOW_DOWN, "slow_down", 7))
    assert set(Delivery.objects.values_list("status", "attempts")) == {("pending", 0)}
    wait = provider_pace("email").not_before - database_now()
    assert 6 < wait.total_seconds() <= 7


def test_an_unconfirmed_email_is_tried_again_after_its_grace(settings) -> None:
    campaign = sending(1)
    record_all(campaign, Outcome(Action.UNCONFIRMED, "no_answer"))
    assert outbox.retry_unconfirmed() == 0
    Delivery.objects.update(not_before=database_now())
    assert outbox.retry_unconfirmed() == 1
    row = Delivery.objects.get()
    assert (row.status, row.attempts) == ("pending", 1)


def test_an_unconfirmed_email_fails_when_its_tries_are_used_up() -> None:
    campaign = sending(1)
    record_all(campaign, Outcome(Action.UNCONFIRMED, "no_answer"))
    Delivery.objects.update(not_before=database_now(), attempts=4)
    assert outbox.retry_unconfirmed() == 0
    campaign.refresh_from_db()
    assert campaign.emails_failed == 1
    assert Delivery.objects.get().code == "too_many_attempts"


def test_an_unconfirmed_text_waits_for_a_person() -> None:
    campaign = sending(1, "sms")
    record_all(campaign, Outcome(Action.UNCONFIRMED, "no_answer"), "sms")
    Delivery.objects.update(not_before=database_now())
    assert outbox.retry_unconfirmed() == 0
    assert Delivery.objects.get().status == "unconfirmed"


def test_cancelling_stops_what_is_not_being_called() -> None:
    campaign = sending(3)
    lane, token = lane_of(campaign), uuid.uuid4()
    called = outbox.claim(lane=lane, limit=1, token=token)[0]
    marked = outbox.mark(lane=lane, ids=[called.pk], units=[1], token=token)
    outbox.claim(lane=lane, limit=1, token=token)
    assert outbox.cancel_pending(campaign_id=campaign.pk) == 2
    Campaign.objects.update(status="cancelled")
    outcomes = {called.pk: Outcome(Action.RETRY, "provider_error", 0)}
    outbox.record(lane=lane, token=token, marked=marked, outcomes=outcomes)
    assert outbox.cancel_leftovers() == 1
    assert set(Delivery.objects.values_list("status", flat=True)) == {"cancelled"}


def test_retrying_the_failed_takes_their_counter_back() -> None:
    campaign = sending(2)
    record_all(campaign, Outcome(Action.FAIL, "rejected"))
    assert outbox.retry_failed(campaign_id=campaign.pk) == 2
    campaign.refresh_from_db()
    assert campaign.emails_failed == 0
    assert set(Delivery.objects.values_list("status", "attempts")) == {("pending", 0)}


@pytest.mark.django_db(transaction=True)
def test_cancelling_never_waits_for_a_sender_nor_a_sender_for_it() -> None:
    """Senders lock deliveries, then their campaign; the other way round is a deadlock."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite admits one writer at a time")
    campaign = sending(3)
    row = Delivery.objects.order_by("pk").first()
    done = threading.Event()

    def cancel() -> None:
        lifecycle.cancel_campaign(campaign_id=campaign.pk)
        connection.close()
        done.set()

    with transaction.atomic():
        Delivery.objects.select_for_update().get(pk=row.pk)
        thread = threading.Thread(target=cancel)
        thread.start()
        assert done.wait(10)
        Campaign.objects.filter(pk=campaign.pk).update(emails_sent=1)
    thread.join()
    assert outbox.cancel_leftovers() == 1
    assert set(Delivery.objects.values_list("status", flat=True)) == {"cancelled"}
