import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.content.html_tokens import Kind, tokenize


def cut(html: str) -> list:
    """Tokens in short: «<a>» as ("a", {...}), «</a>» as "/a", text as itself, comments as !text."""
    short = []
    for token in tokenize(html):
        if token.kind is Kind.START:
            short.append((token.name, dict(token.attributes)))
        elif token.kind is Kind.END:
            short.append("/" + token.name)
        else:
            short.append(("!" if token.kind is Kind.COMMENT else "") + token.text)
    return short


@pytest.mark.parametrize(
    ("html", "tokens"),
    [
        ("", []),
        ("a < b > c & d", ["a < b > c & d"]),
        ("<P CLASS='X'>x</P >", [("p", {"class": "X"}), "x", "/p"]),
        ("<br/><br /><hr>", [("br", {}), ("br", {}), ("hr", {})]),
        ('<a b c=d e="f g" h=\'i"j\'>', [("a", {"b": "", "c": "d", "e": "f g", "h": 'i"j'})]),
        ("<a b = c\n\t=d>", [("a", {"b": "c", "=d": ""})]),
        ("<a href=http://x/?a=1&b=2>", [("a", {"href": "http://x/?a=1&b=2"})]),
        ('<a b="1>2">x', [("a", {"b": "1>2"}), "x"]),
        ("<a b=>x", [("a", {"b": ""}), "x"]),
        # A quotation mark means something at the beginning of a value only.
        ('<div "><div ">', [("div", {'"': ""}), ("div", {'"': ""})]),
        ('<a b=c"d>x', [("a", {"b": 'c"d'}), "x"]),
        ("<!doctype html><p>", ["!<!doctype html>", ("p", {})]),
        ("<!-- a > b --><p>", ["! a > b ", ("p", {})]),
        ("<!--><p>-->", ["!", ("p", {}), "-->"]),
        ("<!---><p>", ["!", ("p", {})]),
        ("<!-- a --!><p>", ["! a ", ("p", {})]),
        ("<!-- never", ["! never"]),
        ("<?xml x?><p>", ["!<?xml x?>", ("p", {})]),
        ("</3><p></>", ["!</3>", ("p", {}), "!</>"]),
        (
            "<style>p > a { content: '<b>' }</style x><p>",
            [("style", {}), "p > a { content: '<b>' }", "/style", ("p", {})],
        ),
        ("<style>a</styles>b</STYLE>", [("style", {}), "a</styles>b", "/style"]),
        ("<title>a <b> c</title>", [("title", {}), "a <b> c", "/title"]),
        ("<title>never <b>", [("title", {}), "never <b>"]),
        ("x<a b='never>", ["x"]),
        ("x<a", ["x"]),
        ("x<", ["x<"]),
    ],
)
def test_it_cuts_as_a_browser_does(html, tokens):
    assert cut(html) == tokens


def test_of_two_attributes_with_one_name_the_first_counts():
    (token,) = tokenize('<a href="1" HREF="2">')
    assert token.attribute("href") == "1"
    assert token.attribute("title") is None


def test_positions_are_where_tokens_begin():
    html = "ab<p>c</p><!--d-->e"
    assert [html[token.position] for token in tokenize(html)] == ["a", "<", "c", "<", "<", "e"]


class Oracle(HTMLParser):
    """Python's own parser, for documents on which it follows the standard."""

    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.tags = []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, {name: value or "" for name, value in reversed(attributes)}))

    def handle_endtag(self, tag):
        self.tags.append("/" + tag)


SIMPLE = st.lists(
    st.sampled_from(
        [
            "<p>",
            "</p>",
            '<a href="x>y">',
            "</a>",
            "<br>",
            "text ",
            "<!-- <b> -->",
            "&amp;",
            "<td x=1>",
        ]
    )
)


@given(SIMPLE)
def test_it_agrees_with_another_parser(pieces):
    html = "".join(pieces)
    oracle = Oracle()
    oracle.feed(html)
    oracle.close()
    tags = [
        ("/" + token.name) if token.kind is Kind.END else (token.name, dict(token.attributes))
        for token in tokenize(html)
        if token.kind in {Kind.START, Kind.END}
    ]
    assert tags == oracle.tags


@given(st.text(alphabet="<>/!-= \"'abp\n", max_size=60))
def test_it_never_fails_and_never_goes_back(html):
    positions = [token.position for token in tokenize(html)]
    assert positions == sorted(set(positions))


@pytest.mark.parametrize(
    "unit", ["<", "<a ", "<a b='", '<a b="', "<!--", "</", "<a =", "<a/", "<style>"]
)
def test_its_time_grows_with_the_length(unit):
    start = time.process_time()
    list(tokenize(unit * (200_000 // len(unit))))
    assert time.process_time() - start < 2
