from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics.charts import bars
from analytics.dashboard import open_decisions, redemptions_by_day
from campaigns.models import Pace
from qrcodes.models import Offer
from tests.campaigns.admin.conftest import signed_in
from tests.factories import (
    CampaignFactory,
    DeliveryFactory,
    OfferFactory,
    RedemptionFactory,
    now,
)

pytestmark = pytest.mark.django_db


def test_the_home_page_shows_what_runs_what_waits_and_what_came_back() -> None:
    running = CampaignFactory(name="Lunch", status="sending", sent_at=now())
    for status in ("sent", "pending"):
        DeliveryFactory(campaign=running, status=status)
    CampaignFactory(name="Broken", status="failed", status_reason="The key is wrong.")
    over = OfferFactory(campaign__name="Old", campaign__status="completed").campaign
    type(over).objects.filter(pk=over.pk).update(sent_at=now(), emails_sent=1500)
    RedemptionFactory(qr_code__offer=Offer.objects.get(campaign=over))
    html = signed_in("Marketing").get("/admin/").content.decode()
    for text in ("1 / 2 sent", "The key is wrong.", "1,500", "Redemptions of the last 14 days: 1"):
        assert text in html
    assert "New campaign" in html
    assert "Import customers" in html


def test_an_empty_home_page_says_what_to_do_next() -> None:
    html = signed_in("Marketing").get("/admin/").content.decode()
    assert "Start with a new campaign" in html
    assert "No coupon was redeemed" in html


def test_each_person_sees_a_home_page_of_their_own() -> None:
    till = signed_in("Till staff").get("/admin/").content.decode()
    assert "Open the scan page" in till
    assert "Last campaigns" not in till
    nobody = signed_in().get("/admin/").content.decode()
    assert "ask whoever runs Handbill" in nobody
    analyst = signed_in("Analyst").get("/admin/").content.decode()
    assert "Last campaigns" in analyst
    assert "New campaign" not in analyst


def test_texts_that_nobody_knows_the_fate_of_wait_for_a_person() -> None:
    campaign = CampaignFactory(status="sending")
    for channel in ("sms", "email"):
        DeliveryFactory(campaign=campaign, channel=channel, status="unconfirmed")
    (decision,) = open_decisions()
    assert decision.campaign == campaign
    assert decision.sentence.startswith("1 text may or may not have arrived.")


def test_only_a_campaign_that_paused_by_itself_is_an_open_decision() -> None:
    CampaignFactory(status="paused", status_reason="Paused by mia.")
    assert open_decisions() == []
    stopped = CampaignFactory(status="paused", status_reason="Paused by itself: 20 failed.")
    Pace.objects.create(campaign=stopped, channel="email", stop_code="many_failures")
    assert [decision.sentence for decision in open_decisions()] == ["Paused by itself: 20 failed."]


def test_it_counts_the_redemptions_of_the_last_two_weeks_by_day() -> None:
    RedemptionFactory()
    RedemptionFactory(redeemed_at=now() - timedelta(days=20))
    days = redemptions_by_day()
    assert len(days) == 14
    assert days[-1] == (timezone.localdate(), 1)
    assert sum(count for _, count in days) == 1


def test_the_home_page_needs_as_many_queries_for_many_campaigns_as_for_one() -> None:
    client = signed_in("Marketing")

    def campaign(n: int) -> None:
        RedemptionFactory(qr_code__offer__campaign__status="completed")
        DeliveryFactory(campaign__status="sending", campaign__sent_at=now(), status="sent")

    campaign(0)
    client.get("/admin/")
    with CaptureQueriesContext(connection) as few:
        client.get("/admin/")
    for n in range(5):
        campaign(n)
    with CaptureQueriesContext(connection) as many:
        client.get("/admin/")
    assert len(many) == len(few)


def test_a_chart_fills_its_height_with_its_highest_column() -> None:
    first, second = bars([("a", 4), ("b", 1)])
    assert (first.x, first.y, first.width, first.height) == ("2.500", "0.000", "45.000", "100.000")
    assert (second.x, second.y, second.height) == ("52.500", "75.000", "25.000")
    assert bars([]) == bars([("a", 0)]) == []
