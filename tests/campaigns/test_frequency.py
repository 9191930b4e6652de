"""Whoever has had enough messages lately is left out (D-10), and the counts say so (S-4)."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from campaigns.audience import count_audience, freeze_next_batch
from campaigns.delivery import outbox
from campaigns.delivery.outbox import sending as sending_module
from campaigns.delivery.pacing import Lane
from campaigns.frequency import contacted_recently
from campaigns.models import Delivery
from config.clock import database_now
from tests.campaigns.delivery.lanes import lane_of, sending
from tests.factories import CampaignFactory, CustomerFactory, DeliveryFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def two_in_a_week(settings) -> None:
    settings.FREQUENCY_CAP = (2, 7)


def reach(customer: object, *, days_ago: float, channels: tuple[str, ...] = ("email",)) -> None:
    campaign = CampaignFactory(status="completed")
    at = database_now() - timedelta(days=days_ago)
    for channel in channels:
        DeliveryFactory(
            campaign=campaign, customer=customer, channel=channel, status="sent", sent_at=at
        )


def test_who_was_reached_often_is_counted_and_frozen_as_skipped() -> None:
    tired, fresh = CustomerFactory(), CustomerFactory()
    reach(tired, days_ago=1)
    reach(tired, days_ago=6.9)
    reach(fresh, days_ago=1)
    reach(fresh, days_ago=7.1)
    campaign = CampaignFactory(status="queued", sms_content="")
    assert count_audience(campaign).channels["email"].reasons == {"contacted_recently": 1}
    freeze_next_batch(campaign_id=campaign.pk)
    rows = Delivery.objects.filter(campaign=campaign)
    assert dict(rows.values_list("customer", "code")) == {
        tired.pk: "contacted_recently",
        fresh.pk: "",
    }
    assert rows.get(customer=tired).status == "skipped"


def test_one_campaign_on_two_channels_counts_once() -> None:
    customer = CustomerFactory()
    reach(customer, days_ago=1, channels=("email", "sms"))
    assert count_audience(CampaignFactory(sms_content="")).channels["email"].reachable == 1


def test_who_cannot_be_reached_anyway_keeps_that_reason() -> None:
    customer = CustomerFactory(email_subscribed=False)
    reach(customer, days_ago=1)
    reach(customer, days_ago=2)
    counts = count_audience(CampaignFactory(sms_content=""))
    assert counts.channels["email"].reasons == {"unsubscribed": 1}


def test_a_claim_skips_who_was_reached_since_the_audience_was_frozen() -> None:
    campaign = sending(2)
    tired, fresh = Delivery.objects.order_by("pk")
    reach(tired.customer, days_ago=0)
    reach(tired.customer, days_ago=0)
    (row,) = outbox.claim(lane=lane_of(campaign), limit=10, token=uuid.uuid4())
    assert row.pk == fresh.pk
    tired.refresh_from_db()
    assert (tired.status, tired.code) == ("skipped", "contacted_recently")


def test_a_retry_is_not_skipped() -> None:
    campaign = sending(1)
    row = Delivery.objects.get()
    Delivery.objects.update(attempts=1)
    reach(row.customer, days_ago=0)
    reach(row.customer, days_ago=0)
    assert len(outbox.claim(lane=lane_of(campaign), limit=10, token=uuid.uuid4())) == 1


def test_a_campaign_does_not_count_against_itself(settings) -> None:
    settings.FREQUENCY_CAP = (1, 7)
    campaign = sending(1, "sms")
    row = Delivery.objects.get()
    DeliveryFactory(campaign=campaign, customer=row.customer, status="sent", sent_at=database_now())
    assert len(outbox.claim(lane=lane_of(campaign, "sms"), limit=10, token=uuid.uuid4())) == 1


def test_without_a_cap_nobody_is_skipped(settings) -> None:
    settings.FREQUENCY_CAP = None
    customer = CustomerFactory()
    for _ in range(5):
        reach(customer, days_ago=0)
    assert count_audience(CampaignFactory(sms_content="")).channels["email"].reachable == 1


def test_who_is_just_being_written_to_waits_for_what_becomes_of_it(settings) -> None:
    settings.FREQUENCY_CAP = (1, 7)
    first, second = sending(1), sending(0)
    row = Delivery.objects.get()
    rival = DeliveryFactory(campaign=second, customer=row.customer)
    (held,) = outbox.claim(lane=lane_of(first), limit=10, token=(token := uuid.uuid4()))
    assert outbox.claim(lane=lane_of(second), limit=10, token=uuid.uuid4()) == []
    rival.refresh_from_db()
    assert (rival.status, rival.code) == ("pending", "another_campaign")
    assert rival.not_before > database_now() + timedelta(seconds=50)
    outbox.hand_back(ids=[held.pk], token=token)
    Delivery.objects.update(not_before=database_now())
    assert len(outbox.claim(lane=lane_of(second), limit=10, token=uuid.uuid4())) == 1


def test_what_may_have_arrived_counts(settings) -> None:
    settings.FREQUENCY_CAP = (1, 7)
    customer = CustomerFactory()
    DeliveryFactory(customer=customer, status="unconfirmed", attempts=1)
    campaign = CampaignFactory(sms_content="")
    assert count_audience(campaign).channels["email"].reasons == {"contacted_recently": 1}


@pytest.mark.django_db(transaction=True)
def test_two_campaigns_that_claim_at_once_do_not_both_get_a_customer(
    settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FREQUENCY_CAP = (1, 7)

    def look_and_hesitate(**asked: object) -> frozenset[int]:
        found = contacted_recently(**asked)
        time.sleep(0.2)  # long enough for the other to look as well
        return found

    monkeypatch.setattr(sending_module, "contacted_recently", look_and_hesitate)
    first, second = sending(20), sending(0)
    for row in Delivery.objects.filter(campaign=first):
        DeliveryFactory(campaign=second, customer=row.customer)
    lanes = [lane_of(first), lane_of(second)]
    together = threading.Barrier(2)

    def claim(lane: Lane) -> list[int]:
        together.wait(10)
        try:
            return [
                row.customer_id for row in outbox.claim(lane=lane, limit=100, token=uuid.uuid4())
            ]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(claim, lanes)
    assert len(one) + len(other) == 20
    assert not set(one) & set(other)
