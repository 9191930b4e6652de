"""The campaigns app."""

from django.apps import AppConfig

from customers.privacy import (
    EncryptedColumn,
    register_encrypted_column,
    register_holding,
    register_rotation,
)


class CampaignsConfig(AppConfig):
    """The message, and everything that brings it to its customers."""

    name = "campaigns"
    verbose_name = "Campaigns"

    def ready(self) -> None:
        """Have test sends follow the rotation of keys (C-2), and people's messages erased (C-8)."""
        from campaigns import privacy  # noqa: PLC0415 (models load after apps)
        from campaigns.channels.capture import rotate_captured  # noqa: PLC0415
        from campaigns.delivery.send_tests import ADDRESS_PLACE  # noqa: PLC0415
        from campaigns.models import TestSend  # noqa: PLC0415
        from campaigns.webhooks.privacy import HOLDING  # noqa: PLC0415

        register_encrypted_column(EncryptedColumn(TestSend, "address_encrypted", ADDRESS_PLACE))
        register_rotation(rotate_captured)
        for holding in (*privacy.HOLDINGS, HOLDING):
            register_holding(holding)
