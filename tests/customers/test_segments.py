import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import DomainError
from customers.count_segments import count_segments
from customers.models import Customer, CustomerTag, Segment
from customers.segments import (
    add_tags,
    ensure_segments,
    find_segments,
    normalise_tag,
    parse_tags,
    remove_tags,
    set_tags,
)
from tests.factories import CustomerFactory

TAG_CHARACTERS = st.characters(categories=["L", "Nd"], include_characters="-_")


def tags_of(customer: Customer) -> list[str]:
    carried = CustomerTag.objects.filter(customer=customer).order_by("segment__name")
    return list(carried.values_list("segment__name", flat=True))


@pytest.mark.parametrize(
    ("raw", "tag"),
    [
        (" VIP ", "vip"),
        ("Inactive-6months", "inactive-6months"),
        ("stammgäste", "stammgäste"),
        (unicodedata.normalize("NFD", "café"), unicodedata.normalize("NFC", "café")),
        ("常連", "常連"),
        ("a_b", "a_b"),
    ],
)
def test_it_normalises_a_tag(raw: str, tag: str) -> None:
    assert normalise_tag(raw) == tag


@pytest.mark.parametrize("raw", ["", " ", "two words", "a/b", "semi;colon", "a.b", "x" * 81, "🍕"])
def test_it_refuses_what_is_no_tag_and_names_it(raw: str) -> None:
    with pytest.raises(DomainError) as error:
        normalise_tag(raw)
    assert error.value.code == "invalid_tag"
    assert raw.strip()[:80] in error.value.message


@pytest.mark.parametrize("raw", ["all", "ALL", " All "])
def test_it_reserves_all(raw: str) -> None:
    with pytest.raises(DomainError, match="reserved"):
        normalise_tag(raw)


def test_it_reads_tags_between_commas_and_semicolons_once_each() -> None:
    assert parse_tags("VIP, regulars;;vip , ") == ["vip", "regulars"]
    assert parse_tags("") == []


@given(st.lists(st.text(alphabet=TAG_CHARACTERS, min_size=1, max_size=20), max_size=5))
def test_writing_and_reading_tags_gives_the_same_tags(raw: list[str]) -> None:
    try:
        tags = list(dict.fromkeys(normalise_tag(text) for text in raw))
    except DomainError:
        return  # «all», or a letter whose lower case is none
    assert parse_tags(",".join(tags)) == tags
    assert parse_tags("; ".join(tag.upper() for tag in tags if tag.upper().lower() == tag)) == [
        tag for tag in tags if tag.upper().lower() == tag
    ]


@pytest.mark.django_db
class TestTagging:
    def test_it_adds_tags_to_every_customer_once(self) -> None:
        first, second = CustomerFactory(tags=["vip"]), CustomerFactory()
        assert add_tags(customers=Customer.objects.all(), tags=["vip", "new"]) == 3
        assert add_tags(customers=Customer.objects.all(), tags=["vip", "new"]) == 0
        assert tags_of(first) == tags_of(second) == ["new", "vip"]

    def test_it_adds_tags_to_those_chosen_only(self) -> None:
        first, second = CustomerFactory(), CustomerFactory()
        add_tags(customers=Customer.objects.filter(pk=first.pk), tags=["vip"])
        assert tags_of(first) == ["vip"]
        assert tags_of(second) == []

    def test_it_removes_tags_and_no_others(self) -> None:
        first, second = CustomerFactory(tags=["vip", "new"]), CustomerFactory(tags=["vip"])
        chosen = Customer.objects.filter(pk=first.pk)
        assert remove_tags(customers=chosen, tags=["vip", "unknown"]) == 1
        assert tags_of(first) == ["new"]
        assert tags_of(second) == ["vip"]

    def test_it_replaces_the_tags_of_one_customer(self) -> None:
        customer, other = CustomerFactory(tags=["vip", "new"]), CustomerFactory(tags=["vip"])
        set_tags(customer=customer, tags=["new", "north"])
        assert tags_of(customer) == ["new", "north"]
        assert tags_of(other) == ["vip"]

    def test_it_creates_segments_once(self) -> None:
        first = ensure_segments(["a", "b"])
        assert ensure_segments(["b", "a"]) == first
        assert Segment.objects.count() == 2

    def test_it_names_the_segment_that_does_not_exist(self) -> None:
        ensure_segments(["a"])
        assert [segment.name for segment in find_segments([" A "])] == ["a"]
        with pytest.raises(DomainError, match="“zebra”") as error:
            find_segments(["a", "zebra"])
        assert error.value.code == "unknown_segment"


@pytest.mark.django_db
class TestCounting:
    def test_it_counts_customers_and_whom_each_channel_reaches(self) -> None:
        CustomerFactory(tags=["vip", "new"])
        CustomerFactory(tags=["vip"], phone="")
        CustomerFactory(tags=["vip"], email_subscribed=False)
        CustomerFactory(sms_subscribed=False)
        ensure_segments(["empty"])
        counted = {count.name: count for count in count_segments()}
        assert [count.name for count in count_segments()] == ["ALL", "empty", "new", "vip"]
        figures = {
            name: (count.customers, count.email, count.sms) for name, count in counted.items()
        }
        assert figures == {
            "ALL": (4, 3, 2),
            "empty": (0, 0, 0),
            "new": (1, 1, 1),
            "vip": (3, 2, 2),
        }
        assert counted["ALL"].as_dict()["kind"] == "all"
        assert counted["vip"].as_dict()["kind"] == "tag"

    def test_its_queries_do_not_grow_with_segments(self, django_assert_num_queries) -> None:
        for number in range(30):
            CustomerFactory(tags=[f"tag{number}", "everyone"])
        with django_assert_num_queries(2):
            assert len(count_segments()) == 32
