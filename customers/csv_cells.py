"""Cells that a spreadsheet would run as a formula, made harmless (C-6)."""

# What starts a formula: https://owasp.org/www-community/attacks/CSV_Injection, and the full-width
# forms that spreadsheets in East Asian locales accept.
_STARTS_FORMULA = frozenset("=+-@＝＋－＠")


def neutralise(value: str) -> str:
    """Return ``value`` with an apostrophe in front where a spreadsheet would run it."""
    if value[:1] in {"\t", "\r", "\n"} or value.lstrip()[:1] in _STARTS_FORMULA:
        return f"'{value}"
    return value
