"""Texts through Twilio (E-2)."""

import logging
from typing import Any

from django.conf import settings
from twilio.base.exceptions import TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from campaigns.channels.base import UNEXPECTED, Answer, AnswerKind, OutgoingSms
from campaigns.channels.transport import (
    AnswerLost,
    ConnectionPool,
    ProviderAdapter,
    RequestNeverLeft,
    answer_from,
    provider_code,
    use_adapter,
)

logger = logging.getLogger(__name__)


def status_callback_url(public_id: str) -> str:
    """Return the address at which Twilio reports what became of one message."""
    return f"{settings.PUBLIC_BASE_URL}/webhooks/twilio/status/{public_id}/"


class _QuietHttpClient(TwilioHttpClient):  # type: ignore[misc]
    """Twilio's HTTP client, without its six lines of log for every message."""

    def log_request(self, kwargs: dict[str, Any]) -> None:
        """Say nothing."""

    def log_response(self, status_code: int, response: Any) -> None:
        """Say nothing."""


class _Line:
    """One Twilio client with its connection; used by one thread at a time."""

    def __init__(self) -> None:
        self.adapter = ProviderAdapter(settings.PROVIDER_TIMEOUT_SECONDS)
        http_client = _QuietHttpClient(timeout=settings.PROVIDER_TIMEOUT_SECONDS)
        use_adapter(http_client.session, self.adapter)
        self._client = Client(
            settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, http_client=http_client
        )
        self._client.api.base_url = settings.TWILIO_API_BASE_URL

    def send(self, message: OutgoingSms) -> str:
        """Send one text and return Twilio's id of it."""
        # A messaging service chooses the sender out of its pool.
        if settings.TWILIO_MESSAGING_SERVICE_SID:
            sender = {"messaging_service_sid": settings.TWILIO_MESSAGING_SERVICE_SID}
        else:
            sender = {"from_": settings.TWILIO_FROM_NUMBER}
        created = self._client.messages.create(
            to=message.to,
            body=message.body,
            status_callback=status_callback_url(message.public_id),
            **sender,
        )
        return str(created.sid or "")

    def close(self) -> None:
        self.adapter.close()


class TwilioChannel:
    """The SMS channel through Twilio's Messages API."""

    def __init__(self) -> None:
        self._lines: ConnectionPool[_Line] = ConnectionPool(_Line)

    def send(self, message: OutgoingSms) -> Answer:
        """Send one text and say how it went; never raises."""
        line = self._lines.take()
        line.adapter.response = None
        try:
            provider_id, code = line.send(message), ""
        except RequestNeverLeft:
            return Answer(AnswerKind.UNREACHABLE)
        except AnswerLost:
            return Answer(AnswerKind.LOST)
        except (TwilioRestException, TwilioServiceException) as error:
            provider_id, code = "", _error_code(error)
        except Exception as error:
            # With an answer of 2xx, an unreadable one included, Twilio has the message.
            provider_id, code = "", UNEXPECTED
            logger.error("Twilio's client raised an unexpected %s", type(error).__name__)
        response = line.adapter.response
        self._lines.give_back(line)
        if response is None:
            return Answer(AnswerKind.REFUSED, code=code or UNEXPECTED)
        return answer_from(response, code=code, provider_id=provider_id)

    def close(self) -> None:
        """Close the connections that were kept open."""
        self._lines.close()


def _error_code(error: TwilioRestException | TwilioServiceException) -> str:
    """Return Twilio's error code; its client puts the HTTP status where there is none."""
    return "" if error.code == error.status else provider_code(error.code)
