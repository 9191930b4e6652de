"""Marks in a document where a customer's values go.

The marks are noncharacters, which Unicode keeps for a program's own use: no text holds them, and
HTML parsers pass them on.
"""

import re
from collections.abc import Iterable

OPEN, CLOSE = "\ufdd0", "\ufdd1"
_MARK = re.compile(f"{OPEN}([0-9]+){CLOSE}")
_MARK_CHARACTERS = str.maketrans("", "", OPEN + CLOSE)


def mark(number: int) -> str:
    """Return the mark of the slot of this number."""
    return f"{OPEN}{number}{CLOSE}"


def without_marks(text: str) -> str:
    """Return a text that cannot be taken for one with marks in it."""
    return text.translate(_MARK_CHARACTERS) if OPEN in text or CLOSE in text else text


class Form:
    """A document with slots, ready to be filled in; ``order`` lists the slots as they come."""

    def __init__(self, document: str) -> None:
        pieces = _MARK.split(document.replace("%", "%%"))
        self.order = tuple(int(number) for number in pieces[1::2])
        self._format = "%s".join(pieces[::2])

    def fill_in(self, values: Iterable[str]) -> str:
        """Return the document with the values in its slots, given in ``order``."""
        return self._format % tuple(values)
