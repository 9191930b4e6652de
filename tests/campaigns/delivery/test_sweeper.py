"""A sweep goes on behind whatever breaks in it (D-7)."""

from datetime import timedelta

import pytest

from campaigns.delivery import outbox, sweeper
from campaigns.models import Campaign
from config.clock import database_now
from tests.campaigns.delivery.lanes import sending
from tests.factories import CampaignFactory, CustomerFactory, OfferFactory

pytestmark = pytest.mark.django_db


def test_a_step_that_fails_keeps_no_other_from_its_work(monkeypatch, caplog) -> None:
    def broken() -> int:
        raise RuntimeError("ada@example.com")

    monkeypatch.setattr(outbox, "retry_unconfirmed", broken)
    campaign = sending(0)
    swept = sweeper.sweep()
    assert (swept["failures"], swept["completed"]) == (1, 1)
    campaign.refresh_from_db()
    assert campaign.status == "completed"
    assert "sweep, retried: unexpected RuntimeError in broken" in caplog.text
    assert "ada@" not in caplog.text


def test_a_scheduled_campaign_that_breaks_its_check_fails_and_the_others_start(monkeypatch) -> None:
    CustomerFactory()
    past = database_now() - timedelta(minutes=1)
    broken, sound = (
        OfferFactory(campaign=CampaignFactory(status="scheduled", scheduled_for=past)).campaign
        for _ in range(2)
    )
    checked = sweeper.require_sendable

    def require_sendable(campaign: Campaign) -> None:
        if campaign.pk == broken.pk:
            raise RuntimeError
        checked(campaign)

    monkeypatch.setattr(sweeper, "require_sendable", require_sendable)
    assert sweeper.sweep()["failures"] == 0
    broken.refresh_from_db()
    sound.refresh_from_db()
    assert (broken.status, sound.status) == ("failed", "queued")
    assert broken.status_reason
