"""The text part of an email, made from its HTML (R-2)."""

import re
from html import unescape

from campaigns.content.html_limits import VOID_TAGS
from campaigns.content.html_tokens import Kind, Token, tokenize
from campaigns.content.slots import OPEN

_PARAGRAPHS = frozenset(
    {
        *("p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "dl", "blockquote"),
        *("section", "article", "header", "footer", "center", "hr", "pre"),
    }
)
_LINES = frozenset({"div", "tr", "li", "dt", "dd", "address", "caption", "title"})
_CELLS = frozenset({"td", "th"})
_UNSEEN = frozenset({"head", "style", "title"})
HIDDEN_STYLE = re.compile(r"(?:^|;)\s*display\s*:\s*none", re.IGNORECASE)
# A placeholder's mark, too, may stand for an address.
_ADDRESSES = ("http://", "https://", OPEN)

# Where an element begins or ends: at least one line, or an empty line, whatever is around it.
LINE, PARAGRAPH = "\x1e", "\x1d"
_BREAKS = re.compile(f"[ \n{LINE}{PARAGRAPH}]{{2,}}+|[\n{LINE}{PARAGRAPH}]")
_SPACES = re.compile(r"[ \t\xa0]{2,}|[\t\xa0]")
_LINE_ENDS = re.compile(r" ?\n ?")
_GAPS = re.compile(r"\n{3,}")
_SAME_LINK = re.compile(r"(?<!\S)(https?://[^\s()]++) \(\1\)")
_WHITE = re.compile(r"\s+")


def text_of(html: str) -> str:
    """Return what an HTML document says.

    ``html`` must be serialised by a browser's rules, as the CSS inliner does. Links come as
    «text (address)», pictures as their alternative text; what is hidden is left out.
    """
    return _BREAKS.sub(_break_of, _Writer().write(html))


def one_line(raw: str) -> str:
    """Return what raw HTML text reads like: entities resolved, white space as single spaces."""
    return _WHITE.sub(" ", unescape(raw))


def _break_of(run: re.Match[str]) -> str:
    if PARAGRAPH in run[0]:
        return "\n\n"
    lines = run[0].count("\n")
    if not lines and LINE not in run[0]:
        return " "
    return "\n" * max(1, min(2, lines))


def tidy(text: str) -> str:
    """Return a text with single spaces, at most one empty line in a row, and no link twice."""
    text = _SPACES.sub(" ", text)
    text = text.replace(" ()", "")
    text = _SAME_LINK.sub(r"\1", text)
    text = _LINE_ENDS.sub("\n", text)
    return _GAPS.sub("\n\n", text).strip()


class _Writer:
    """Turns tokens into text, remembering what is open."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.hidden = 0
        self.links: list[str] = []

    def write(self, html: str) -> str:
        for token in tokenize(html):
            if token.kind is Kind.TEXT:
                if not self.hidden:
                    self.pieces.append(one_line(token.text))
            elif token.kind is Kind.START:
                self._start(token)
            elif token.kind is Kind.END:
                self._end(token.name)
        return "".join(self.pieces)

    def _start(self, token: Token) -> None:
        void = token.name in VOID_TAGS
        if self.hidden or _is_hidden(token):
            self.hidden += not void
            return
        self._break(token.name)
        if token.name == "br":
            self.pieces.append("\n")
        elif token.name == "hr":
            self.pieces.append(f"----{PARAGRAPH}")
        elif token.name == "li":
            self.pieces.append("- ")
        elif token.name == "img":
            self.pieces.append(one_line(token.attribute("alt") or ""))
        elif token.name == "a":
            self.links.append(unescape(token.attribute("href") or "").strip())

    def _end(self, name: str) -> None:
        if self.hidden:
            self.hidden -= 1
            return
        if name == "a" and self.links:
            address = self.links.pop()
            if address.startswith(_ADDRESSES):
                self.pieces.append(f" ({address})")
        if name in _CELLS:
            self.pieces.append(" ")
        self._break(name)

    def _break(self, name: str) -> None:
        if name in _PARAGRAPHS:
            self.pieces.append(PARAGRAPH)
        elif name in _LINES:
            self.pieces.append(LINE)


def _is_hidden(token: Token) -> bool:
    return (
        token.name in _UNSEEN
        or token.attribute("hidden") is not None
        or bool(HIDDEN_STYLE.search(unescape(token.attribute("style") or "")))
    )
