"""What an inbox shows of an email beside its subject (M-6)."""

import re

from campaigns.content.html_tokens import Kind, tokenize
from campaigns.content.plain_text import one_line

# No inbox shows more; how much less depends on the width of its list.
LONGEST = 140
_SILENT = frozenset({"head", "style", "title", "script"})
# Authors pad with these so that the body does not follow the preheader.
_PADDING = re.compile("[\u00ad\u034f\u200b-\u200f\u2007\u2060\ufeff]|(?<=\\s)[\u00a0 ]+")


def preheader_of(html: str) -> str:
    """Return the first words of an email's body, hidden ones too, as a mail program takes them."""
    words = ""
    silent = ""
    for token in tokenize(html):
        if token.kind is Kind.START and not silent and token.name in _SILENT:
            silent = token.name
        elif token.kind is Kind.END and token.name == silent:
            silent = ""
        elif token.kind is Kind.TEXT and not silent:
            words += " " + _PADDING.sub("", one_line(token.text))
            if len(words) > 2 * LONGEST:
                break
    return " ".join(words.split())[:LONGEST]
