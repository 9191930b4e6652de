"""Marks in a document where a customer's values go.

The marks are noncharacters, which Unicode keeps for a program's own use: no text holds them, and
HTML parsers pass them on.
"""

import re
from collections.abc import Iterable

OPEN, CLOSE = "\ufdd0", "\ufdd1"
_MARK = re.compile(f"{OPEN}([0-9]+){CLOSE}")
# Control characters but for white space, and the noncharacters that the marks are from.
_CONTROLS = dict.fromkeys([*range(9), 11, *range(14, 32), *range(127, 160), *range(0xFDD0, 0xFDF0)])


def mark(number: int) -> str:
    """Return the mark of the slot of this number."""
    return f"{OPEN}{number}{CLOSE}"


def without_controls(text: str) -> str:
    """Return a text without the characters that are not for reading, marks among them."""
    return text if text.isprintable() else text.translate(_CONTROLS)


class Form:
    """A document with slots, ready to be filled in; ``order`` lists the slots as they come."""

    def __init__(self, document: str) -> None:
        pieces = _MARK.split(document.replace("%", "%%"))
        self.order = tuple(int(number) for number in pieces[1::2])
        self._format = "%s".join(pieces[::2])

    def fill_in(self, values: Iterable[str]) -> str:
        """Return the document with the values in its slots, given in ``order``."""
        return self._format % tuple(values)
