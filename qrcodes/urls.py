"""Addresses of the coupon: for its customer and for the till."""

from django.urls import path, re_path

from qrcodes.views import coupon, scan

app_name = "qrcodes"
urlpatterns = [
    re_path(r"^c/(?P<short_code>[^/.]{1,100})\.(?P<kind>png|svg)$", coupon.image, name="image"),
    re_path(r"^c/(?P<short_code>[^/]{1,100})/?$", coupon.coupon, name="coupon"),
    re_path(r"^r/(?P<token>[^/]{1,200})/?$", scan.code_address, name="code"),
    path("scan/", scan.scan, name="scan"),
    path("scan/sign-in/", scan.login, name="login"),
    path("scan/sign-out/", scan.logout, name="logout"),
    path("scan/confirm/<str:reference>/", scan.confirm, name="confirm"),
    path("scan/verdict/<int:attempt_id>/", scan.verdict, name="verdict"),
    path("scan/undo/<int:redemption_id>/", scan.undo, name="undo"),
]
