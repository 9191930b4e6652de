"""The customer's pages: GET only, and GET changes nothing (Q-5, Z-2)."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from config.public_page import public_page, show_page
from qrcodes.codes import parse_code, qr_payload
from qrcodes.coupon import open_coupon
from qrcodes.images import qr_png, qr_svg
from qrcodes.redeem import find_code
from qrcodes.throttle import SPAN, client_of, is_throttled, record_miss


def refuse_guessing(request: HttpRequest) -> HttpResponse:
    """Answer someone who tried too many wrong codes: the same for right and wrong ones."""
    response = show_page(request, "public/too_many.html", status=429)
    response.headers["Retry-After"] = str(int(SPAN.total_seconds()))
    return response


def show_coupon(request: HttpRequest, text: str, *, for_staff_too: bool = False) -> HttpResponse:
    """Show a coupon, or the one page that every wrong code gets."""
    who = client_of(request)
    if is_throttled(who):
        return refuse_guessing(request)
    coupon = open_coupon(text)
    if coupon is None:
        record_miss(who)
        return show_page(request, "public/not_found.html", status=404)
    context = {"coupon": coupon, "offer": coupon.qr_code.offer, "for_staff_too": for_staff_too}
    return show_page(request, "qrcodes/coupon.html", context)


@public_page
@require_safe
def coupon(request: HttpRequest, short_code: str) -> HttpResponse:
    """Show ``/c/<short_code>``."""
    return show_coupon(request, short_code)


@public_page
@require_safe
def image(request: HttpRequest, short_code: str, kind: str) -> HttpResponse:
    """Show ``/c/<short_code>.png`` or ``.svg``: the QR code alone."""
    who = client_of(request)
    if is_throttled(who):
        return HttpResponse(status=429, headers={"Retry-After": str(int(SPAN.total_seconds()))})
    code = find_code(parse_code(short_code))
    if code is None:
        record_miss(who)
        return HttpResponse(status=404)
    payload = qr_payload(code.token)
    response = (
        HttpResponse(qr_png(payload), content_type="image/png")
        if kind == "png"
        else HttpResponse(qr_svg(payload), content_type="image/svg+xml")
    )
    # The picture of a code never changes; only its own reader may keep it.
    response.headers["Cache-Control"] = "private, max-age=604800, immutable"
    return response
