"""Each check that needs the database or the settings: what shows it, and what nearly does."""

from datetime import timedelta

import pytest

from campaigns.check_campaign import check_campaign
from campaigns.models import Campaign
from customers.segments import ensure_segments
from qrcodes.models import Offer
from tests.factories import CampaignFactory, CustomerFactory, OfferFactory, now

pytestmark = pytest.mark.django_db


def draft(**fields) -> Campaign:
    return OfferFactory(**{f"campaign__{name}": value for name, value in fields.items()}).campaign


def found(campaign: Campaign) -> dict[str, bool]:
    """Code → whether it blocks, without the remarks on how the messages are written."""
    written = {"preheader_missing", "sms_no_stop", "image_without_alt"}
    problems = check_campaign(Campaign.objects.get(pk=campaign.pk))
    return {p.code: p.blocking for p in problems if p.code not in written}


def test_a_good_campaign_has_no_problem() -> None:
    CustomerFactory()
    assert found(draft()) == {}


def test_no_audience_and_an_empty_one_block() -> None:
    CustomerFactory()
    assert found(draft(target_all=False)) == {"no_audience": True}
    campaign = draft(target_all=False)
    campaign.target_segments.set(ensure_segments(["nobody"]).values())
    assert found(campaign) == {"audience_empty": True}
    CustomerFactory(tags=["nobody"])
    assert found(campaign) == {}


def test_an_audience_that_nothing_reaches_blocks() -> None:
    CustomerFactory(email_subscribed=False, phone="")
    assert found(draft()) == {"nobody_reachable": True}


def test_a_channel_that_reaches_nobody_is_a_remark() -> None:
    CustomerFactory(phone="")
    assert found(draft()) == {"channel_reaches_nobody": False}
    assert found(draft(sms_content="")) == {}
    CustomerFactory()
    assert found(draft()) == {}


def test_an_audience_far_larger_than_any_before_is_a_remark(monkeypatch) -> None:
    monkeypatch.setattr("campaigns.check_audience.LARGE", 20)
    CustomerFactory.create_batch(20)
    for targeted in (1, 2, 2):
        CampaignFactory(
            status="completed", total_targeted=targeted, sent_at=now() - timedelta(days=9)
        )
    assert found(draft()) == {"audience_much_larger": False}
    CampaignFactory(status="completed", total_targeted=3, sent_at=now() - timedelta(days=9))
    assert found(draft()) == {}


def test_a_small_list_that_grows_is_nothing_to_wonder_about() -> None:
    CustomerFactory.create_batch(20)
    CampaignFactory.create_batch(
        3, status="completed", total_targeted=1, sent_at=now() - timedelta(days=9)
    )
    assert found(draft()) == {}


def test_the_first_campaigns_are_not_called_large(monkeypatch) -> None:
    monkeypatch.setattr("campaigns.check_audience.LARGE", 20)
    CustomerFactory.create_batch(20)
    CampaignFactory.create_batch(2, status="completed", sent_at=now() - timedelta(days=9))
    assert found(draft()) == {}


def test_the_same_audience_on_the_same_day_is_a_remark() -> None:
    CustomerFactory(tags=["vip"])
    vip = ensure_segments(["vip"]).values()

    def to_vip(**fields) -> Campaign:
        campaign = draft(target_all=False, **fields)
        campaign.target_segments.set(vip)
        return campaign

    sent = to_vip(status="completed", sent_at=now())
    assert found(to_vip()) == {"same_audience_today": False}
    assert found(draft()) == {}  # everybody is another audience
    excluding = to_vip()
    excluding.excluded_segments.set(ensure_segments(["other"]).values())
    assert found(excluding) == {}
    assert found(to_vip(scheduled_for=now() + timedelta(days=3))) == {}
    for columns in ({"sent_at": now() - timedelta(days=1, hours=1)}, {"status": "cancelled"}):
        Campaign.objects.filter(pk=sent.pk).update(**columns)
        assert found(to_vip()) == {}


def test_a_coupon_needs_an_offer_that_says_something() -> None:
    CustomerFactory()
    assert found(CampaignFactory()) == {"no_offer": True}
    campaign = draft()
    Offer.objects.update(title="  ")
    assert found(campaign) == {"offer_untitled": True}
    Campaign.objects.update(has_qr_code=False, sms_content="20% off")
    assert found(campaign) == {}


def test_an_offer_that_begins_after_its_codes_end_blocks() -> None:
    CustomerFactory()
    campaign = draft(qr_expiration_days=7)
    Offer.objects.update(starts_at=now() + timedelta(days=9))
    assert found(campaign) == {"offer_starts_too_late": True}
    Offer.objects.update(starts_at=now() + timedelta(days=6))
    assert found(campaign) == {}
    Offer.objects.update(starts_at=now() + timedelta(days=9))
    Campaign.objects.update(scheduled_for=now() + timedelta(days=5))
    assert found(campaign) == {}


def test_codes_that_end_before_the_last_text_leaves_are_a_remark(settings) -> None:
    settings.SMS_SENDING_HOURS = None
    CustomerFactory.create_batch(3)
    slow = {"send_rate_limit_sms": 1, "qr_expiration_days": 1}
    settings.PACING_WINDOW_SECONDS = 60 * 60 * 24  # one a day
    assert found(draft(**slow)) == {"codes_end_before_texts": False}
    assert found(draft(**slow | {"qr_expiration_days": 3})) == {}
    # Alone, the text makes the code when it leaves.
    assert found(draft(**slow, email_content="", subject="")) == {}


def test_an_unusable_sender_of_either_channel_blocks(settings) -> None:
    CustomerFactory()
    settings.DEFAULT_FROM_EMAIL = "nonsense"
    assert found(draft()) == {"sender_not_configured": True}
    assert found(draft(email_content="", subject="")) == {}
    settings.DEFAULT_FROM_EMAIL = "pizza@shop.example"
    settings.SMS_BACKEND = "twilio"
    for wanted in ("TWILIO_ACCOUNT_SID", "TWILIO_FROM_NUMBER"):
        (problem,) = [p for p in check_campaign(draft()) if p.code == "sender_not_configured"]
        assert wanted in problem.message
        settings.TWILIO_ACCOUNT_SID = settings.TWILIO_AUTH_TOKEN = "x"
    settings.TWILIO_FROM_NUMBER = "+4915112345678"
    assert found(draft()) == {}
    assert found(draft(sms_content="")) == {}


def test_links_to_this_machine_block_when_messages_really_leave(settings) -> None:
    CustomerFactory()
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:8000"
    assert found(draft()) == {}  # captured, so nobody follows them
    settings.EMAIL_BACKEND = "anymail.backends.sendgrid.EmailBackend"
    settings.ANYMAIL = {**settings.ANYMAIL, "SENDGRID_API_KEY": "x"}
    assert found(draft()) == {"address_not_public": True}
    assert found(draft(email_content="", subject="")) == {}
    # A stand-in of the provider on this machine sends nothing either.
    settings.ANYMAIL = {**settings.ANYMAIL, "SENDGRID_API_URL": "http://127.0.0.1:8025/v3/"}
    assert found(draft()) == {}
    settings.ANYMAIL = {**settings.ANYMAIL, "SENDGRID_API_URL": "https://api.sendgrid.com/v3/"}
    settings.PUBLIC_BASE_URL = "https://coupons.shop.example"
    assert found(draft()) == {}
