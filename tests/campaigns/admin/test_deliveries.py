from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.moments import readable_moment
from customers.erase_customer import erase_customer
from tests.campaigns.admin.forms import said
from tests.factories import CampaignFactory, CustomerFactory, DeliveryFactory, now

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


def test_it_filters_by_what_the_provider_reported(marketing) -> None:
    rows = {
        name: DeliveryFactory(status="sent", sent_at=now(), **{f"{name}_at": now()})
        for name in ("delivered", "bounced", "opened", "clicked")
    }
    for name, row in rows.items():
        assert shown(marketing, reported=name) == {row.pk}
    assert shown(marketing, reported="nonsense") == {row.pk for row in rows.values()}


def test_a_reason_is_also_why_a_message_came_back(marketing) -> None:
    back = DeliveryFactory(status="sent", bounced_at=now(), bounce_code="invalid_address")
    failed = DeliveryFactory(status="failed", code="invalid_address")
    assert shown(marketing, code="invalid_address") == {back.pk, failed.pk}
    assert shown(marketing, code="invalid_address", reported="bounced") == {back.pk}


def test_it_finds_people_by_name_whole_email_and_whole_phone(marketing) -> None:
    mia = CustomerFactory(
        first_name="Mia", last_name="Berg", email="mia@example.com", phone="+4915112345678"
    )
    hers = DeliveryFactory(customer=mia)
    DeliveryFactory()
    for text in ("mia berg", "Mia@Example.com", "0151 12345678", " berg "):
        assert shown(marketing, q=text) == {hers.pk}, text
    for text in ("mia@", "nobody", "+49151123"):
        assert shown(marketing, q=text) == set(), text


def test_it_says_that_a_name_is_of_too_many_people(marketing) -> None:
    for customer in CustomerFactory.create_batch(11, last_name="Berg"):
        DeliveryFactory(customer=customer)
    assert len(shown(marketing, q="berg")) == 10
    assert said(marketing.get(LIST, {"q": "berg"})) == [
        "Only the first 10 customers of this name: type more of it."
    ]


def test_it_says_what_happened_with_the_time_of_the_next_try(marketing) -> None:
    later = now() + timedelta(minutes=4)
    DeliveryFactory(code="provider_error", attempts=1, not_before=later)
    DeliveryFactory(campaign__status="paused", campaign__status_reason="Paused by mia.")
    html = marketing.get(LIST).content.decode()
    assert f"is tried again {readable_moment(later, now=now())}, as try 2 of 4." in html
    assert "Waits: Paused by mia." in html


def test_the_page_of_one_says_what_happened_and_shows_no_address(marketing) -> None:
    row = DeliveryFactory(
        status="sent", sent_at=now(), bounced_at=now(), bounce_code="invalid_address"
    )
    html = marketing.get(f"{LIST}{row.pk}/change/").content.decode()
    assert "It came back at" in html
    assert "The provider says that this address is not valid." in html
    assert f"/admin/campaigns/campaign/{row.campaign_id}/change/" in html
    assert row.customer.email not in html


def test_the_page_of_an_erased_persons_message_opens(marketing) -> None:
    row = DeliveryFactory(status="sent", sent_at=now())
    erase_customer(customer_id=row.customer_id, source="test")
    assert "(erased)" in marketing.get(f"{LIST}{row.pk}/change/").content.decode()


def test_without_a_campaign_a_filter_reads_the_newest_and_says_so(marketing, monkeypatch) -> None:
    old, middle, new = (
        DeliveryFactory(status=status, campaign__status="completed")
        for status in ("sent", "unconfirmed", "sent")
    )
    monkeypatch.setattr("campaigns.admin.delivery.NEWEST", 1)
    assert shown(marketing) == {old.pk, middle.pk, new.pk}
    assert shown(marketing, status__exact="sent") == {new.pk}
    assert shown(marketing, status__exact="unconfirmed") == {middle.pk}
    assert shown(marketing, status__exact="sent", campaign=old.campaign_id) == {old.pk}
    assert shown(marketing, status__exact="sent", q=str(old.customer)) == {old.pk}
    note = "Among the newest million messages."
    assert note in marketing.get(LIST, {"status__exact": "sent"}).content.decode()
    monkeypatch.undo()
    assert note not in marketing.get(LIST, {"status__exact": "sent"}).content.decode()


def test_the_rows_of_a_campaign_are_read_as_its_index_goes(marketing) -> None:
    campaign = CampaignFactory(status="sending")
    DeliveryFactory(campaign=campaign)
    with CaptureQueriesContext(connection) as queries:
        marketing.get(LIST, {"campaign": campaign.pk})
    (listed,) = [
        q["sql"] for q in queries if "customers_customer" in q["sql"] and "LIMIT" in q["sql"]
    ]
    order = listed.partition("ORDER BY")[2].partition("LIMIT")[0]
    columns = ("campaign_id", "customer_id", "channel", "step")
    assert order.strip() == ", ".join(f'"campaigns_delivery"."{c}" DESC' for c in columns)


def test_nothing_is_counted(marketing) -> None:
    DeliveryFactory()
    with CaptureQueriesContext(connection) as queries:
        html = marketing.get(
            LIST, {"status__exact": "pending", "q": "ada", "_facets": "True"}
        ).content.decode()
    assert "Show counts" not in html
    listed = [q["sql"] for q in queries if 'FROM "campaigns_delivery"' in q["sql"]]
    assert listed
    assert [sql for sql in listed if "COUNT(" in sql and "GROUP BY" not in sql] == []


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
