"""The till's pages: look, confirm, verdict; each POST ends in a redirect, so a reload is harmless.

They work without JavaScript, with a phone's keyboard or a USB scanner. No code is in an address:
between look and confirm travels a signed reference that only its own user can use.
"""

import functools
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView, redirect_to_login
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from config.clock import database_now
from config.errors import DomainError
from config.public_page import public_page, show_page
from qrcodes.models import Location, Offer, QRCode, Redemption, ScanAttempt, Source
from qrcodes.redeem import check_code, examine_code, redeem_code
from qrcodes.throttle import client_of, is_throttled, record_miss
from qrcodes.undo_redemption import undo_redemption
from qrcodes.verdicts import Verdict, say_amount
from qrcodes.views.coupon import refuse_guessing, show_coupon

P = ParamSpec("P")

REDEEM_RIGHT = "qrcodes.redeem"
UNDO_RIGHT = "qrcodes.undo_redemption"
_SALT = "qrcodes.scan"
# A look that old is no longer what the till sees.
LOOK_LASTS = timedelta(minutes=15)
RECENT_SCANS = 20


class StaffRequest(HttpRequest):
    """A request whose user may redeem."""

    user: User


@dataclass(frozen=True, slots=True)
class _Look:
    """A code that was looked at, and the nonce that confirming it will use (X-3)."""

    code: QRCode
    nonce: str


def till_page(
    view: Callable[Concatenate[StaffRequest, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Let in who is signed in and may redeem; send others to sign in, or say what is missing."""

    @public_page
    @functools.wraps(view)
    def guarded(request: StaffRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            # Only a GET can be repeated after signing in.
            back = request.get_full_path() if request.method == "GET" else reverse("qrcodes:scan")
            return redirect_to_login(back, login_url=reverse("qrcodes:login"))
        if not request.user.has_perm(REDEEM_RIGHT):
            return show_page(request, "qrcodes/forbidden.html", status=403)
        return view(request, *args, **kwargs)

    return guarded


login = public_page(
    LoginView.as_view(
        template_name="qrcodes/login.html",
        next_page="qrcodes:scan",
        extra_context={"business": {"name": settings.BUSINESS_NAME}},
    )
)
logout = public_page(LogoutView.as_view(next_page="qrcodes:login"))


def _sign_look(code_id: int, user: User) -> str:
    return signing.dumps([code_id, user.pk, secrets.token_urlsafe(24)], salt=_SALT)


def _read_look(reference: str, user: User) -> _Look | None:
    """Return what was looked at, or None when it was long ago, somebody else, or made up."""
    try:
        code_id, user_id, nonce = signing.loads(reference, salt=_SALT, max_age=LOOK_LASTS)
    except signing.BadSignature:
        return None
    code = QRCode.objects.select_related("offer", "customer").filter(pk=code_id).first()
    return _Look(code, nonce) if code and user_id == user.pk else None


def _chosen_location(request: StaffRequest) -> Location | None:
    return Location.objects.filter(pk=request.session.get("location") or 0).first()


def _remember_location(request: StaffRequest) -> Location | None:
    raw = request.POST.get("location", "")
    if raw.isdecimal() and len(raw) < 19:
        request.session["location"] = int(raw)
    return _chosen_location(request)


def _recent_scans(user: User) -> list[dict[str, Any]]:
    midnight = timezone.localtime(database_now()).replace(hour=0, minute=0, second=0, microsecond=0)
    attempts = (
        ScanAttempt.objects.filter(staff=user, at__gte=midnight)
        .select_related("qr_code__offer", "location", "redemption")
        .order_by("-at")[:RECENT_SCANS]
    )
    return [
        {
            "attempt": attempt,
            "offer": attempt.answer["offer"] or "Unknown code",
            "undone": attempt.accepted and attempt.redemption.undone_at is not None,
            "message": attempt.answer["message"],
        }
        for attempt in attempts
    ]


def _scan_form(request: StaffRequest, **more: Any) -> dict[str, Any]:
    return {
        "locations": Location.objects.all(),
        "chosen": _chosen_location(request),
        **more,
    }


def _show_scan(request: StaffRequest, *, error: str = "", status: int = 200) -> HttpResponse:
    context = _scan_form(
        request,
        error=error,
        scans=_recent_scans(request.user),
        said=request.session.pop("said", ""),
    )
    return show_page(request, "qrcodes/scan.html", context, status=status)


@till_page
@require_http_methods(["GET", "HEAD", "POST"])
def scan(request: StaffRequest) -> HttpResponse:
    """Take a scanned or typed code and look at it (step 1)."""
    if request.method != "POST":
        return _show_scan(request)
    location = _remember_location(request)
    text = request.POST.get("code", "")
    if not text.strip():
        return _show_scan(request, error="Scan a code or type it in.", status=400)
    who = client_of(request)
    if is_throttled(who):
        return refuse_guessing(request)
    verdict = check_code(text=text, source=Source.SCAN_PAGE, location=location, staff=request.user)
    if verdict.reason == "not_found":
        record_miss(who)
    if not verdict.is_accepted or not verdict.qr_code_id:
        return redirect("qrcodes:verdict", attempt_id=verdict.attempt_id)
    return redirect("qrcodes:confirm", reference=_sign_look(verdict.qr_code_id, request.user))


def _show_confirm(
    request: StaffRequest, code: QRCode, reference: str, *, error: str = ""
) -> HttpResponse:
    minimum = code.offer.minimum_amount
    context = _scan_form(
        request,
        code=code,
        offer=code.offer,
        minimum=say_amount(minimum) if minimum else "",
        currency=settings.CURRENCY,
        amount=request.POST.get("amount", ""),
        discount=request.POST.get("discount", ""),
        reference=reference,
        error=error,
    )
    return show_page(request, "qrcodes/confirm.html", context, status=400 if error else 200)


def _say_missing(offer: Offer, *, amount: str, discount: str) -> str:
    """Return what the till must still type for this offer, or nothing."""
    if offer.minimum_amount and not amount:
        return "Type the bill: this coupon has a minimum."
    if offer.max_discount is not None and not discount:
        return "Type the discount you give: this offer ends when a certain sum is given away."
    return ""


@till_page
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: StaffRequest, reference: str) -> HttpResponse:
    """Show the coupon that was looked at, and redeem it when confirmed (step 2)."""
    look = _read_look(reference, request.user)
    if look is None:
        request.session["said"] = "That was a while ago: scan the code again."
        return redirect("qrcodes:scan")
    if request.method != "POST":
        verdict = examine_code(text=look.code.token)
        if not verdict.is_accepted:
            return _show_verdict(request, verdict)
        return _show_confirm(request, look.code, reference)
    location = _remember_location(request)
    amount = request.POST.get("amount", "").strip()
    discount = request.POST.get("discount", "").strip()
    if missing := _say_missing(look.code.offer, amount=amount, discount=discount):
        return _show_confirm(request, look.code, reference, error=missing)
    try:
        verdict = redeem_code(
            text=look.code.token,
            source=Source.SCAN_PAGE,
            nonce=look.nonce,
            amount=amount,
            discount=discount,
            location=location,
            staff=request.user,
        )
    except DomainError as refused:
        return _show_confirm(request, look.code, reference, error=refused.message)
    return redirect("qrcodes:verdict", attempt_id=verdict.attempt_id)


def _show_verdict(
    request: StaffRequest, verdict: Verdict, attempt: ScanAttempt | None = None
) -> HttpResponse:
    redemption = None
    if verdict.redemption_id:
        redemption = Redemption.history.filter(pk=verdict.redemption_id).first()
    may_undo = (
        redemption is not None
        and redemption.undone_at is None
        and request.user.has_perm(UNDO_RIGHT)
        and database_now() - redemption.redeemed_at
        < timedelta(minutes=settings.REDEMPTION_UNDO_MINUTES)
    )
    bill = redemption.amount if redemption else None
    context = _scan_form(
        request,
        verdict=verdict,
        attempt=attempt,
        redemption=redemption,
        amount="" if bill is None else say_amount(bill),
        may_undo=may_undo,
    )
    return show_page(request, "qrcodes/verdict.html", context)


@till_page
@require_safe
def verdict(request: StaffRequest, attempt_id: int) -> HttpResponse:
    """Show how one of this user's own scans ended."""
    attempt = ScanAttempt.objects.filter(pk=attempt_id, staff=request.user).first()
    if attempt is None:
        return show_page(request, "public/not_found.html", status=404)
    return _show_verdict(request, Verdict.from_attempt(attempt), attempt)


@till_page
@require_http_methods(["GET", "HEAD", "POST"])
def undo(request: StaffRequest, redemption_id: int) -> HttpResponse:
    """Ask why, and take a redemption back (X-6)."""
    redemption = Redemption.objects.select_related("offer").filter(pk=redemption_id).first()
    if redemption is None or not request.user.has_perm(UNDO_RIGHT):
        return show_page(request, "public/not_found.html", status=404)
    error = ""
    if request.method == "POST":
        try:
            undo_redemption(
                redemption_id=redemption_id,
                reason=request.POST.get("reason", ""),
                user=request.user,
            )
        except DomainError as refused:
            error = refused.message
        else:
            request.session["said"] = "Undone: the coupon can be used again."
            return redirect("qrcodes:scan")
    context = {"redemption": redemption, "error": error}
    return show_page(request, "qrcodes/undo.html", context, status=400 if error else 200)


@public_page
@require_safe
def code_address(request: HttpRequest, token: str) -> HttpResponseBase:
    """Show ``/r/<token>``: the coupon to its customer, the redeem page to the till."""
    user = request.user
    if not isinstance(user, User) or not user.has_perm(REDEEM_RIGHT):
        return show_coupon(request, token, for_staff_too=True)
    who = client_of(request)
    if is_throttled(who):
        return refuse_guessing(request)
    found = examine_code(text=token)
    if found.reason == "not_found":
        record_miss(who)
    staff_request = cast(StaffRequest, request)
    if not found.is_accepted or not found.qr_code_id:
        return _show_verdict(staff_request, found)
    code = QRCode.objects.select_related("offer", "customer").get(pk=found.qr_code_id)
    return _show_confirm(staff_request, code, _sign_look(code.pk, user))
