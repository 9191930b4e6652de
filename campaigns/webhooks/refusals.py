"""Why a call to a webhook is turned away, with nothing stored."""

from config.errors import DomainError


class WebhookRefused(DomainError):
    """A call that is none of ours: codes ``not_configured``, ``bad_signature``, ``malformed``."""

    @property
    def status(self) -> int:
        """The HTTP status that says so."""
        return 400 if self.code == "malformed" else 403


def bad_signature() -> WebhookRefused:
    """Return the refusal of a call whose signature is missing or does not fit."""
    return WebhookRefused("bad_signature", "The signature is missing or does not fit.")
