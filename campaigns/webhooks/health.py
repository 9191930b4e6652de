"""Whether providers can tell us what became of messages, for ``doctor``."""

from django.conf import settings

from campaigns.models import ProviderEvent

SENDGRID_PATH = "/webhooks/email/sendgrid/"
TWILIO_PATH = "/webhooks/twilio/inbound/"


def find_webhook_problem() -> tuple[str, str] | None:
    """Return what is wrong and what to do about it, or None."""
    if parked := ProviderEvent.objects.parked().count():
        return (
            f"{parked:,} provider events failed again and again, and nothing follows from them.",
            "See the log for «was not acted on», mend that, then: python manage.py recover",
        )
    through_sendgrid = settings.EMAIL_BACKEND == "anymail.backends.sendgrid.EmailBackend"
    if through_sendgrid and not settings.SENDGRID_WEBHOOK_VERIFICATION_KEY:
        return (
            "SendGrid cannot tell which emails arrived, bounced or were reported as spam.",
            "At SendGrid, under Mail Settings, Event Webhooks, enter "
            f"{settings.PUBLIC_BASE_URL}{SENDGRID_PATH}, switch on the signature, and set "
            "SENDGRID_WEBHOOK_VERIFICATION_KEY to the key it shows.",
        )
    return None


def list_addresses() -> str:
    """Return, for people, the addresses that the providers in use have to know."""
    addresses = []
    if settings.SENDGRID_WEBHOOK_VERIFICATION_KEY:
        addresses.append(f"SendGrid's events at {settings.PUBLIC_BASE_URL}{SENDGRID_PATH}")
    if settings.TWILIO_AUTH_TOKEN:
        addresses.append(f"Twilio's inbound texts at {settings.PUBLIC_BASE_URL}{TWILIO_PATH}")
    return " and ".join(addresses) or "nothing, because no provider is set"
