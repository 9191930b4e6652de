from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics.charts import bars
from analytics.dashboard import (
    first_steps,
    open_decisions,
    open_troubles,
    recent_campaigns,
    redemptions_by_day,
)
from analytics.figures import campaign_figures
from campaigns.health import BEAT, SWEEPER, beat_heart
from campaigns.models import Pace, TestSend
from qrcodes.models import Offer
from tests.campaigns.admin.conftest import signed_in
from tests.factories import (
    CampaignFactory,
    CustomerFactory,
    DeliveryFactory,
    OfferFactory,
    RedemptionFactory,
    UserFactory,
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
    assert "Import your customers" in html
    assert "hb-step-done" not in html
    assert "No coupon was redeemed" in html


def test_each_person_sees_a_home_page_of_their_own() -> None:
    till = signed_in("Till staff").get("/admin/")
    assert (till.status_code, till["Location"]) == (302, "/scan/")
    nobody = signed_in().get("/admin/").content.decode()
    assert "ask whoever runs Handbill" in nobody
    analyst = signed_in("Analyst").get("/admin/").content.decode()
    assert "Last campaigns" in analyst
    assert "New campaign" not in analyst
    for heading in ("Drafts", "Waiting for you", "Your first campaign", "Something is not working"):
        assert heading not in analyst


def test_the_first_steps_are_marked_as_they_are_done_and_leave_with_the_first_campaign() -> None:
    CustomerFactory()
    assert [(step.name, step.is_done) for step in first_steps()] == [
        ("import", True),
        ("campaign", False),
        ("test", False),
        ("send", False),
    ]
    campaign = CampaignFactory()
    customer = CustomerFactory()
    TestSend.objects.create(
        campaign=campaign, customer=customer, channel="email", address_encrypted="x"
    )
    assert [step.is_done for step in first_steps()] == [True, True, True, False]
    CampaignFactory(status="queued", sent_at=now())
    assert first_steps() == []


def test_the_last_campaigns_stand_side_by_side_with_what_they_brought() -> None:
    over = CampaignFactory(status="completed", sent_at=now())
    for status, bounced_at in (("sent", None), ("sent", None), ("sent", now()), ("failed", None)):
        DeliveryFactory(campaign=over, status=status, bounced_at=bounced_at)
    offer = OfferFactory(campaign=over)
    RedemptionFactory(qr_code__offer=offer, amount=Decimal("23.50"))
    type(over).objects.filter(pk=over.pk).update(emails_sent=3)
    (entry,) = recent_campaigns()
    figures = campaign_figures(over)
    assert (entry.customers_redeemed, entry.customers_reached, entry.sent) == (1, 2, 3)
    assert entry.redemption_rate == figures.redemption_rate == 0.5
    assert entry.revenue == figures.redemption.revenue == Decimal("23.50")
    # A message that is retried and arrives counts at once.
    DeliveryFactory(campaign=over, status="sent")
    type(over).objects.filter(pk=over.pk).update(emails_sent=4)
    assert recent_campaigns()[0].customers_reached == 3


def test_drafts_name_who_began_them_and_what_is_next_comes_in_its_order() -> None:
    mia = UserFactory(first_name="Mia", last_name="Moor")
    CampaignFactory(name="Half written", created_by=mia)
    for days, name in ((9, "Later"), (2, "Sooner")):
        CampaignFactory(name=name, status="scheduled", scheduled_for=now() + timedelta(days=days))
    html = signed_in("Marketing").get("/admin/").content.decode()
    assert "Half written" in html
    assert "Mia Moor, " in html
    assert html.index("Sooner") < html.index("Later")


def test_it_says_that_nothing_leaves_when_no_worker_is_there(settings) -> None:
    html = signed_in("Marketing").get("/admin/").content.decode()
    assert "Something is not working" in html
    assert "Nothing leaves" in html
    for part in (SWEEPER, BEAT):
        beat_heart(part)
    assert open_troubles() == []
    settings.DEFAULT_FROM_EMAIL = ""
    (trouble,) = open_troubles()
    assert trouble.startswith("No email can be sent. Tell whoever runs Handbill:")


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
    client.get("/admin/")  # whom campaigns reached is kept for a while
    with CaptureQueriesContext(connection) as many:
        client.get("/admin/")
    assert len(many) == len(few)


def test_a_chart_fills_its_height_with_its_highest_column() -> None:
    first, second = bars([("a", 4), ("b", 1)])
    assert (first.x, first.y, first.width, first.height) == ("2.500", "0.000", "45.000", "100.000")
    assert (second.x, second.y, second.height) == ("52.500", "75.000", "25.000")
    assert bars([]) == bars([("a", 0)]) == []
