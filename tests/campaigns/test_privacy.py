"""What messages hold about a person is exported and erased with them (C-8)."""

import pytest

from campaigns.channels.capture import captured_names
from campaigns.models import Delivery, TestSend
from campaigns.send_test import send_test
from config.clock import database_now
from customers.erase_customer import erase_customer
from customers.export_person import export_person
from tests.factories import CampaignFactory, CustomerFactory, DeliveryFactory, OfferFactory

pytestmark = pytest.mark.django_db

NAME = "17640000000000000000-email-0123456789abcdef"


@pytest.fixture
def folder(settings, tmp_path):
    settings.CAPTURE_DIR = tmp_path
    return tmp_path


def test_a_person_gets_to_see_their_messages() -> None:
    anna = CustomerFactory()
    campaign = CampaignFactory(name="Pizza week")
    delivery = DeliveryFactory(
        campaign=campaign, customer=anna, status="sent", sent_at=database_now(), provider_id="SM1"
    )
    DeliveryFactory(campaign=campaign)
    (message,) = export_person(customer_id=anna.pk)["messages"]
    assert (message["campaign"], message["channel"]) == ("Pizza week", "email")
    assert (message["status"], message["provider_id"]) == ("sent", "SM1")
    assert message["sent_at"] == delivery.sent_at.isoformat()
    assert message["opened_at"] is None


def test_every_column_of_a_delivery_is_exported_or_internal() -> None:
    delivery = DeliveryFactory()
    (message,) = export_person(customer_id=delivery.customer_id)["messages"]
    internal = {"id", "customer", "step", "attempts", "not_before", "lease_token", "lease_until"}
    internal |= {"call_started_at", "confirmed_at"}
    renamed = {"code": "reason", "matched_segments": "segments", "bounce_code": "bounce_reason"}
    for field in Delivery._meta.concrete_fields:
        assert field.name in internal or renamed.get(field.name, field.name) in message


def test_erasing_cuts_what_leads_back_and_keeps_the_figures(
    folder, django_capture_on_commit_callbacks
) -> None:
    anna, bert = CustomerFactory(), CustomerFactory()
    campaign = CampaignFactory()
    for customer, name in ((anna, NAME), (bert, NAME.replace("email", "sms"))):
        (folder / f"{name}.sealed").write_bytes(b"k1.x")
        DeliveryFactory(campaign=campaign, customer=customer, status="sent", provider_id=name)
    with django_capture_on_commit_callbacks(execute=True):
        erase_customer(customer_id=anna.pk, source="test")
    assert captured_names() == [NAME.replace("email", "sms")]
    assert Delivery.objects.filter(status="sent").count() == 2
    assert Delivery.objects.get(customer=anna).provider_id == ""
    assert Delivery.objects.get(customer=bert).provider_id


def test_the_captured_copy_stays_when_erasing_fails(
    folder, monkeypatch, django_capture_on_commit_callbacks
) -> None:
    anna = CustomerFactory()
    (folder / f"{NAME}.sealed").write_bytes(b"k1.x")
    DeliveryFactory(customer=anna, status="sent", provider_id=NAME)
    monkeypatch.setattr("customers.erase_customer.ContentType", None)
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(AttributeError):
        erase_customer(customer_id=anna.pk, source="test")
    assert captured_names() == [NAME]


def test_tests_to_a_person_and_tests_that_show_them_are_told_and_forgotten() -> None:
    anna, bert = CustomerFactory(email="anna@example.com"), CustomerFactory()
    campaign = OfferFactory(campaign__name="Pizza week").campaign
    send_test(campaign=campaign, addresses=["anna@example.com"], customer=bert)
    send_test(campaign=campaign, addresses=["staff@example.com"], customer=anna)
    send_test(campaign=campaign, addresses=["staff@example.com"], customer=bert)
    told = export_person(customer_id=anna.pk)["test_messages"]
    assert [(t["to_them"], t["filled_in_as_them"]) for t in told] == [(True, False), (False, True)]
    assert "staff" not in str(told)
    erase_customer(customer_id=anna.pk, source="test")
    (left,) = TestSend.objects.all()
    assert left.customer == bert


def test_a_test_whose_key_is_gone_is_nobodys(settings) -> None:
    anna, bert = CustomerFactory(email="", phone="+4915123456789"), CustomerFactory()
    send_test(campaign=OfferFactory().campaign, addresses=["x@example.com"], customer=bert)
    TestSend.objects.update(address_encrypted="lost.AAAA")
    assert export_person(customer_id=anna.pk)["test_messages"] == []
    erase_customer(customer_id=anna.pk, source="test")
    assert TestSend.objects.exists()
