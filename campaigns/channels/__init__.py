"""How messages leave: one class per provider behind the protocols of ``base``."""

from campaigns.channels.registry import open_email_channel, open_sms_channel

__all__ = ["open_email_channel", "open_sms_channel"]
