"""Where a page of the admin is: its heading, its title, and the way back."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.http import HttpRequest
from django.template import Context
from django.urls import reverse
from django.utils.text import capfirst

register = template.Library()


@dataclass(frozen=True, slots=True)
class Trail:
    """``links`` lead back, the nearest last: each a title and an address."""

    heading: str
    links: tuple[tuple[str, str], ...] = ()

    @property
    def page_title(self) -> str:
        """What the browser's tab says: the heading, and what it is about."""
        named = [title for title, _ in reversed(self.links) if title not in self.heading]
        return " | ".join([self.heading, *named])


@register.simple_tag(takes_context=True)
def trail(context: Context) -> Trail:
    """Return the heading and the way back of the page that is rendered."""
    title = str(context.get("title") or "")
    opts = context.get("opts")
    if opts is None:
        return Trail(title)
    plural = capfirst(str(opts.verbose_name_plural))
    if context.get("cl") is not None:
        return Trail(plural)
    name = f"admin:{opts.app_label}_{opts.model_name}"
    links = [(plural, reverse(f"{name}_changelist"))] if _may_see(context, opts) else []
    about = context.get("original") or context.get("object")
    if about is None or isinstance(about, str):
        return Trail(title, tuple(links))
    if "adminform" in context:
        return Trail(str(about), tuple(links))
    links.append((str(about), reverse(f"{name}_change", args=[about.pk])))
    return Trail(title, tuple(links))


def _may_see(context: Context, opts: Any) -> bool:
    request: HttpRequest = context["request"]
    rights = (
        f"{opts.app_label}.view_{opts.model_name}",
        f"{opts.app_label}.change_{opts.model_name}",
    )
    return any(request.user.has_perm(right) for right in rights)
