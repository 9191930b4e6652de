"""Why did this person not get it? The page of a campaign, and a customer's own page."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign
from tests.campaigns.admin.test_rights import given
from tests.factories import CampaignFactory, CustomerFactory, DeliveryFactory, now


@pytest.fixture
def campaign(db) -> Campaign:
    return CampaignFactory(status="completed", sent_at=now())


def page(campaign: Campaign) -> str:
    return f"/admin/campaigns/campaign/{campaign.pk}/who/"


def test_it_finds_a_person_by_their_address_and_answers(marketing, campaign) -> None:
    mia = CustomerFactory(first_name="Mia", last_name="Berg", email="mia@example.com")
    DeliveryFactory(campaign=campaign, customer=mia, status="failed", code="invalid_address")
    html = marketing.post(page(campaign), {"q": "Mia@Example.com"}).content.decode()
    assert "Mia Berg" in html
    assert "The provider says that this address is not valid." in html


def test_it_offers_all_of_a_name(marketing, campaign) -> None:
    people = CustomerFactory.create_batch(2, last_name="Berg")
    html = marketing.post(page(campaign), {"q": "Berg"}).content.decode()
    for person in people:
        assert f"?customer={person.pk}" in html
    html = marketing.get(page(campaign), {"customer": people[0].pk}).content.decode()
    assert "Came to the list" in html
    CustomerFactory.create_batch(9, last_name="Berg")
    assert "There may be more" in marketing.post(page(campaign), {"q": "Berg"}).content.decode()


def test_it_says_that_nobody_was_found(marketing, campaign) -> None:
    html = marketing.post(page(campaign), {"q": "mia@"}).content.decode()
    assert "Nobody found." in html


@pytest.mark.parametrize("customer", ["x", "9" * 30, "-1", "٣", "99999"])
def test_a_person_that_cannot_be_is_nobody(marketing, campaign, customer) -> None:
    response = marketing.get(page(campaign), {"customer": customer})
    assert response.status_code == 200
    assert response.context["answers"] == []


def test_an_address_is_not_taken_from_the_address_bar(marketing, campaign) -> None:
    CustomerFactory(email="mia@example.com")
    response = marketing.get(page(campaign), {"q": "mia@example.com"})
    assert response.context["customer"] is None


def test_it_needs_the_right_to_see_deliveries_and_customers(analyst, till, campaign) -> None:
    for client in (
        analyst,
        till,
        given("campaigns.view_campaign", "customers.view_customer"),
        given("campaigns.view_campaign", "campaigns.view_delivery"),
    ):
        assert client.get(page(campaign)).status_code == 403
        assert client.post(page(campaign), {"q": "x"}).status_code == 403
    html = analyst.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").content.decode()
    assert "Who got it?" not in html


def test_the_page_of_a_campaign_leads_there_once_it_was_sent(marketing, campaign) -> None:
    address = f"/admin/campaigns/campaign/{campaign.pk}/change/"
    assert page(campaign) in marketing.get(address).content.decode()
    Campaign.objects.update(status="draft")
    assert page(campaign) not in marketing.get(address).content.decode()


def test_a_customers_page_lists_their_last_campaigns_with_the_answer(marketing, campaign) -> None:
    mia = CustomerFactory()
    DeliveryFactory(campaign=campaign, customer=mia, status="skipped", code="unsubscribed")
    address = f"/admin/customers/customer/{mia.pk}/change/"
    html = marketing.get(address).content.decode()
    assert campaign.name in html
    assert "Nothing was sent. Unsubscribed, or never agreed" in html
    reader = given("customers.view_customer")
    assert "Nothing was sent." not in reader.get(address).content.decode()


def test_a_customers_page_needs_as_many_queries_for_ten_campaigns_as_for_one(
    marketing, campaign
) -> None:
    mia = CustomerFactory()
    DeliveryFactory(campaign=campaign, customer=mia, status="sent", sent_at=now())
    address = f"/admin/customers/customer/{mia.pk}/change/"
    marketing.get(address)
    with CaptureQueriesContext(connection) as few:
        marketing.get(address)
    for _ in range(12):
        other = CampaignFactory(status="completed", sent_at=now())
        DeliveryFactory(campaign=other, customer=mia, status="sent", sent_at=now())
    with CaptureQueriesContext(connection) as many:
        assert len(marketing.get(address).context["explanations"]) == 10
    assert len(many) == len(few)
