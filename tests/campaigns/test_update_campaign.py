from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign, Pace
from campaigns.update_campaign import update_campaign
from config.errors import DomainError
from customers.segments import ensure_segments
from qrcodes.models import Offer
from tests.factories import CampaignFactory, OfferFactory

pytestmark = pytest.mark.django_db


def test_it_writes_all_of_a_draft() -> None:
    campaign = OfferFactory().campaign
    ensure_segments(["vip", "left"])
    update_campaign(
        campaign_id=campaign.pk,
        fields={"subject": "New", "max_usage": 2},
        target_segments=["vip"],
        excluded_segments=["left"],
        offer={"title": "2 for 1"},
    )
    campaign.refresh_from_db()
    assert (campaign.subject, campaign.max_usage, campaign.target_all) == ("New", 2, False)
    assert [segment.name for segment in campaign.target_segments.all()] == ["vip"]
    assert [segment.name for segment in campaign.excluded_segments.all()] == ["left"]
    assert Offer.objects.get(campaign=campaign).title == "2 for 1"


def test_it_goes_back_to_everyone() -> None:
    campaign = CampaignFactory(target_all=False)
    campaign.target_segments.set(ensure_segments(["vip"]).values())
    update_campaign(campaign_id=campaign.pk, fields={}, target_segments="ALL")
    campaign.refresh_from_db()
    assert campaign.target_all
    assert not campaign.target_segments.exists()


def test_it_leaves_alone_what_is_not_given() -> None:
    campaign = CampaignFactory(target_all=False)
    campaign.target_segments.set(ensure_segments(["vip"]).values())
    update_campaign(campaign_id=campaign.pk, fields={"name": "Renamed"})
    campaign.refresh_from_db()
    assert campaign.target_segments.count() == 1
    assert campaign.subject == "20% off every pizza"


@pytest.mark.parametrize("status", [s for s in Campaign.Status.values if s != "draft"])
@pytest.mark.parametrize(
    "change",
    [
        {"fields": {"email_content": "<p>Other</p>"}},
        {"fields": {"qr_expiration_days": 1}},
        {"fields": {"has_qr_code": False}},
        {"fields": {}, "target_segments": "ALL"},
        {"fields": {}, "excluded_segments": []},
        {"fields": {}, "offer": {"title": "2 for 1"}},
    ],
)
def test_it_refuses_content_audience_and_offer_once_it_has_left_draft(status, change) -> None:
    # One that failed unsent may get another audience: see the next test.
    campaign = CampaignFactory(status=status, scheduled_for=datetime.now(UTC), frozen_through=1)
    with pytest.raises(DomainError) as refused:
        update_campaign(campaign_id=campaign.pk, **change)
    assert refused.value.code == "locked"
    assert "only its name and its rates" in refused.value.message


def test_the_audience_of_one_that_failed_unsent_can_be_mended() -> None:
    campaign = CampaignFactory(status="failed", target_all=False)
    update_campaign(campaign_id=campaign.pk, fields={}, target_segments="ALL")
    campaign.refresh_from_db()
    assert campaign.target_all
    with pytest.raises(DomainError):
        update_campaign(campaign_id=campaign.pk, fields={"subject": "Other"})


def test_a_new_rate_does_not_wait_for_the_old_ones_intervals(
    django_capture_on_commit_callbacks,
) -> None:
    campaign = CampaignFactory(status="sending")
    pace = Pace.objects.create(campaign=campaign, channel="email", tat=9e12, ring={"7": 3})
    with django_capture_on_commit_callbacks() as callbacks:
        update_campaign(campaign_id=campaign.pk, fields={"send_rate_limit_emails": 600})
    pace.refresh_from_db()
    # The admin saves inside a transaction of its own, and senders lock paces before campaigns.
    assert pace.tat == 9e12
    for callback in callbacks:
        callback()
    pace.refresh_from_db()
    assert (pace.tat, pace.ring) == (0, {"7": 3})


def test_name_and_rates_stay_editable() -> None:
    campaign = CampaignFactory(status="sending", emails_sent=7)
    update_campaign(
        campaign_id=campaign.pk, fields={"name": "Renamed", "send_rate_limit_emails": 500}
    )
    campaign.refresh_from_db()
    assert (campaign.name, campaign.send_rate_limit_emails) == ("Renamed", 500)
    assert (campaign.status, campaign.emails_sent) == ("sending", 7)


def test_it_never_writes_a_column_of_the_machine() -> None:
    campaign = CampaignFactory(status="sending")
    with CaptureQueriesContext(connection) as queries:
        update_campaign(campaign_id=campaign.pk, fields={"name": "Renamed"})
    (update,) = [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]
    assert '"name"' in update
    assert not any(f'"{column}"' in update for column in Campaign.MACHINE_OWNED)


def test_it_changes_nothing_when_a_part_is_wrong() -> None:
    campaign = OfferFactory().campaign
    for wrong, code in [
        ({"fields": {"subject": "New", "max_usage": 0}}, "invalid_field"),
        ({"fields": {"subject": "New"}, "target_segments": ["nobody"]}, "unknown_segment"),
        ({"fields": {"subject": "New"}, "offer": {"title": ""}}, "invalid_offer"),
    ]:
        with pytest.raises(DomainError) as refused:
            update_campaign(campaign_id=campaign.pk, **wrong)
        assert refused.value.code == code
    campaign.refresh_from_db()
    assert (campaign.subject, campaign.target_all) == ("20% off every pizza", True)


def test_it_refuses_an_unknown_campaign() -> None:
    with pytest.raises(DomainError, match="There is no campaign 4711"):
        update_campaign(campaign_id=4711, fields={"name": "X"})
