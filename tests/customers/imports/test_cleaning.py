import pytest

from config.errors import DomainError
from customers.imports.cleaning import Rules, clean_channels, clean_record, read_consent, read_tags
from customers.imports.mapping import guess_mapping
from customers.imports.reading import Record

NAMES = [
    "email",
    "phone",
    "external_id",
    "first_name",
    "tags",
    "language",
    "time_zone",
    "email_consent",
    "unsub time",
    "attributes.pizza",
]


def clean(consent: tuple[str, ...] = (), tags_for_all: tuple[str, ...] = (), **cells: str):
    names = [name for name in NAMES if name.replace(" ", "_").replace("attributes.", "") in cells]
    values = [cells[name.replace(" ", "_").replace("attributes.", "")] for name in names]
    rules = Rules(guess_mapping(names), len(names), tags_for_all, frozenset(consent))
    return clean_record(Record(2, values), rules)


def test_it_reads_what_a_row_says() -> None:
    row = clean(
        email=" Anna@Example.com ",
        phone="'+49 151 23456789",
        external_id="'4711",
        first_name=" Änne ",
        tags='"VIP","new";north',
        language="pt_BR",
        time_zone="Europe/Berlin",
        email_consent="Yes",
        pizza="'=Margherita",
        consent=("sms",),
    )
    assert (row.email, row.phone, row.external_id) == (
        "anna@example.com",
        "+4915123456789",
        "4711",
    )
    assert row.texts == {
        "first_name": "Änne",
        "language": "pt-BR",
        "time_zone": "Europe/Berlin",
    }
    assert row.tags == ["vip", "new", "north"]
    assert row.attributes == {"pizza": "=Margherita"}
    assert row.consent == {"email": "opt_in", "sms": "opt_in"}


def test_blank_cells_say_nothing() -> None:
    row = clean(email="a@example.com", first_name="  ", tags="", email_consent="", pizza="'")
    assert row.texts == {}
    assert row.consent == {}
    assert row.tags == []


def test_tags_of_the_whole_list_come_with_those_of_the_row() -> None:
    row = clean(tags_for_all=("new", "north"), email="a@example.com", tags="vip,new")
    assert row.tags == ["new", "north", "vip"]


def test_a_column_about_consent_outweighs_what_was_stated() -> None:
    assert clean(("email",), email="a@example.com", email_consent="").consent == {}
    assert clean(("email",), email="a@example.com").consent == {"email": "opt_in"}


def test_an_opt_out_time_outweighs_everything() -> None:
    row = clean(("email",), email="a@example.com", unsub_time="2024-02-07 00:00:37")
    assert row.consent == {"email": "opt_out"}
    row = clean(email="a@example.com", email_consent="yes", unsub_time="2024-02-07")
    assert row.consent == {"email": "opt_out"}
    assert clean(("email",), email="a@example.com", unsub_time="").consent == {"email": "opt_in"}


@pytest.mark.parametrize(
    ("word", "action"),
    [
        ("yes", "opt_in"),
        ("TRUE", "opt_in"),
        ("1", "opt_in"),
        ("Subscribed", "opt_in"),
        ("SUBSCRIBED", "opt_in"),
        ("no", "opt_out"),
        ("FALSE", "opt_out"),
        ("unsubscribed", "opt_out"),
        ("UNSUBSCRIBED", "opt_out"),
        ("NEVER_SUBSCRIBED", ""),
        ("Never subscribed", ""),
        ("unknown", ""),
        ("pending", ""),
        ("", ""),
    ],
)
def test_it_reads_the_words_of_exports(word: str, action: str) -> None:
    assert read_consent(word, label="Takes emails") == action


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"email": "nonsense"}, "email address is not valid"),
        ({"email": "a@example.com", "phone": "12"}, "phone number is not valid"),
        ({"phone": "4.91512E+12"}, "shortened"),
        ({"email": "a@example.com", "tags": "vip,two words"}, "“two words”"),
        ({"email": "a@example.com", "tags": "all"}, "reserved"),
        ({"email": "a@example.com", "time_zone": "Berlin"}, "“Berlin” is unknown"),
        ({"email": "a@example.com", "language": "German!"}, "“German!” is not a code"),
        ({"email": "a@example.com", "email_consent": "maybe"}, "“maybe”"),
        ({"email": "a@example.com", "first_name": "x" * 121}, "first name is too long"),
        ({"email": "a@example.com", "external_id": "x" * 121}, "number at the till is too long"),
        ({"email": "a@example.com", "language": "x" * 2000}, "language is too long"),
        ({"email": "a@example.com", "pizza": "x" * 1001}, "too long"),
        ({"email": "a@example.com", "first_name": "a\x00b"}, "NUL"),
        ({"email": "", "phone": "", "first_name": "Anna"}, "no email, phone or external id"),
        ({"email": "a@example.com", "first_name": "b@example.com"}, "first name holds an email"),
        ({"email": "a@example.com", "external_id": "b@example.com"}, "external id holds"),
        ({"phone": "0151 23456789", "external_id": "015123456789"}, "external id holds"),
        ({"email": "a@example.com", "pizza": "+4915123456789"}, "pizza holds"),
    ],
)
def test_it_rejects_a_row_and_says_what_to_do(cells: dict[str, str], told: str) -> None:
    with pytest.raises(DomainError) as error:
        clean(**cells)
    assert told in error.value.message
    assert error.value.message.endswith(".")


def test_it_rejects_too_few_and_too_many_cells() -> None:
    rules = Rules(guess_mapping(["email", "first_name"]), 2, (), frozenset())
    for cells in (["a@example.com"], ["a@example.com", "A", "B"]):
        with pytest.raises(DomainError, match=f"has {len(cells)} cells"):
            clean_record(Record(2, cells), rules)
    assert clean_record(Record(2, ["a@example.com", "A", " ", ""]), rules).email == "a@example.com"


def test_it_reads_tags_as_mailchimp_writes_them() -> None:
    assert read_tags('"VIP","Blog"') == ("vip", "blog")


def test_it_refuses_an_unknown_channel() -> None:
    assert clean_channels(["email", " SMS ", "", "email"]) == ["email", "sms"]
    with pytest.raises(DomainError, match="“fax”"):
        clean_channels(["fax"])
