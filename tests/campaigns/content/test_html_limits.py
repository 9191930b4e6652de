import css_inline
import pytest

from campaigns.content.html_limits import (
    MAX_DEPTH,
    MAX_TAGS,
    MAX_UNCLOSED_FORMATTING,
    VOID_TAGS,
    HtmlRefused,
    check_size,
    check_tags,
    read_html,
)
from campaigns.content.html_tokens import Kind, tokenize


def check(html: str) -> None:
    tokens = read_html(html)
    check_tags(tokens)
    check_size(tokens)


def is_let_through(html: str) -> bool:
    try:
        check(html)
    except HtmlRefused:
        return False
    return True


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * MAX_DEPTH + "</div>" * MAX_DEPTH,
        "<ul>" + "<li>x" * 2_000 + "</ul>",
        "<table>" + "<tr><td>x" * 1_000 + "</table>",
        "<p>x" * 2_000,
        "<dl>" + "<dt>x<dd>y" * 900 + "</dl>",
        "<p>x</p>" * 2_000,
        "<br><img><hr>" * 1_000,
        "<b>" * MAX_UNCLOSED_FORMATTING,
        "<b>x</b>" * 2_000,
        "<table>" + "<tr><td><a>x</a><p><b>y</b></td></tr>" * 700 + "</table>",
        "<style>" + ".a { color: red; padding: 0 } " * 200 + "</style>" + "<p>x</p>" * 800,
    ],
)
def test_what_newsletters_do_is_let_through(html):
    check(html)


@pytest.mark.parametrize(
    ("html", "part"),
    [
        ("<div>" * (MAX_DEPTH + 1), "nested too deeply"),
        ("<b>" * (MAX_UNCLOSED_FORMATTING + 1), "Write </b> where it ends."),
        ("<p>x</p>" * (MAX_TAGS + 1), "more than 5,000 tags"),
        ("<p " + " ".join(f"a{n}" for n in range(101)) + ">", "<p> has too many attributes"),
        ("<p>x</p>" * 1_000 + "<style>" + "p { color: red }" * 2_000 + "</style>", "too long"),
        ("<p><SVG></p>", "do not show <svg>"),
    ],
)
def test_what_would_hurt_is_refused(html, part):
    with pytest.raises(HtmlRefused) as caught:
        check(html)
    assert part in caught.value.message


def test_a_stray_end_tag_hides_no_depth():
    with pytest.raises(HtmlRefused):
        check("<div></p></span></td>" * 1_000)


def test_it_names_the_place():
    with pytest.raises(HtmlRefused) as caught:
        check("<p>one</p><script>")
    assert caught.value.position == len("<p>one</p>")


@pytest.mark.parametrize(
    "unit",
    [
        "<table><td>",
        "<table><tr><td>",
        "<div><table><tr><td></div>",
        "<p><div></p>",
        "<table><div>",
        "<ul><li><ul>",
        "<nobr><nobr>",
        "<button><p><button>",
        "<ruby><rb><rp>",
        "<h1><h2>",
        "<a><table><a>",
        "<dl><dd><dl><dt>",
        "<table><caption><table>",
        "<tr><td><tr>",
        "<div><li><p>",
        "<li><div><li>",
    ],
)
def test_the_longest_that_is_let_through_is_safe_for_the_inliner(unit):
    """Its recursion ends a process at about 10,000 levels; this must stay far below."""
    allowed, refused = 1, MAX_TAGS
    while refused - allowed > 1:
        middle = (allowed + refused) // 2
        if is_let_through(unit * middle):
            allowed = middle
        else:
            refused = middle
    depth = deepest = 0
    for token in tokenize(css_inline.inline(unit * allowed)):
        if token.kind is Kind.START and token.name not in VOID_TAGS:
            depth += 1
        elif token.kind is Kind.END:
            depth -= 1
        deepest = max(deepest, depth)
    assert 1 < deepest < 1_200
