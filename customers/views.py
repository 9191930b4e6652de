"""Unsubscribe and preferences (C-7): GET shows, POST acts, the signed link is the credential."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from config.errors import DomainError
from config.public_page import public_page, show_page
from customers.unsubscribe import (
    list_preferences,
    open_preferences_link,
    set_preference,
    unsubscribe_with_one_click,
)

ONE_CLICK = "List-Unsubscribe"


@public_page
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, signed: str) -> HttpResponse:
    """Show ``/u/<signed>``, act on its buttons, and on a mail program's one click (RFC 8058).

    No cookie, no login, no CSRF token: whoever has the link may do this, and a mail provider's
    server sends nothing but the body ``List-Unsubscribe=One-Click``.
    """
    try:
        link = open_preferences_link(signed)
        if request.method != "POST":
            context = {
                "preferences": list_preferences(link),
                "saved": request.GET.get("saved", ""),
            }
            return show_page(request, "customers/preferences.html", context)
        channel = request.POST.get("channel", "")
        if ONE_CLICK in request.POST or not channel:
            unsubscribe_with_one_click(link)
            return show_page(request, "customers/unsubscribed.html", {"signed": signed})
        set_preference(link, channel=channel, subscribed=request.POST.get("subscribed") == "yes")
    except DomainError as refused:
        status = 404 if refused.code == "unknown_link" else 400
        return show_page(
            request, "customers/unknown_link.html", {"message": refused.message}, status=status
        )
    return redirect(reverse("customers:preferences", args=[signed], query={"saved": channel}))
