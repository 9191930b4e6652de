"""Remarks on how messages are written: what shows each, and what nearly does."""

import pytest

from campaigns.content.advice import check_preheader, check_stop_hint, check_subject
from campaigns.content.checks import check_content
from campaigns.starters import STARTERS


def codes(problems) -> list[str]:
    found = list(problems)
    assert not any(problem.blocking for problem in found)
    return [problem.code for problem in found]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("20% off every pizza", []),
        ("x" * 70, []),
        ("x" * 71, ["subject_long"]),
        ("HALF PRICE ON ALL PIZZAS", ["subject_shouts"]),
        ("BBQ XXL 2+1", []),
        ("HALF PRICE on all pizzas", []),
        ("半价 半价 半价 半价 半价", []),
        ("Pizza!!!", ["subject_noisy"]),
        ("Pizza $$$", ["subject_noisy"]),
        ("Really? Yes! For $5", []),
        ("Re: your pizza", ["subject_false_reply"]),
        ("FWD:pizza", ["subject_false_reply"]),
        ("Reward: a free pizza", []),
        ("Return of the pizza", []),
    ],
)
def test_the_subject(subject, expected) -> None:
    assert codes(check_subject(subject)) == expected


HIDDEN = '<div style="color:red;DISPLAY : none">Only until Sunday</div>'


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>Hello</p>", ["preheader_missing"]),
        (f"{HIDDEN}<p>Hello</p>", []),
        (f"<head><title>x</title><style>p{{}}</style></head><body>\n {HIDDEN}<p>Hello</p>", []),
        (f"<p>Hello</p>{HIDDEN}", ["preheader_missing"]),
        ('<div style="display:none"> &nbsp;</div><p>Hello</p>', ["preheader_missing"]),
        ('<div style="display:none"><div></div>Soon</div><p>Hello</p>', []),
        ('<img style="display:none" src="x"><p>Hello</p>', ["preheader_missing"]),
        ("<img src='x'>", []),
    ],
)
def test_the_preheader(html, expected) -> None:
    assert codes(check_preheader(html)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20% off", ["sms_no_stop"]),
        ("Nonstop pizza", ["sms_no_stop"]),
        ("20% off. STOP to opt out", []),
        ("20% off. Stopp: 12345", []),
        ("20% off https://x.example/u/1", []),
        ("", []),
    ],
)
def test_the_way_out_of_texts(text, expected) -> None:
    assert codes(check_stop_hint(text, {"https://x.example/u/1"})) == expected


@pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.name)
def test_nothing_is_said_about_a_starter(starter) -> None:
    found = check_content(
        subject=starter.subject,
        email_content=starter.email_content,
        sms_content=starter.sms_content,
        has_qr_code=True,
    )
    assert [problem.code for problem in found] == []
