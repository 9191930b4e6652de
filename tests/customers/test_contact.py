import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import DomainError
from customers.contact import holds_address, normalise_email, normalise_phone, refuse_address


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("  Anna.Meier@Example.COM ", "anna.meier@example.com"),
        ("<anna@example.com>", "anna@example.com"),
        ("mailto:anna@example.com", "anna@example.com"),
        ("\u200banna@example.com\ufeff", "anna@example.com"),
        ("jörg@müller.example".replace("jörg", "joerg"), "joerg@xn--mller-kva.example"),
        ("info@STRASSE.example", "info@strasse.example"),
        ("a+tag@example.co.uk", "a+tag@example.co.uk"),
    ],
)
def test_it_normalises_an_email(raw: str, normal: str) -> None:
    assert normalise_email(raw) == normal
    assert normalise_email(normal) == normal


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "anna",
        "@example.com",
        "anna@",
        "a b@example.com",
        "jörg@example.com",
        "a@b",
        "x" * 260,
        "anna@exa mple.com",
        "anna@example..com",
        "a@b.c, d@e.f",
    ],
)
def test_it_refuses_what_is_no_email(raw: str) -> None:
    with pytest.raises(DomainError) as error:
        normalise_email(raw)
    assert error.value.code == "invalid_email"


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("0151 234-567 89", "+4915123456789"),
        ("+49 (0) 151 23456789", "+4915123456789"),
        ("0049151/23456789", "+4915123456789"),
        ("'+4915123456789", "+4915123456789"),
        ("\u202a+49 151 23456789\u202c", "+4915123456789"),
        ("＋４９１５１２３４５６７８９", "+4915123456789"),
        ("+1 415 555 2671", "+14155552671"),
    ],
)
def test_it_normalises_a_phone_number(raw: str, normal: str) -> None:
    assert normalise_phone(raw) == normal
    assert normalise_phone(normal) == normal


@pytest.mark.parametrize("raw", ["", "12", "abc", "+49", "0151 23456789 ext. 5", "+999 123456789"])
def test_it_refuses_what_is_no_phone_number(raw: str) -> None:
    with pytest.raises(DomainError) as error:
        normalise_phone(raw)
    assert error.value.code == "invalid_phone"


def test_it_tells_that_a_spreadsheet_shortened_a_number() -> None:
    for raw in ("4.91512E+12", "4,91512E+12", "49E12"):
        with pytest.raises(DomainError, match="format its column as text"):
            normalise_phone(raw)


@given(st.text(max_size=40))
def test_normal_forms_are_stable_and_nothing_but_domain_errors_comes_out(raw: str) -> None:
    for normalise in (normalise_email, normalise_phone):
        try:
            normal = normalise(raw)
        except DomainError:
            continue
        assert normalise(normal) == normal


@pytest.mark.parametrize(
    ("text", "phone", "holds"),
    [
        ("anna@example.com", "", True),
        ("write to anna@example.com please", "", True),
        ("+49 151 23456789", "", True),
        ("0049 151 23456789", "", True),
        ("0151 23456789", "+4915123456789", True),
        ("15123456789", "+4915123456789", True),
        ("0151 23456789", "", False),
        ("1990-12-31", "", False),
        ("20115", "", False),
        ("Margherita @ home", "", False),
        ("", "", False),
    ],
)
def test_it_notices_addresses_where_they_would_be_in_clear(
    text: str, phone: str, holds: bool
) -> None:
    assert holds_address(text, phone=phone) is holds
    if holds:
        with pytest.raises(DomainError, match="encrypted only") as error:
            refuse_address(text, label="first name", phone=phone)
        assert error.value.code == "address_in_clear"
    else:
        refuse_address(text, label="first name", phone=phone)
