import pytest

from config.errors import DomainError
from customers.imports.mapping import (
    attribute_for,
    check_mapping,
    guess_mapping,
    is_attribute,
    override_mapping,
    parse_overrides,
    recognise_source,
)

MAILCHIMP = (
    "Email Address,First Name,Last Name,Address,Phone Number,Birthday,MEMBER_RATING,OPTIN_TIME,"
    "OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,"
    "UNSUB_TIME,CLEAN_TIME,LAST_CHANGED,LEID,EUID,NOTES,TAGS"
)
SHOPIFY = (
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,"
    "Default Address Address1,Default Address City,Default Address Phone,Phone,"
    "Accepts SMS Marketing,Total Spent,Total Orders,Note,Tax Exempt,Tags"
)
SQUARE = (
    "Reference ID,First Name,Last Name,Email Address,Phone Number,Nickname,Company Name,"
    "Street Address 1,City,Postal Code,Birthday,Memo,Square Customer ID,Creation Source,"
    "First Visit,Transaction Count,Lifetime Spend,Email Subscription Status,Instant Profile"
)
KLAVIYO = (
    "Email,Klaviyo ID,First Name,Last Name,Organization,Phone Number,City,Country,Zip Code,Locale,"
    "Timezone,Email Marketing Consent,SMS Marketing Consent,First Active,Tags"
)
OWN = (
    "external_id,first_name,last_name,email,phone,language,time_zone,tags,email_consent,"
    "sms_consent,attributes.pizza"
)


def guessed(header: str) -> dict[str, str]:
    names = header.split(",")
    mapping = guess_mapping(names)
    return {
        field: "+".join(names[position] for position in positions)
        for field, positions in mapping.items()
    }


@pytest.mark.parametrize(
    ("header", "source", "expected"),
    [
        (
            MAILCHIMP,
            "Mailchimp",
            {
                "email": "Email Address",
                "phone": "Phone Number",
                "first_name": "First Name",
                "last_name": "Last Name",
                "tags": "TAGS",
                "email_opt_out": "UNSUB_TIME+CLEAN_TIME",
                "time_zone": "TIMEZONE",
            },
        ),
        (
            SHOPIFY,
            "Shopify",
            {
                "email": "Email",
                "phone": "Phone",
                "first_name": "First Name",
                "last_name": "Last Name",
                "external_id": "Customer ID",
                "tags": "Tags",
                "email_consent": "Accepts Email Marketing",
                "sms_consent": "Accepts SMS Marketing",
            },
        ),
        (
            SQUARE,
            "Square",
            {
                "email": "Email Address",
                "phone": "Phone Number",
                "first_name": "First Name",
                "last_name": "Last Name",
                "external_id": "Reference ID",
                "email_consent": "Email Subscription Status",
            },
        ),
        (
            KLAVIYO,
            "Klaviyo",
            {
                "email": "Email",
                "phone": "Phone Number",
                "first_name": "First Name",
                "last_name": "Last Name",
                "external_id": "Klaviyo ID",
                "tags": "Tags",
                "email_consent": "Email Marketing Consent",
                "sms_consent": "SMS Marketing Consent",
                "language": "Locale",
                "time_zone": "Timezone",
            },
        ),
        (OWN, "", {name: name for name in OWN.split(",")}),
        (
            "E-Mail-Adresse,Vorname,Nachname,Telefonnummer,Kundennummer",
            "",
            {
                "email": "E-Mail-Adresse",
                "first_name": "Vorname",
                "last_name": "Nachname",
                "phone": "Telefonnummer",
                "external_id": "Kundennummer",
            },
        ),
    ],
    ids=["mailchimp", "shopify", "square", "klaviyo", "ours", "german"],
)
def test_it_recognises_exports(header: str, source: str, expected: dict[str, str]) -> None:
    assert guessed(header) == expected
    assert recognise_source(header.split(",")) == source


def test_unknown_columns_are_left_out() -> None:
    assert guessed("Email,Notes,Second Email,Favourite") == {"email": "Email"}


def test_an_override_takes_the_column_that_it_names() -> None:
    names = ["Email", "Work Mail", "Pizza"]
    overrides = parse_overrides(["email=Work Mail", "attributes.favourite=pizza"])
    assert override_mapping(guess_mapping(names), names, overrides) == {
        "email": [1],
        "attributes.favourite": [2],
    }


def test_a_column_that_is_named_for_one_field_is_no_longer_another() -> None:
    names = ["Email", "Phone"]
    chosen = override_mapping(guess_mapping(names), names, parse_overrides(["external_id=Phone"]))
    assert chosen == {"email": [0], "external_id": [1]}


def test_some_fields_take_several_columns() -> None:
    names = ["Email", "A", "B"]
    overrides = parse_overrides(["tags=A", "tags=B"])
    assert override_mapping(guess_mapping(names), names, overrides) == {
        "email": [0],
        "tags": [1, 2],
    }


@pytest.mark.parametrize(
    ("override", "code", "named"),
    [
        ("mail=Email", "unknown_field", "mail"),
        ("attributes.=Email", "unknown_field", "attributes."),
        ("attributes._secret=Email", "unknown_field", "_secret"),
        ("email=Mail", "unknown_header", "Mail"),
        ("email=Twice", "ambiguous_header", "Twice"),
        ("email", "invalid_mapping", "field=Header"),
        ("=Email", "invalid_mapping", "field=Header"),
        ("email=", "invalid_mapping", "field=Header"),
    ],
)
def test_it_refuses_an_override_with_a_sentence(override: str, code: str, named: str) -> None:
    names = ["Email", "Twice", "Twice"]
    with pytest.raises(DomainError) as error:
        override_mapping(guess_mapping(names), names, parse_overrides([override]))
    assert error.value.code == code
    assert named in error.value.message


def test_it_refuses_two_columns_for_one_field() -> None:
    names = ["Email", "Mail"]
    with pytest.raises(DomainError, match="twice"):
        override_mapping({}, names, parse_overrides(["email=Email", "email=Mail"]))
    with pytest.raises(DomainError, match="choose one"):
        check_mapping({"email": [0, 1]})


def test_it_refuses_a_list_that_tells_nobody_apart() -> None:
    with pytest.raises(DomainError) as error:
        check_mapping(guess_mapping(["First Name", "Tags"]))
    assert error.value.code == "no_key_column"
    for key in ("email", "phone", "external_id"):
        check_mapping({key: [0]})


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Favourite Pizza", "attributes.favourite_pizza"),
        ("2023 visits", "attributes.column_2023_visits"),
        ("Größe", "attributes.größe"),
        ("***", "attributes.column_"),
    ],
)
def test_a_column_becomes_an_attribute_that_templates_can_name(name: str, field: str) -> None:
    assert attribute_for(name) == field
    assert is_attribute(field)
