"""How figures are written in pages."""

from decimal import Decimal
from typing import Any

from django import template
from django.conf import settings

register = template.Library()
NONE = "–"


@register.filter
def thousands(value: float | None) -> str:
    """Write 1234 as 1,234 and 12.5 as 12.5; a dash for None."""
    if value is None:
        return NONE
    return f"{value:,}"


@register.filter
def money(value: Any) -> str:
    """Write an amount with the business's currency: 1,234.50 EUR."""
    return f"{Decimal(value):,.2f} {settings.CURRENCY}"


@register.filter
def percent(value: float | None) -> str:
    """Write a fraction of 1 as a percentage: 12.5%; a dash for None."""
    return NONE if value is None else f"{100 * value:.1f}".removesuffix(".0") + "%"


@register.filter
def share_of(part: int, whole: int) -> float | None:
    """Return ``part`` as a fraction of ``whole``, for ``percent``; None of nothing."""
    return part / whole if whole else None
