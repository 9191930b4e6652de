"""The qrcodes app."""

from django.apps import AppConfig


class QrcodesConfig(AppConfig):
    """The coupon and its redemption."""

    name = "qrcodes"
    verbose_name = "Coupons"
