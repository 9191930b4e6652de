"""The environment templates run in: plain values, a few filters, and nothing to reach beyond.

What a template may contain at all is decided before, on its syntax tree (``safety``); this is the
second fence, at run time.
"""

import math
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from jinja2 import ChainableUndefined
from jinja2.filters import do_title
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as ALL_TESTS

from campaigns.content.placeholders import LARGEST_NUMBER, MAX_ITEMS
from campaigns.content.slots import without_controls

LOOP_FACTS = frozenset({"index", "index0", "first", "last", "length"})
# What ``safety`` wraps around every list that is looped over; templates cannot name it.
OWN_LIST = "own_list"


class NotComputable(ValueError):
    """A calculation in a template that cannot be done with the values it got."""


class Missing(ChainableUndefined):
    """A field the customer does not have: empty as text, smaller and greater than nothing."""

    __slots__ = ()

    def _itself(self, *args: Any, **kwargs: Any) -> "Missing":
        return self

    def _never(self, *args: Any, **kwargs: Any) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment]
    __neg__ = __pos__ = _itself  # type: ignore[assignment]


def as_text(value: object) -> str:
    """Return what a value looks like in a message: a list with commas, nothing for no value."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(as_text(item) for item in value)
    if value is None or isinstance(value, dict | Missing):
        return ""
    return str(value)


def _default(value: object, other: object = "") -> object:
    """Return ``other`` for a missing or an empty value: a blank name needs its «there», too."""
    return other if value is None or value == "" or isinstance(value, Missing) else value


def _own_list(value: object) -> list[Any]:
    return value[:MAX_ITEMS] if isinstance(value, list) else []


def _join(value: object, separator: str = ", ") -> str:
    if not isinstance(value, list):
        return as_text(value)
    return str(separator).join(as_text(item) for item in value[:MAX_ITEMS])


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else ""


def _last(value: object) -> object:
    return value[-1] if isinstance(value, list) and value else ""


def _length(value: object) -> int:
    return len(value) if isinstance(value, list | str | dict) else 0


def _truncate(value: object, length: int = 255, end: str = "…") -> str:
    text = as_text(value)
    return text if len(text) <= length else text[: max(0, length - len(end))].rstrip() + end


def _number(value: object) -> float:
    """Return the number that a value is or spells; 0 for none."""
    try:
        number = float(as_text(value).strip().replace(",", "."))
    except ValueError:
        return 0
    return number if math.isfinite(number) and abs(number) < LARGEST_NUMBER else 0


def _integer(value: object) -> int:
    return int(_number(value))


def _round(value: object, precision: int = 0) -> float | int:
    number = round(_number(value), min(max(precision, 0), 10))
    return number if precision > 0 else int(number)


def _texts(function: Callable[[str], str]) -> Callable[[object], str]:
    return lambda value: function(as_text(value))


FILTERS: dict[str, Callable[..., Any]] = {
    "capitalize": _texts(str.capitalize),
    "count": _length,
    "d": _default,
    "default": _default,
    "first": _first,
    "float": _number,
    "int": _integer,
    "join": _join,
    "last": _last,
    "length": _length,
    "lower": _texts(str.lower),
    "round": _round,
    "title": _texts(do_title),
    "trim": _texts(str.strip),
    "truncate": _truncate,
    "upper": _texts(str.upper),
    "urlencode": _texts(lambda text: quote(text, safe="")),
}
TESTS = frozenset(
    {
        *("defined", "undefined", "none", "true", "false", "boolean", "number", "string"),
        *("odd", "even", "in", "==", "eq", "equalto", "!=", "ne"),
        *(">", "gt", "greaterthan", ">=", "ge", "<", "lt", "lessthan", "<=", "le"),
    }
)


class Sandbox(ImmutableSandboxedEnvironment):
    """Resolves dots and brackets to dictionary entries and list items, and to nothing else."""

    intercepted_binops = frozenset({"+", "-", "*", "/"})

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(autoescape=autoescape, undefined=Missing, finalize=_finalize, cache_size=0)
        self.globals.clear()
        self.filters = {**FILTERS, OWN_LIST: _own_list}
        self.tests = {name: ALL_TESTS[name] for name in TESTS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an entry of a dictionary or a fact about a loop."""
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else Missing(name=attribute)
        if isinstance(obj, LoopContext) and attribute in LOOP_FACTS:
            return getattr(obj, attribute)
        return Missing(name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an entry of a dictionary or an item of a list."""
        if isinstance(obj, dict):
            return obj.get(argument, Missing(name=str(argument)))
        if isinstance(obj, list) and isinstance(argument, int):
            return obj[argument] if -len(obj) <= argument < len(obj) else Missing()
        return Missing()

    def call(self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse: nothing in a template can be called."""
        raise NotComputable("a call")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Calculate with numbers of a sane size; a missing number makes the result missing."""
        for value in (left, right):
            if isinstance(value, Missing):
                return value
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise NotComputable("a calculation with something that is not a number")
        result = self.binop_table[operator](left, right)
        if not abs(result) < LARGEST_NUMBER:
            raise NotComputable("a number that is too large")
        return result


def _finalize(value: object) -> str:
    return without_controls(as_text(value))
