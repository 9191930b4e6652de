from datetime import UTC, datetime
from decimal import Decimal

import pytest

from campaigns.content import placeholders
from campaigns.content.placeholders import (
    MAX_ITEMS,
    MAX_LETTERS,
    MAX_TEXT,
    NAMES,
    PLACEHOLDERS,
    SAMPLE_TOKEN,
    build_context,
    readable_date,
    sample_context,
)
from campaigns.models import Campaign
from customers.encryption import DecryptionError
from customers.models import Customer
from qrcodes.codes import parse_code
from qrcodes.issue_codes import IssuedCode
from qrcodes.models import Offer, QRCode

TOKEN = "7-42-" + "ab" * 16
PLAIN = (str, int, float, bool)


def make_customer(**fields) -> Customer:
    customer = Customer(first_name="Ada", last_name="Lovelace", language="en", **fields)
    customer.set_email("ada@example.com")
    customer.set_phone("+491510000000")
    return customer


def make_context(**changes):
    arguments = {
        "customer": make_customer(),
        "segments": ["regulars", "vip"],
        "campaign": Campaign(name="Pizza week", subject="Hello"),
        "offer": Offer(
            title="20% off",
            value="20%",
            terms="Once.",
            minimum_amount=Decimal("12.5"),
            starts_at=datetime(2026, 12, 1, 9, 30, tzinfo=UTC),
        ),
        "code": IssuedCode(
            QRCode(token=TOKEN, expires_at=datetime(2026, 12, 21, 22, 59, 59, tzinfo=UTC)),
            b"png",
            "cG5n",
        ),
        "unsubscribe_url": "https://coupons.example.com/u/1",
        "preferences_url": "https://coupons.example.com/u/2",
    }
    return build_context(**{**arguments, **changes})


def leaves(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def test_it_gives_every_placeholder_its_value():
    context = make_context()
    assert context["customer"] == {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "full_name": "Ada Lovelace",
        "email": "ada@example.com",
        "phone": "+491510000000",
        "language": "en",
        "segments": "regulars, vip",
        "segment_list": ["regulars", "vip"],
        "attributes": {},
    }
    assert context["offer"] == {
        "title": "20% off",
        "value": "20%",
        "terms": "Once.",
        "minimum_amount": "12.50 EUR",
        "starts_at": "1 December 2026, 10:30",
    }
    assert context["campaign"] == {"name": "Pizza week", "subject": "Hello"}
    assert context["business"] == {
        "name": "Pizzeria Vesuvio",
        "address": "1 Harbour Street, Hamburg",
        "email": "hello@pizzeria.example",
    }
    assert context["qr_code_base64"] == "cG5n"
    assert context["qr_code_url"] == context["coupon_url"] + ".png"
    assert context["coupon_url"].startswith("https://coupons.example.com/c/")
    assert parse_code(context["short_code"]).short_code == parse_code(TOKEN).short_code
    assert context["short_code"][5] == "-"
    assert context["expires_at"] == "21 December 2026"
    assert context["unsubscribe_url"].endswith("/u/1")
    assert context["preferences_url"].endswith("/u/2")


def test_without_code_and_offer_their_placeholders_are_empty():
    context = make_context(code=None, offer=None)
    coupon = ("qr_code_base64", "qr_code_url", "coupon_url", "short_code", "expires_at")
    assert [context[name] for name in coupon] == [""] * 5
    assert set(context["offer"].values()) == {""}


@pytest.mark.parametrize("context", [make_context(), sample_context(), sample_context(blank=True)])
def test_it_holds_plain_values_only(context):
    """No model object, no date, no Decimal: nothing with methods worth calling."""
    assert all(type(value) in PLAIN for value in leaves(context))


def test_the_table_and_the_context_name_the_same_things():
    context = sample_context()
    names = set()
    for group, value in context.items():
        names |= {f"{group}.{name}" for name in value} if isinstance(value, dict) else {group}
    assert names == {name.removesuffix(".*") for name in NAMES}
    assert len(NAMES) == len(PLACEHOLDERS)


def test_every_placeholder_has_a_description_and_a_sample():
    without = [each.name for each in PLACEHOLDERS if not each.description or not each.sample]
    assert without == ["offer.starts_at"]


def test_a_sample_code_is_nobodys():
    context = sample_context()
    assert parse_code(context["short_code"]).short_code == parse_code(SAMPLE_TOKEN).short_code
    assert parse_code(SAMPLE_TOKEN).campaign_id == 0


def test_it_decrypts_an_address_only_where_one_is_shown(monkeypatch):
    def refuse(*args, **kwargs):
        raise DecryptionError("no key")

    customer = make_customer()
    monkeypatch.setattr("customers.models.decrypt", refuse)
    context = make_context(customer=customer, needed={"customer.first_name"})
    assert context["customer"] == {"first_name": "Ada"}
    with pytest.raises(DecryptionError):
        make_context(customer=customer, needed={"customer.phone"})


def test_attributes_are_copied():
    customer = make_customer(attributes={"orders": [{"pizza": "Diavola"}], "nothing": None})
    attributes = make_context(customer=customer)["customer"]["attributes"]
    assert attributes == {"orders": [{"pizza": "Diavola"}]}
    attributes["orders"][0]["pizza"] = "changed"
    assert customer.attributes["orders"][0]["pizza"] == "Diavola"


def test_attributes_are_bounded():
    deep: dict = {}
    inner = deep
    for _ in range(50):
        inner["x"] = inner = {}
    customer = make_customer(
        attributes={
            "number": 10**400,
            "text": "x" * 10_000,
            "list": list(range(1_000)),
            "deep": deep,
            "texts": ["y" * 5_000] * 90,
        }
    )
    attributes = make_context(customer=customer)["customer"]["attributes"]
    assert attributes["number"] == "1" + "0" * 400
    assert len(attributes["text"]) == MAX_TEXT
    assert attributes["list"] == list(range(MAX_ITEMS))
    assert str(attributes["deep"]).count("{") < 10
    texts = [value for value in leaves(attributes) if isinstance(value, str)]
    assert sum(map(len, texts)) <= MAX_LETTERS


def test_it_bounds_the_number_of_attributes():
    customer = make_customer(attributes={f"a{n}": [1] * 90 for n in range(500)})
    attributes = make_context(customer=customer)["customer"]["attributes"]
    assert len(list(leaves(attributes))) <= placeholders.MAX_VALUES


@pytest.mark.parametrize("attributes", [None, [], "text", 7])
def test_attributes_that_are_no_object_are_none(attributes):
    customer = make_customer(attributes=attributes)
    assert make_context(customer=customer)["customer"]["attributes"] == {}


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 11, 30, 22, 59, 59, 999999, tzinfo=UTC), "30 November 2026"),
        (datetime(2026, 11, 30, 23, 0, tzinfo=UTC), "1 December 2026"),
        (datetime(2026, 7, 1, 22, 0, tzinfo=UTC), "2 July 2026"),
        (datetime(2026, 12, 1, 16, 5, tzinfo=UTC), "1 December 2026, 17:05"),
        (None, ""),
    ],
)
def test_dates_are_in_the_zone_of_the_business(moment, written):
    assert readable_date(moment) == written
