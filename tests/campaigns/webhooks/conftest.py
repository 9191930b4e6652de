import pytest

from tests.standins import events, sendgrid, twilio


@pytest.fixture(autouse=True)
def providers(settings) -> None:
    """SendGrid and Twilio as they are set up in production, with the stand-ins' keys."""
    settings.SENDGRID_WEBHOOK_VERIFICATION_KEY = events.verification_key()
    settings.ANYMAIL = {
        "SENDGRID_API_KEY": sendgrid.API_KEY,
        "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": events.verification_key(),
    }
    settings.TWILIO_AUTH_TOKEN = twilio.AUTH_TOKEN
