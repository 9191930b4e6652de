import pytest
from django.db import IntegrityError, transaction

from customers.consent import record_consent
from customers.models import ConsentEvent, Customer
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


def record(customer: Customer, action: str, channel: str = "email", source: str = "test") -> int:
    changed = record_consent(
        customer_ids=[customer.pk], channel=channel, action=action, source=source
    )
    customer.refresh_from_db()
    return changed


def test_it_writes_the_event_and_the_flag_together() -> None:
    customer = CustomerFactory()
    assert record(customer, "opt_out", source="unsubscribe page") == 1
    event = ConsentEvent.objects.get()
    assert (event.customer_id, event.channel, event.action) == (customer.pk, "email", "opt_out")
    assert event.source == customer.email_consent_source == "unsubscribe page"
    assert customer.email_consent_at == event.at
    assert not customer.email_subscribed
    assert customer.sms_subscribed


def test_saying_the_same_again_changes_nothing() -> None:
    customer = CustomerFactory()
    record(customer, "opt_in")
    first = customer.email_consent_at
    assert record(customer, "opt_in") == 0
    assert customer.email_consent_at == first
    assert ConsentEvent.objects.count() == 1


@pytest.mark.parametrize("action", ["opt_out", "bounce", "complaint", "erased"])
def test_everything_but_an_opt_in_ends_a_subscription(action: str) -> None:
    customer = CustomerFactory()
    record(customer, action)
    assert not customer.email_subscribed
    assert not customer.takes("email")
    record(customer, "opt_in")
    assert customer.takes("email")
    assert ConsentEvent.objects.count() == 2


def test_it_records_for_many_at_once_those_who_change() -> None:
    customers = CustomerFactory.create_batch(3)
    record(customers[0], "opt_out")
    ids = [customer.pk for customer in customers]
    assert record_consent(customer_ids=ids, channel="email", action="opt_out", source="x") == 2
    assert ConsentEvent.objects.filter(source="x").count() == 2


def test_an_address_and_its_index_are_there_together_or_not_at_all() -> None:
    customer = CustomerFactory()
    for broken in ({"email_index": None}, {"email_encrypted": ""}, {"phone_index": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Customer.objects.filter(pk=customer.pk).update(**broken)


def test_a_customer_has_an_email_or_a_phone() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CustomerFactory(email="", phone="")


def test_an_address_is_one_customers_only() -> None:
    customer = CustomerFactory()
    for taken in ({"email": customer.email}, {"phone": customer.phone}):
        with pytest.raises(IntegrityError), transaction.atomic():
            CustomerFactory(**taken)


def test_its_name_never_shows_an_address() -> None:
    assert str(CustomerFactory(first_name="Anna", last_name="Meier")) == "Anna Meier"
    nameless = CustomerFactory(first_name="", last_name="")
    assert str(nameless) == f"Customer {nameless.pk}"
