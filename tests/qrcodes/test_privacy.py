"""What coupons hold about a person is exported and erased with them (C-8)."""

import json
from decimal import Decimal

import pytest

from customers.erase_customer import erase_customer
from customers.export_person import export_person
from qrcodes.models import QRCode, Redemption
from tests.factories import LocationFactory, OfferFactory, QRCodeFactory, RedemptionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def code() -> QRCode:
    return QRCodeFactory(offer=OfferFactory(title="20% off pizza"))


def test_a_person_gets_to_see_their_coupons(code) -> None:
    shop = LocationFactory(name="Harbour")
    RedemptionFactory(
        qr_code=code, location=shop, amount=Decimal("23.50"), note="came with her dog"
    )
    QRCodeFactory(offer=code.offer)
    (coupon,) = export_person(customer_id=code.customer_id)["coupons"]
    assert coupon["offer"] == "20% off pizza"
    assert [scan["accepted"] for scan in coupon["scans"]] == [True]
    (use,) = coupon["uses"]
    assert (use["location"], use["bill"], use["discount"]) == ("Harbour", "23.50", None)
    assert use["note"] == "came with her dog"


def test_nobody_can_redeem_with_the_export(code) -> None:
    exported = json.dumps(export_person(customer_id=code.customer_id))
    assert code.token not in exported
    assert code.short_code_hash not in exported


def test_the_number_of_queries_does_not_grow_with_coupons(
    code, django_assert_max_num_queries
) -> None:
    for _ in range(5):
        RedemptionFactory(qr_code=QRCodeFactory(customer=code.customer), location=LocationFactory())
    with django_assert_max_num_queries(14):
        assert len(export_person(customer_id=code.customer_id)["coupons"]) == 6


def test_erasing_removes_notes_and_keeps_visits(code) -> None:
    RedemptionFactory(qr_code=code, note="came with her dog")
    other = RedemptionFactory(note="asked for the menu")
    code.usage_count = 0
    code.save()
    RedemptionFactory(
        qr_code=code, note="x", undone_at=code.created_at, undo_reason="Anna came back"
    )
    erase_customer(customer_id=code.customer_id, source="test")
    kept = Redemption.history.filter(qr_code=code)
    assert [(use.note, use.undo_reason) for use in kept] == [("", "(erased)"), ("", "")]
    other.refresh_from_db()
    assert other.note == "asked for the menu"
    assert QRCode.objects.get(pk=code.pk).usage_count == 1
