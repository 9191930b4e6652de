"""Where each person's work is: the bare address, and the admin's home."""

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def start(request: HttpRequest) -> HttpResponseRedirect:
    """Lead till staff to the scan page, and everybody else to the admin."""
    return redirect("qrcodes:scan" if _works_at_the_till(request.user) else "admin:index")


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the admin's home; whoever has nothing to do there is led to the scan page."""
    if _works_at_the_till(request.user):
        return redirect("qrcodes:scan")
    shown: HttpResponse = admin.site.admin_view(admin.site.index)(request)
    return shown


def _works_at_the_till(user: User | AnonymousUser) -> bool:
    """Whether this person redeems coupons and has no campaigns to look after."""
    at_the_till = user.is_authenticated and user.has_perm("qrcodes.redeem")
    return at_the_till and not user.has_module_perms("campaigns")
