import pytest

from campaigns.codes_out import codes_out
from tests.factories import CampaignFactory, CustomerFactory, DeliveryFactory, QRCodeFactory

pytestmark = pytest.mark.django_db


def test_a_code_is_out_once_a_message_with_it_may_have_left() -> None:
    campaign = CampaignFactory()
    for status in ("sent", "unconfirmed", "pending", "failed"):
        DeliveryFactory(campaign=campaign, status=status)
    both = CustomerFactory()
    for channel in ("email", "sms"):
        DeliveryFactory(campaign=campaign, customer=both, channel=channel, status="sent")
    QRCodeFactory()
    assert codes_out(campaign) == 3


def test_a_campaign_without_codes_has_none_out() -> None:
    campaign = CampaignFactory(has_qr_code=False)
    DeliveryFactory(campaign=campaign, status="sent")
    assert codes_out(campaign) == 0
