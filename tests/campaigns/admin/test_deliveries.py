import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import CampaignFactory, DeliveryFactory

LIST = "/admin/campaigns/delivery/"


def shown(client, **query) -> set[int]:
    response = client.get(LIST, query)
    assert response.status_code == 200
    return {delivery.pk for delivery in response.context["cl"].result_list}


def test_it_filters_by_campaign_channel_state_and_reason(marketing) -> None:
    campaign = CampaignFactory(status="sending")
    failed = DeliveryFactory(campaign=campaign, status="failed", code="invalid_address")
    text = DeliveryFactory(campaign=campaign, status="skipped", code="no_address", channel="sms")
    other = DeliveryFactory(status="sent")
    assert shown(marketing) == {failed.pk, text.pk, other.pk}
    assert shown(marketing, campaign=campaign.pk) == {failed.pk, text.pk}
    assert shown(marketing, channel__exact="sms") == {text.pk}
    assert shown(marketing, status__exact="sent") == {other.pk}
    assert shown(marketing, code="invalid_address") == {failed.pk}


@pytest.mark.parametrize("campaign", ["x", "9" * 30, "-1", "٣"])
def test_a_campaign_that_cannot_be_filters_nothing(marketing, campaign) -> None:
    delivery = DeliveryFactory()
    assert shown(marketing, campaign=campaign) == {delivery.pk}


def test_it_shows_the_customers_name_and_the_reason_and_no_address(marketing) -> None:
    delivery = DeliveryFactory(status="failed", code="invalid_address")
    html = marketing.get(LIST).content.decode()
    assert str(delivery.customer) in html
    assert "The provider says that this address is not valid." in html
    assert delivery.customer.email not in html
    assert delivery.customer.phone not in html


def test_the_number_of_queries_does_not_grow_with_rows(marketing) -> None:
    DeliveryFactory()
    marketing.get(LIST)
    with CaptureQueriesContext(connection) as few:
        marketing.get(LIST)
    DeliveryFactory.create_batch(9)
    with CaptureQueriesContext(connection) as many:
        marketing.get(LIST)
    assert len(many) == len(few)
