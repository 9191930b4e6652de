"""The channels that the settings choose. Whoever opens one closes it."""

from django.conf import settings
from django.utils.module_loading import import_string

from campaigns.channels.base import EmailChannel, SmsChannel

# By path: Twilio's client is slow to import, and most processes never need it.
SMS_CHANNELS = {
    "capture": "campaigns.channels.capture.CaptureSmsChannel",
    "twilio": "campaigns.channels.sms.TwilioChannel",
}


def open_email_channel() -> EmailChannel:
    """Return a channel that sends through EMAIL_BACKEND."""
    channel: EmailChannel = import_string("campaigns.channels.email.DjangoEmailChannel")()
    return channel


def open_sms_channel() -> SmsChannel:
    """Return the channel that SMS_BACKEND names."""
    channel: SmsChannel = import_string(SMS_CHANNELS[settings.SMS_BACKEND])()
    return channel
