"""Which HTML goes into an email: nothing mail programs drop, nothing that costs without bound.

The CSS inliner walks the document by recursion and copies styles to every element, and a browser's
way of mending unclosed tags multiplies them; measured: 12,000 nested tags end the process, 2,000
unclosed <b> make a gigabyte. So depth, mending and styles are counted before it sees the document.
"""

from collections.abc import Iterable
from itertools import islice

from campaigns.content.html_tokens import Kind, Token, tokenize

MAX_DEPTH = 250
MAX_UNCLOSED_FORMATTING = 40
MAX_TAGS = 5_000
MAX_TOKENS = 3 * MAX_TAGS
MAX_ATTRIBUTES = 100
# Characters of styles times tags; a large newsletter has 8 million.
MAX_STYLE_WORK = 25_000_000
# Declarations times different properties times tags, for the same reason.
MAX_MERGE_WORK = 300_000_000

REFUSED_TAGS = frozenset(
    {
        *("script", "iframe", "object", "embed", "applet", "frame", "frameset", "noframes"),
        *("svg", "math", "template", "noscript", "noembed", "xmp", "plaintext", "listing"),
        *("select", "textarea", "marquee", "portal", "base"),
    }
)
VOID_TAGS = frozenset(
    {
        *("area", "br", "col", "hr", "img", "input", "link", "meta", "param", "source", "track"),
        *("wbr", "keygen", "basefont", "bgsound", "image"),
    }
)
# Tags that people rightly leave unclosed: the end of what is around them ends them.
_OPTIONAL_END = frozenset(
    {"p", "li", "td", "th", "tr", "tbody", "thead", "tfoot", "dt", "dd", "option", "colgroup"}
)
# Of those, the ones that the beginning of their neighbour ends.
_ENDED_BY = {
    "li": frozenset({"li"}),
    "p": frozenset({"p"}),
    "td": frozenset({"td", "th"}),
    "th": frozenset({"td", "th"}),
    "tr": frozenset({"td", "th", "tr"}),
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
}
# A browser opens these again in every element that follows, until they are closed.
_FORMATTING = frozenset(
    {
        *("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong"),
        *("tt", "u"),
    }
)
_TOO_MANY = f"it has more than {MAX_TAGS:,} tags. Make it shorter."
_BEFORE_NAME = ";{}*/ \t\r\n\f"


class HtmlRefused(Exception):
    """HTML that cannot be used; ``position`` is where it says so, None when it is the whole."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def read_html(html: str) -> list[Token]:
    """Return the tokens of a document. Raises HtmlRefused when there are too many."""
    tokens = list(islice(tokenize(html), MAX_TOKENS + 1))
    if len(tokens) > MAX_TOKENS:
        raise HtmlRefused(_TOO_MANY)
    return tokens


def check_tags(tokens: Iterable[Token]) -> None:
    """Raise HtmlRefused for a tag that no mail program shows."""
    for token in tokens:
        if token.kind is Kind.START and token.name in REFUSED_TAGS:
            raise HtmlRefused(
                f"mail programs do not show <{token.name}>. Take it out.", token.position
            )


def check_size(tokens: Iterable[Token]) -> None:
    """Raise HtmlRefused when the document is too deep, too unclosed or too styled to be safe."""
    open_tags: list[Token] = []
    formatting = tags = 0
    styles: list[str] = []
    for token in tokens:
        if token.kind is Kind.START:
            tags += 1
            if len(token.attributes) > MAX_ATTRIBUTES:
                raise HtmlRefused(f"<{token.name}> has too many attributes.", token.position)
            if token.name not in VOID_TAGS:
                _end_neighbours(open_tags, token.name)
                open_tags.append(token)
                formatting += token.name in _FORMATTING
        elif token.kind is Kind.END:
            formatting -= _close(open_tags, token.name)
        elif token.kind is Kind.TEXT and open_tags and open_tags[-1].name == "style":
            styles.append(token.text)
        _check_open(open_tags, formatting)
    if tags > MAX_TAGS:
        raise HtmlRefused(_TOO_MANY)
    _check_styles("".join(styles), tags)


def _end_neighbours(open_tags: list[Token], name: str) -> None:
    ended = _ENDED_BY.get(name, frozenset())
    while open_tags and open_tags[-1].name in ended:
        open_tags.pop()


def _close(open_tags: list[Token], name: str) -> int:
    """Close the innermost tag if it is ``name``, through those that may stay unclosed.

    An end tag that fits nothing is ignored, so that a stray one hides no depth. Returns how many
    formatting tags were closed.
    """
    level = len(open_tags) - 1
    while level >= 0 and open_tags[level].name != name and open_tags[level].name in _OPTIONAL_END:
        level -= 1
    if level < 0 or open_tags[level].name != name:
        return 0
    del open_tags[level:]
    return int(name in _FORMATTING)


def _check_open(open_tags: list[Token], formatting: int) -> None:
    if formatting > MAX_UNCLOSED_FORMATTING:
        first = next(token for token in open_tags if token.name in _FORMATTING)
        raise HtmlRefused(
            f"<{first.name}> and other tags are opened again and again but not closed. "
            f"Write </{first.name}> where it ends.",
            first.position,
        )
    if len(open_tags) > MAX_DEPTH:
        raise HtmlRefused(
            "tags are nested too deeply, or many are not closed. Close each with its end tag.",
            open_tags[-1].position,
        )


def _check_styles(css: str, tags: int) -> None:
    declared = [_last_word(piece) for piece in css.split(":")[:-1]]
    merge_work = len(declared) * len(set(declared)) * tags
    if len(css) * tags > MAX_STYLE_WORK or merge_work > MAX_MERGE_WORK:
        raise HtmlRefused("its <style> is too long. Keep the rules that are used.")


def _last_word(piece: str) -> str:
    piece = piece.rstrip()
    return piece[max(piece.rfind(character) for character in _BEFORE_NAME) + 1 :]
