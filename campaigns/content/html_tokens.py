"""Cuts HTML into tags, texts and comments the way a browser does (HTML Living Standard, 13.2.5).

Only the states that matter here: no scripts, no foreign elements. ``html_limits`` refuses those.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

_SPACE = r"[\t\n\f\r ]"
_NEXT = re.compile(r"<(?:(?P<comment>!--)|(?P<bogus>[!?]|/(?![a-zA-Z]))|(?P<tag>/?[a-zA-Z]))")
_COMMENT_END = re.compile(r"--!?>")
_ATTRIBUTE = (
    rf"(?:{_SPACE}|/)*+(?P<name>[^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rf"(?:{_SPACE}*+={_SPACE}*+"
    r"(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'"
    r"|(?P<bare>[^\t\n\f\r \"'>][^\t\n\f\r >]*+)|(?=>))"
    # A quotation mark that nothing closes swallows the rest of the document.
    rf"|(?!{_SPACE}*+={_SPACE}*+[\"']))"
)
_ATTRIBUTES = re.compile(_ATTRIBUTE)
# Without its groups: Python 3.11 loses those that are repeated possessively.
_SKIPPED = re.sub(r"\?P<\w+>", "?:", _ATTRIBUTE)
_TAG = re.compile(rf"</?([a-zA-Z][^\t\n\f\r />]*+)(?:{_SKIPPED})*+(?:{_SPACE}|/)*+>")
# Their content is text up to their own end tag.
TEXT_ONLY = frozenset(
    {"style", "title", "script", "textarea", "xmp", "iframe", "noembed", "noframes"}
)


class Kind(Enum):
    """What a token is."""

    START = auto()
    END = auto()
    TEXT = auto()
    COMMENT = auto()


class Token(NamedTuple):
    """A piece of HTML.

    ``name`` is a tag's name in lower case; ``text`` the raw text of a text or a comment, entities
    and all; ``attributes`` the raw values by lower-case name; ``position`` where it begins.
    """

    kind: Kind
    position: int
    name: str = ""
    text: str = ""
    attributes: tuple[tuple[str, str], ...] = ()

    def attribute(self, name: str) -> str | None:
        """Return the raw value of an attribute; of two with one name the first counts."""
        return next((value for key, value in self.attributes if key == name), None)


def tokenize(html: str) -> Iterator[Token]:
    """Yield the tokens of ``html`` in order, in time that grows with its length.

    A tag that the document ends in the middle of is dropped, as browsers do.
    """
    position = 0
    # Most tags of a newsletter are written many times.
    read: dict[str, tuple[Kind, str, tuple[tuple[str, str], ...]]] = {}
    while found := _NEXT.search(html, position):
        if found.start() > position:
            yield Token(Kind.TEXT, position, text=html[position : found.start()])
        if found["comment"]:
            token, position = _read_comment(html, found.start())
            yield token
        elif found["bogus"]:
            end = html.find(">", found.end())
            position = len(html) if end < 0 else end + 1
            yield Token(Kind.COMMENT, found.start(), text=html[found.start() : position])
        else:
            tag = _TAG.match(html, found.start())
            if tag is None:
                return
            position = tag.end()
            known = read.get(tag[0])
            if known is None:
                known = read[tag[0]] = _read_tag(tag)
            kind, name, attributes = known
            yield Token(kind, found.start(), name, "", attributes)
            if kind is Kind.START and name in TEXT_ONLY:
                closing = re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE).search(
                    html, position
                )
                stop = closing.start() if closing else len(html)
                if stop > position:
                    yield Token(Kind.TEXT, position, text=html[position:stop])
                position = stop
    if position < len(html):
        yield Token(Kind.TEXT, position, text=html[position:])


def _read_comment(html: str, start: int) -> tuple[Token, int]:
    body = start + 4
    if html.startswith((">", "->"), body):
        stop = html.index(">", body) + 1
        return Token(Kind.COMMENT, start), stop
    end = _COMMENT_END.search(html, body)
    text = html[body : end.start() if end else len(html)]
    return Token(Kind.COMMENT, start, text=text), end.end() if end else len(html)


def _read_tag(tag: re.Match[str]) -> tuple[Kind, str, tuple[tuple[str, str], ...]]:
    attributes = tuple(
        (name.lower(), double or single or bare)
        for name, double, single, bare in _ATTRIBUTES.findall(tag[0], tag.end(1) - tag.start())
    )
    return Kind.END if tag[0].startswith("</") else Kind.START, tag[1].lower(), attributes
