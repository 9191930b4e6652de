from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics.figures import campaign_figures, customers_redeemed
from analytics.waits import WITHIN
from qrcodes.models import Offer
from tests.analytics.business import START, Story, tell_story
from tests.factories import (
    CampaignFactory,
    CustomerFactory,
    DeliveryFactory,
    OfferFactory,
    RedemptionFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def story() -> Story:
    return tell_story()


def test_it_counts_each_message_in_exactly_one_state(story: Story) -> None:
    email = campaign_figures(story.campaign).channels["email"]
    states = (email.sent, email.failed, email.skipped, email.pending, email.unconfirmed)
    assert states == (6, 1, 1, 1, 1)
    assert email.cancelled == 0
    assert sum(states) == email.targeted == 10


def test_it_counts_a_message_being_sent_as_pending(story: Story) -> None:
    DeliveryFactory(
        campaign=story.campaign,
        status="sending",
        lease_token="0" * 32,
        lease_until=START,
    )
    assert campaign_figures(story.campaign).channels["email"].pending == 2


def test_it_counts_what_the_provider_reported_beside_the_state(story: Story) -> None:
    email = campaign_figures(story.campaign).channels["email"]
    assert (email.delivered, email.opened, email.clicked, email.bounced) == (3, 2, 1, 1)


def test_it_says_what_holds_back_messages_that_wait(story: Story) -> None:
    for code in ("provider_error", "provider_error", ""):
        DeliveryFactory(campaign=story.campaign, code=code)
    reasons = campaign_figures(story.campaign).channels["email"].reasons
    assert [r for r in reasons if r[0] == "pending"] == [("pending", "provider_error", 2)]


def test_it_gives_every_reason_with_its_count(story: Story) -> None:
    channels = campaign_figures(story.campaign).channels
    assert sorted(channels["email"].reasons) == [
        ("bounced", "invalid_address", 1),
        ("failed", "invalid_address", 1),
        ("skipped", "unsubscribed", 1),
        ("unconfirmed", "no_answer", 1),
    ]
    assert channels["sms"].reasons == [("skipped", "no_address", 8)]


def test_it_averages_the_rate_between_first_and_last_message(story: Story) -> None:
    channels = campaign_figures(story.campaign).channels
    assert channels["email"].per_minute == 0.5  # one every two minutes
    assert channels["email"].first_sent_at == START
    assert channels["email"].last_sent_at == START + timedelta(minutes=10)


def test_it_knows_no_rate_of_a_single_message() -> None:
    delivery = DeliveryFactory(status="sent", sent_at=START)
    assert campaign_figures(delivery.campaign).channels["email"].per_minute is None


@pytest.mark.django_db
def test_half_a_minute_of_sending_has_no_rate_per_minute() -> None:
    campaign = CampaignFactory(status="completed")
    start = START
    for seconds in (0, 15, 30):
        sent_at = start + timedelta(seconds=seconds)
        DeliveryFactory(campaign=campaign, status="sent", sent_at=sent_at)
    assert campaign_figures(campaign).channels["email"].per_minute is None


def test_it_counts_customers_of_a_segment_once_over_both_channels(story: Story) -> None:
    segments = {s.name: s for s in campaign_figures(story.campaign).segments}
    assert list(segments) == ["lunch", "regulars"]
    # C6 was reached by text only; C0 by both.
    assert (segments["lunch"].customers, segments["lunch"].sent) == (10, 7)
    assert (segments["regulars"].customers, segments["regulars"].sent) == (4, 4)
    assert (segments["lunch"].redeemed, segments["regulars"].redeemed) == (3, 2)


def test_it_counts_redemptions_without_test_codes(story: Story) -> None:
    redemption = campaign_figures(story.campaign).redemption
    assert redemption.codes_issued == 7
    assert (redemption.customers, redemption.redemptions) == (3, 4)
    assert redemption.revenue == Decimal("60.50")
    assert redemption.discount == Decimal("12.00")


def test_it_rates_redemption_over_customers_reached_minus_bounces(story: Story) -> None:
    figures = campaign_figures(story.campaign)
    # C0 to C4 by email, C6 by text; C5's email came back.
    assert figures.reached == 6
    assert figures.redemption_rate == 0.5


def test_it_has_no_rate_while_nobody_was_reached() -> None:
    assert campaign_figures(CampaignFactory()).redemption_rate is None


def test_it_measures_the_wait_from_the_first_message_to_the_first_use(story: Story) -> None:
    redemption = campaign_figures(story.campaign).redemption
    waits = [timedelta(minutes=30), timedelta(hours=2), timedelta(days=2)]
    assert redemption.waits.median == timedelta(hours=2)
    assert redemption.waits.mean == sum(waits, timedelta()) / 3


def test_it_takes_the_middle_of_two_for_an_even_number(story: Story) -> None:
    DeliveryFactory(
        campaign=story.campaign, customer=story.customers[7], step=1, status="sent", sent_at=START
    )
    RedemptionFactory(
        qr_code__offer=Offer.objects.get(campaign=story.campaign),
        qr_code__customer=story.customers[7],
        redeemed_at=START + timedelta(hours=4),
    )
    assert campaign_figures(story.campaign).redemption.waits.median == timedelta(hours=3)


def test_it_draws_how_many_came_within_each_step(story: Story) -> None:
    within = dict(campaign_figures(story.campaign).redemption.waits.within)
    assert list(within) == list(WITHIN)
    assert within[timedelta(hours=1)] == 1
    assert within[timedelta(hours=6)] == 2
    assert within[timedelta(days=1)] == 2
    assert within[timedelta(days=2)] == 3
    assert within[timedelta(days=30)] == 3


def test_it_groups_redemptions_by_day_and_hour_of_the_business(story: Story) -> None:
    redemption = campaign_figures(story.campaign).redemption
    days = {group.key: (group.redemptions, group.revenue) for group in redemption.by_day}
    assert days == {
        date(2026, 11, 16): (2, Decimal("50.00")),
        date(2026, 11, 18): (1, Decimal("0.00")),
        date(2026, 11, 19): (1, Decimal("10.50")),
    }
    # 11:00 UTC is 12:00 in Berlin.
    assert {group.key: group.redemptions for group in redemption.by_hour} == {12: 3, 14: 1}


def test_it_puts_a_redemption_after_midnight_on_the_day_of_the_business() -> None:
    redemption = RedemptionFactory(redeemed_at=datetime(2026, 11, 16, 23, 30, tzinfo=UTC))
    by_day = campaign_figures(redemption.qr_code.campaign).redemption.by_day
    assert [group.key for group in by_day] == [date(2026, 11, 17)]


def test_it_groups_redemptions_by_location_and_staff(story: Story) -> None:
    redemption = campaign_figures(story.campaign).redemption
    assert {group.key: group.redemptions for group in redemption.by_location} == {
        "": 2,
        "Harbour": 2,
    }
    assert {group.key: group.redemptions for group in redemption.by_staff} == {
        "": 1,
        "Ada Till": 2,
        "bob": 1,
    }


def test_it_counts_who_unsubscribed_through_this_campaign_only(story: Story) -> None:
    figures = campaign_figures(story.campaign)
    assert figures.unsubscribed == 1
    assert figures.channels["email"].unsubscribed == 1
    assert figures.channels["sms"].unsubscribed == 0


def test_it_leaves_out_other_campaigns(story: Story) -> None:
    DeliveryFactory(customer=story.customers[0], status="sent", sent_at=START)
    RedemptionFactory(qr_code__customer=story.customers[3], redeemed_at=START)
    figures = campaign_figures(story.campaign)
    assert figures.channels["email"].sent == 6
    assert figures.redemption.customers == 3


def test_the_list_and_the_report_count_the_same_customers(story: Story) -> None:
    other = RedemptionFactory().qr_code.campaign
    counts = customers_redeemed([story.campaign.pk, other.pk, CampaignFactory().pk])
    assert counts == {story.campaign.pk: 3, other.pk: 1}


def test_it_needs_as_many_queries_for_many_customers_as_for_few(story: Story) -> None:
    with CaptureQueriesContext(connection) as few:
        campaign_figures(story.campaign)
    for _ in range(20):
        DeliveryFactory(campaign=story.campaign, customer=CustomerFactory(), status="sent")
    with CaptureQueriesContext(connection) as many:
        campaign_figures(story.campaign)
    assert len(many) == len(few) < 20


def test_who_was_served_before_the_message_left_did_not_wait() -> None:
    delivery = DeliveryFactory(status="sent", sent_at=START)
    offer = OfferFactory(campaign=delivery.campaign)
    RedemptionFactory(
        qr_code__offer=offer,
        qr_code__customer=delivery.customer,
        redeemed_at=START - timedelta(minutes=5),
    )
    redemption = campaign_figures(delivery.campaign).redemption
    assert redemption.customers == 1
    assert (redemption.waits.mean, redemption.waits.within) == (None, [])
