"""Cells that a spreadsheet would run as a formula, made harmless, and read back (C-6)."""

import re

# What starts a formula: https://owasp.org/www-community/attacks/CSV_Injection, and the full-width
# forms that spreadsheets in East Asian locales accept. An apostrophe before digits is what Shopify
# and Square write. What holds apostrophes itself is guarded too, so that ``restore`` is the exact
# inverse of ``neutralise``, with or without the spaces around a cell.
_GUARDED = re.compile(r"[\s']*[=+\-@＝＋－＠]|'*[\t\r\n]|[\s']*'[\s']*\d+\s*\Z")


def neutralise(value: str) -> str:
    """Return ``value`` with an apostrophe in front where a spreadsheet would run it."""
    return f"'{value}" if _GUARDED.match(value) else value


def restore(cell: str) -> str:
    """Return what ``neutralise`` was given: a cell without the apostrophe that guards it."""
    return cell[1:] if cell.startswith("'") and _GUARDED.match(cell) else cell
