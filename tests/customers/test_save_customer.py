import pytest

from customers.consent import record_consent
from customers.models import ConsentEvent, Customer
from customers.save_customer import save_customer
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


def customer_after(*actions: str) -> Customer:
    customer = CustomerFactory(email_subscribed=False)
    for action in actions:
        record_consent(customer_ids=[customer.pk], channel="email", action=action, source="test")
    customer.refresh_from_db()
    return customer


def correct(customer: Customer, **options: object) -> Customer:
    save_customer(
        customer=customer, changes={"email": "right@example.com"}, source="admin", **options
    )
    customer.refresh_from_db()
    return customer


def test_a_corrected_address_takes_messages_again_as_before_it_bounced() -> None:
    customer = correct(customer_after("opt_in", "bounce"))
    assert customer.email_subscribed
    last = ConsentEvent.objects.first()
    assert (last.action, last.source) == ("opt_in", "admin")


@pytest.mark.parametrize(
    "actions", [("bounce",), ("opt_out", "bounce"), ("opt_in", "opt_out"), ("complaint", "bounce")]
)
def test_a_corrected_address_subscribes_nobody_who_had_not_agreed(actions: tuple[str, ...]) -> None:
    assert not correct(customer_after(*actions)).email_subscribed


def test_what_the_person_at_the_form_says_decides() -> None:
    customer = correct(customer_after("opt_in", "bounce"), consent={"email": False})
    assert not customer.email_subscribed


def test_another_change_leaves_a_bounce_alone() -> None:
    customer = customer_after("opt_in", "bounce")
    save_customer(customer=customer, changes={"first_name": "Julia"}, source="admin")
    customer.refresh_from_db()
    assert not customer.email_subscribed
