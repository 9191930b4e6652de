import pytest

from customers.find_customers import MOST_FOUND, find_customers
from tests.factories import CustomerFactory, now

pytestmark = pytest.mark.django_db


def test_it_finds_by_full_email_full_phone_or_name() -> None:
    grace = CustomerFactory(
        first_name="Grace", last_name="Hopper", email="grace@example.com", phone="+4915112345678"
    )
    CustomerFactory(first_name="Ada", last_name="Lovelace")
    for text in ("Grace@Example.com", "0151 12345678", "+49 151 12345678", "grace", "hop gra"):
        assert find_customers(text=text) == [grace], text


@pytest.mark.parametrize("text", ["", "  ", "grace@exam", "+4915", "nobody", "%", "🍕"])
def test_a_part_of_an_address_finds_nobody(text) -> None:
    CustomerFactory(first_name="Grace", email="grace@example.com", phone="+4915112345678")
    assert find_customers(text=text) == []


def test_it_finds_no_one_who_was_erased_and_never_too_many() -> None:
    CustomerFactory(first_name="Gone", erased_at=now())
    CustomerFactory.create_batch(MOST_FOUND + 1, first_name="Ada")
    assert find_customers(text="gone") == []
    assert len(find_customers(text="ada")) == MOST_FOUND
