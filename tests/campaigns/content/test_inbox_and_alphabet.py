"""What an inbox shows of an email, and what makes a text message dearer (M-6)."""

import pytest

from campaigns.content.preheader import LONGEST, preheader_of
from campaigns.content.sms_alphabet import REPLACEMENTS, explain_character
from campaigns.content.sms_length import measure_sms
from campaigns.content.text_template import text_template_of


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<p>Hello</p><p>you</p>", "Hello you"),
        ('<div style="display:none">First</div><p>Then</p>', "First Then"),
        ("<head><title>No</title><style>p{}</style></head><body>Yes &amp; more", "Yes & more"),
        ("<div>Words&#8203;&zwnj;&nbsp;&zwnj;&nbsp;</div><p>Body</p>", "Words Body"),
        ("<!-- no --><img alt='no'>", ""),
        ("<p>" + "x" * 500, "x" * LONGEST),
    ],
)
def test_the_preheader_is_the_first_words(html, words) -> None:
    assert preheader_of(html) == words


def test_every_replacement_is_in_the_short_alphabet() -> None:
    for character, replacement in REPLACEMENTS.items():
        assert measure_sms(f"a{character}b").encoding == "UCS-2", character
        assert measure_sms(f"a{replacement}b").encoding == "GSM-7", character


@pytest.mark.parametrize(
    ("character", "name", "advice"),
    [
        ("’", "curly apostrophe", "write ' instead"),
        ("\u00a0", "unbreakable space", "write a plain space instead"),
        ("\u200b", "invisible space", "take it out"),
        ("☕", "emoji or symbol", "take it out, or leave it and pay"),
        ("😀", "emoji or symbol", "take it out, or leave it and pay"),
        ("ç", "latin small letter c with cedilla", "write c instead, or leave it and pay"),
        ("Ж", "cyrillic capital letter zhe", "take it out, or leave it and pay"),
    ],
)
def test_a_dear_character_is_named_with_advice(character, name, advice) -> None:
    found = explain_character(character)
    assert found.name == name
    assert found.advice == advice


def test_conditions_that_choose_between_tags_are_left_out() -> None:
    html = '{% if offer.title %}<p class="a">{% else %}<p class="b">{% endif %}Hi</p>'
    assert "Hi" in text_template_of(html)
    assert text_template_of('<a href="{{ coupon_url }}">Go</a>') == "Go ({{ coupon_url }})"
    assert text_template_of("{% if %}") == ""
    assert text_template_of("<p>100% {{ customer.first_name }}</p>") == (
        "100% {{ customer.first_name }}"
    )
