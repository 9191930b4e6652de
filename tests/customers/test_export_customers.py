import csv
import gc
import io
import tracemalloc

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.consent import record_consent
from customers.erase_customer import erase_customer
from customers.export_customers import export_customers
from customers.models import Customer, CustomerTag
from tests.customers.lists import counts, imported
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


def exported(customers=None) -> str:
    chosen = Customer.objects.all() if customers is None else customers
    return "".join(export_customers(customers=chosen))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_it_writes_every_field() -> None:
    anna = CustomerFactory(
        external_id="T1",
        email="anna@example.com",
        phone="+4915123456789",
        first_name="Änne",
        last_name="Meier",
        language="de",
        time_zone="Europe/Berlin",
        attributes={"pizza": "Funghi", "visits": 3},
        tags=["vip", "new"],
    )
    record_consent(customer_ids=[anna.pk], channel="sms", action="opt_out", source="x")
    assert rows(exported()) == [
        {
            "external_id": "T1",
            "first_name": "Änne",
            "last_name": "Meier",
            "email": "anna@example.com",
            "phone": "'+4915123456789",
            "language": "de",
            "time_zone": "Europe/Berlin",
            "tags": "new,vip",
            "email_consent": "yes",
            "sms_consent": "no",
            "attributes.pizza": "Funghi",
            "attributes.visits": "3",
        }
    ]


def test_it_neutralises_what_a_spreadsheet_would_run() -> None:
    CustomerFactory(first_name='=HYPERLINK("http://x")', last_name="@SUM(A1)", external_id="-1")
    row = rows(exported())[0]
    assert row["first_name"] == '\'=HYPERLINK("http://x")'
    assert row["last_name"] == "'@SUM(A1)"
    assert row["external_id"] == "'-1"


def test_it_exports_those_chosen_once_each_and_nobody_erased() -> None:
    anna = CustomerFactory(tags=["a", "b"])
    CustomerFactory()
    erase_customer(customer_id=CustomerFactory(tags=["a"]).pk, source="x")
    joined = Customer.objects.filter(tags__name__in=["a", "b"]).order_by("last_name")
    assert [row["email"] for row in rows(exported(joined))] == [anna.email]
    assert len(rows(exported())) == 2


def test_importing_an_export_changes_nothing() -> None:
    for number, action in enumerate(["opt_in", "opt_out", "bounce", "complaint", ""]):
        customer = CustomerFactory(
            email_subscribed=False,
            sms_subscribed=False,
            first_name=["=1+1", "'quoted", "'=both", "a,b;c", 'line\nbreak "x"'][number],
            attributes={"pizza": "'+1", "more": {"deep": [1, "x"]}, "yes": True, "none": None},
            external_id=["+1", "'4711", "T3", None, "-"][number],
            phone="" if number == 3 else f"+4915100000{number:03d}",
            tags=["vip", f"t{number}"],
        )
        for channel in ("email", "sms"):
            if action:
                record_consent(
                    customer_ids=[customer.pk], channel=channel, action=action, source="x"
                )
    assert counts(imported(exported())) == (0, 0, 5, 0)


TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    | st.sampled_from("'=+-@ \t\r\n1,;\""),
    max_size=12,
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first_name=TEXT, last_name=TEXT, pizza=TEXT)
def test_whatever_a_name_is_an_export_is_read_back_as_unchanged(
    first_name: str, last_name: str, pizza: str
) -> None:
    with transaction.atomic():
        CustomerFactory(
            first_name=first_name, last_name=last_name, attributes={"pizza": pizza}, tags=["vip"]
        )
        assert counts(imported(exported())) == (0, 0, 1, 0)
        transaction.set_rollback(True)


def test_a_list_becomes_customers_and_the_same_list_again() -> None:
    """From one installation to another: everything that an export says arrives."""
    CustomerFactory(external_id="T1", attributes={"pizza": "Funghi"}, tags=["vip"])
    CustomerFactory(phone="", email_subscribed=False, sms_subscribed=False)
    before = exported()
    CustomerTag.objects.all().delete()
    Customer.objects.all().delete()
    imported(before)
    assert exported() == before


def test_its_queries_grow_with_thousands_not_with_rows(django_assert_num_queries) -> None:
    for number in (1, 20):
        CustomerFactory.create_batch(number, tags=["vip"])
        with django_assert_num_queries(4):
            exported()


def test_memory_does_not_grow_with_customers(monkeypatch) -> None:
    monkeypatch.setattr("customers.export_customers.CHUNK", 20)

    def peak() -> int:
        tracemalloc.start()
        for number, _ in enumerate(export_customers(customers=Customer.objects.all())):
            if number % 20 == 0:
                gc.collect()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    CustomerFactory.create_batch(200)
    peak()  # fills caches
    few = peak()
    Customer.objects.bulk_create(CustomerFactory.build_batch(1_000))
    assert peak() < few * 1.5
