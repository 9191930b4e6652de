"""What the sender hands to a channel, and what comes back. Channels never touch the database."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from campaigns.content.images import InlineImage


class AnswerKind(StrEnum):
    """How a call to a provider ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # the provider answered, with an error
    UNREACHABLE = "unreachable"  # the request never left: nothing can have been sent
    LOST = "lost"  # no answer after the request was written: it may have been sent


# Codes of refusals that a channel finds out by itself rather than the provider.
INVALID_RECIPIENT = "invalid_recipient"
INVALID_SENDER = "invalid_sender"
UNSUPPORTED = "unsupported"  # the provider's library cannot express this message
UNEXPECTED = "unexpected"  # a bug; the log names the exception's type


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer to one message, in its own words.

    ``status`` is the HTTP status (for SMTP the nearest one), ``code`` the provider's own error code
    or one of those above, ``retry_after`` seconds it asked to wait. None of them holds an address.
    """

    kind: AnswerKind
    status: int | None = None
    code: str = ""
    provider_id: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class OutgoingEmail:
    """One finished email. ``public_id`` is the delivery's and the only thing a provider echoes."""

    public_id: str
    to: str
    to_name: str
    subject: str
    html: str
    text: str
    unsubscribe_url: str
    images: tuple[InlineImage, ...] = ()


@dataclass(frozen=True, slots=True)
class OutgoingSms:
    """One finished text message to an E.164 number."""

    public_id: str
    to: str
    body: str


class EmailChannel(Protocol):
    """Sends emails. ``send`` is called from several threads at once and never raises."""

    def send(self, message: OutgoingEmail) -> Answer:
        """Send one email and say how it went."""

    def close(self) -> None:
        """Close the connections that were kept open."""


class SmsChannel(Protocol):
    """Sends texts. ``send`` never raises."""

    def send(self, message: OutgoingSms) -> Answer:
        """Send one text and say how it went."""

    def close(self) -> None:
        """Close the connections that were kept open."""


def call_until(start_by: float, send: Callable[[], Answer]) -> Answer:
    """Call a provider, unless the process stood still until after ``start_by`` (monotonic)."""
    return send() if time.monotonic() < start_by else Answer(AnswerKind.UNREACHABLE)
