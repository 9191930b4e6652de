"""The bare address: where each person's work is."""

from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def start(request: HttpRequest) -> HttpResponseRedirect:
    """Lead till staff to the scan page, and everybody else to the admin."""
    user = request.user
    at_the_till = user.is_authenticated and user.has_perm("qrcodes.redeem")
    if at_the_till and not user.has_module_perms("campaigns"):
        return redirect("qrcodes:scan")
    return redirect("admin:index")
