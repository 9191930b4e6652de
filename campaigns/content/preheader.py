"""What an inbox shows of an email beside its subject (M-6)."""

import re
from collections.abc import Iterator

from campaigns.content.html_limits import VOID_TAGS
from campaigns.content.html_tokens import Kind, tokenize
from campaigns.content.plain_text import HIDDEN_STYLE, one_line

# No inbox shows more; how much less depends on the width of its list.
LONGEST = 140
_SILENT = frozenset({"head", "style", "title", "script"})
# Authors pad with these so that the body does not follow the preheader.
_PADDING = re.compile("[\u00ad\u034f\u200b-\u200f\u2007\u2060\ufeff]|(?<=\\s)[\u00a0 ]+")


def preheader_of(html: str) -> str:
    """Return the first words of an email's body, hidden ones too, as a mail program takes them."""
    words = ""
    for found, _ in words_of(html):
        words += " " + found
        if len(words) > 2 * LONGEST:
            break
    return " ".join(words.split())[:LONGEST]


def words_of(html: str) -> Iterator[tuple[str, bool]]:
    """Yield each text of an email's body and whether it is hidden from who opened it."""
    silent = hidden = ""
    depth = 0
    for token in tokenize(html):
        if token.kind is Kind.TEXT:
            words = "" if silent else _PADDING.sub("", one_line(token.text))
            if words.strip():
                yield words, bool(hidden)
        elif token.kind is Kind.START:
            if token.name in _SILENT and not silent:
                silent = token.name
            if token.name == hidden:
                depth += 1
            elif (
                not hidden
                and token.name not in VOID_TAGS
                and HIDDEN_STYLE.search(token.attribute("style") or "")
            ):
                hidden, depth = token.name, 1
        elif token.kind is Kind.END:
            if token.name == silent:
                silent = ""
            if token.name == hidden:
                depth -= 1
                hidden = hidden if depth else ""
