"""What all pages outside the admin share: strict headers, and the business's name."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

P = ParamSpec("P")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
NOT_INDEXED = "noindex, nofollow, noarchive"


def public_page(view: Callable[P, HttpResponseBase]) -> Callable[P, HttpResponseBase]:
    """Give every answer of ``view`` the headers of a private page: no scripts, store or index.

    A view that sets its own Cache-Control keeps it.
    """

    @functools.wraps(view)
    def with_headers(*args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        response = view(*args, **kwargs)
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["X-Robots-Tag"] = NOT_INDEXED
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return with_headers


def show_page(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Render a page under the business's name."""
    business = {"name": settings.BUSINESS_NAME, "address": settings.BUSINESS_ADDRESS}
    return render(request, template, {"business": business, **(context or {})}, status=status)
