"""The qrcodes app."""

from django.apps import AppConfig

from customers.privacy import register_holding


class QrcodesConfig(AppConfig):
    """The coupon and its redemption."""

    name = "qrcodes"
    verbose_name = "Coupons"

    def ready(self) -> None:
        """Have a person's coupons exported and erased with them (C-8)."""
        from qrcodes.privacy import HOLDING  # noqa: PLC0415 (models load after apps)

        register_holding(HOLDING)
