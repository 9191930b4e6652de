from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from config.errors import DomainError
from qrcodes.models import Offer
from qrcodes.offers import create_offer, set_offer_state, update_offer
from tests.factories import CampaignFactory, OfferFactory

pytestmark = pytest.mark.django_db


def test_it_stores_what_the_coupon_is_worth():
    campaign = CampaignFactory()
    create_offer(
        campaign_id=campaign.pk,
        title="  20% off every pizza ",
        terms="One per table.",
        value="20%",
        minimum_amount=15.5,
        starts_at="2026-12-01 10:00",
        max_redemptions=100,
        max_discount="250,5",
    )
    offer = Offer.objects.get(campaign=campaign)
    assert (offer.title, offer.terms, offer.value) == (
        "20% off every pizza",
        "One per table.",
        "20%",
    )
    assert offer.minimum_amount == Decimal("15.50")
    assert offer.max_discount == Decimal("250.50")
    assert offer.max_redemptions == 100
    assert offer.state == Offer.State.OPEN


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        (datetime(2026, 12, 1, 10, tzinfo=UTC), datetime(2026, 12, 1, 10, tzinfo=UTC)),
        (datetime(2026, 12, 1, 10), datetime(2026, 12, 1, 9, tzinfo=UTC)),
        (date(2026, 12, 1), datetime(2026, 11, 30, 23, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 11, 30, 23, tzinfo=UTC)),
        ("2026-12-01T10:00:00Z", datetime(2026, 12, 1, 10, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_a_start_without_a_zone_is_meant_in_the_business_s(written, moment):
    offer = create_offer(campaign_id=CampaignFactory().pk, title="Free coffee", starts_at=written)
    assert offer.starts_at == moment


@pytest.mark.parametrize(
    ("field", "written", "code"),
    [
        ("title", "", "invalid_offer"),
        ("title", "   ", "invalid_offer"),
        ("title", 20, "invalid_offer"),
        ("title", "x" * 201, "invalid_offer"),
        ("terms", "x" * 5001, "invalid_offer"),
        ("value", "x" * 41, "invalid_offer"),
        ("minimum_amount", -1, "invalid_amount"),
        ("minimum_amount", "1.234", "invalid_amount"),
        ("minimum_amount", "1,234.50", "invalid_amount"),
        ("minimum_amount", "nan", "invalid_amount"),
        ("minimum_amount", float("inf"), "invalid_amount"),
        ("minimum_amount", 1e9, "invalid_amount"),
        ("minimum_amount", True, "invalid_amount"),
        ("max_discount", "0", "invalid_offer"),
        ("max_discount", "many", "invalid_amount"),
        ("max_redemptions", 0, "invalid_offer"),
        ("max_redemptions", 1.5, "invalid_offer"),
        ("max_redemptions", True, "invalid_offer"),
        ("max_redemptions", 10**12, "invalid_offer"),
        ("starts_at", "tomorrow", "invalid_offer"),
        ("starts_at", "2026-13-01", "invalid_offer"),
        ("starts_at", 5, "invalid_offer"),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence_and_nothing_is_stored(field, written, code):
    fields = {"campaign_id": CampaignFactory().pk, "title": "Free coffee", field: written}
    with pytest.raises(DomainError) as refused:
        create_offer(**fields)
    assert refused.value.code == code
    assert refused.value.message.endswith(".")
    assert not Offer.objects.exists()


def test_honouring_a_campaign_s_codes_is_one_switch():
    offer, other = OfferFactory.create_batch(2)
    assert set_offer_state(campaign_id=offer.campaign_id, state=Offer.State.WITHDRAWN)
    assert not set_offer_state(campaign_id=offer.campaign_id, state=Offer.State.WITHDRAWN)
    offer.refresh_from_db()
    other.refresh_from_db()
    assert (offer.state, other.state) == (Offer.State.WITHDRAWN, Offer.State.OPEN)
    assert not set_offer_state(campaign_id=CampaignFactory().pk, state=Offer.State.OPEN)


def test_it_writes_an_offer_anew_and_keeps_its_state():
    campaign = OfferFactory(state=Offer.State.WITHDRAWN, terms="Old.").campaign
    update_offer(campaign_id=campaign.pk, title="2 for 1", minimum_amount="9,50")
    offer = Offer.objects.get(campaign=campaign)
    assert (offer.title, offer.terms, offer.minimum_amount) == ("2 for 1", "", Decimal("9.50"))
    assert offer.state == Offer.State.WITHDRAWN


def test_it_creates_the_offer_that_an_update_misses():
    campaign = CampaignFactory()
    update_offer(campaign_id=campaign.pk, title="2 for 1")
    assert Offer.objects.get(campaign=campaign).title == "2 for 1"


def test_it_changes_nothing_when_an_update_is_wrong():
    offer = OfferFactory(title="20%")
    with pytest.raises(DomainError, match="title"):
        update_offer(campaign_id=offer.campaign_id, title=" ")
    offer.refresh_from_db()
    assert offer.title == "20%"


def test_an_offer_is_written_anew_and_keeps_its_state():
    offer = OfferFactory(state=Offer.State.WITHDRAWN, minimum_amount=Decimal(5))
    update_offer(campaign_id=offer.campaign_id, title="Free coffee", max_redemptions=3)
    offer.refresh_from_db()
    assert (offer.title, offer.minimum_amount, offer.max_redemptions) == ("Free coffee", None, 3)
    assert offer.state == Offer.State.WITHDRAWN
    with pytest.raises(DomainError):
        update_offer(campaign_id=offer.campaign_id, title="")
    assert Offer.objects.get().title == "Free coffee"


def test_an_offer_that_is_missing_is_made():
    campaign = CampaignFactory()
    update_offer(campaign_id=campaign.pk, title="Free coffee")
    assert Offer.objects.get(campaign=campaign).state == Offer.State.OPEN
