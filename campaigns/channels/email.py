"""Email through whatever EMAIL_BACKEND names: anymail's backends, SMTP, or capture (E-1)."""

import logging
import smtplib
from collections.abc import Iterator
from email.mime.image import MIMEImage
from email.utils import quote

from anymail.exceptions import (
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailUnsupportedFeature,
)
from anymail.message import AnymailMessage
from anymail.utils import parse_address_list
from django.conf import settings
from django.core.mail import get_connection
from requests import Response

from campaigns.channels.base import (
    INVALID_RECIPIENT,
    INVALID_SENDER,
    UNEXPECTED,
    UNSUPPORTED,
    Answer,
    AnswerKind,
    OutgoingEmail,
)
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

# The name of our id in a message's metadata: SendGrid's custom args, and so its events, carry it.
METADATA_KEY = "delivery"
# Where anymail's providers put their own error code, in the order in which they are looked for.
_CODE_KEYS = ("field", "code", "ErrorCode", "error_code", "name", "type")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _mailbox(name: str, address: str) -> str:
    name = _one_line(name)
    return f'"{quote(name)}" <{address}>' if name else address


def build_message(outgoing: OutgoingEmail) -> AnymailMessage:
    """Return the Django message of ``outgoing``, with one-click unsubscribing (RFC 8058)."""
    headers = {}
    if outgoing.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{outgoing.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message = AnymailMessage(
        subject=_one_line(outgoing.subject),
        body=outgoing.text,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[_mailbox(outgoing.to_name, outgoing.to)],
        headers=headers,
        metadata={METADATA_KEY: outgoing.public_id},
    )
    if outgoing.html:
        message.attach_alternative(outgoing.html, "text/html")
    for image in outgoing.images:
        part = MIMEImage(image.content, image.subtype)
        part.add_header("Content-Disposition", "inline", filename=image.file_name)
        part.add_header("Content-ID", f"<{image.content_id}>")
        message.attach(part)
        message.mixed_subtype = "related"
    return message


class Mailer:
    """One open connection of the configured backend; used by one thread at a time."""

    def __init__(self) -> None:
        self._backend = get_connection()
        self._adapter: ProviderAdapter | None = None

    def send(self, message: AnymailMessage) -> Answer:
        """Send one message and say how it went; never raises."""
        try:
            self._open()
        except Exception as error:
            return _answer_to_opening(error)
        if self._adapter:
            self._adapter.response = None
        try:
            taken = self._backend.send_messages([message])
        except Exception as error:
            return self._answer_to_sending(error, message)
        if not taken:
            return Answer(AnswerKind.REFUSED, code=UNSUPPORTED)
        provider_id = message.anymail_status.message_id or getattr(message, "captured_as", "")
        return Answer(AnswerKind.ACCEPTED, provider_id=str(provider_id))

    def close(self) -> None:
        """Close the connection; the next message opens it again."""
        try:
            self._backend.close()
        except Exception as error:
            logger.warning("closing an email connection: %s", type(error).__name__)

    def _open(self) -> None:
        if self._backend.open() and hasattr(self._backend, "session"):
            self._adapter = ProviderAdapter(settings.PROVIDER_TIMEOUT_SECONDS)
            use_adapter(self._backend.session, self._adapter)

    def _answer_to_sending(self, error: Exception, message: AnymailMessage) -> Answer:
        response = self._adapter.response if self._adapter else None
        if isinstance(error, RequestNeverLeft):
            return Answer(AnswerKind.UNREACHABLE)
        if isinstance(error, AnswerLost):
            return Answer(AnswerKind.LOST)
        if isinstance(error, smtplib.SMTPException):
            return _answer_by_smtp(error)
        if code := _own_code(error, message):
            return Answer(AnswerKind.REFUSED, code=code)
        if response is not None:
            return answer_from(response, code=_error_code(response))
        logger.error("an email was not sent: unexpected %s", type(error).__name__)
        # Without our adapter nobody knows whether something had been written already.
        return Answer(AnswerKind.REFUSED if self._adapter else AnswerKind.LOST, code=UNEXPECTED)


def _own_code(error: Exception, message: AnymailMessage) -> str:
    """Return the code of a refusal that anymail itself speaks out, or nothing."""
    if isinstance(error, AnymailRecipientsRefused):
        return INVALID_RECIPIENT
    if isinstance(error, AnymailInvalidAddress):
        return INVALID_SENDER if _is_mailbox(message.to) else INVALID_RECIPIENT
    return UNSUPPORTED if isinstance(error, AnymailUnsupportedFeature) else ""


def _is_mailbox(addresses: list[str]) -> bool:
    try:
        return bool(parse_address_list(addresses))
    except AnymailInvalidAddress:
        return False


def _error_code(response: Response) -> str:
    """Return the provider's own code for an error, such as SendGrid's name of the wrong field."""
    try:
        body = response.json()
    except ValueError:
        return ""
    return next(filter(None, map(provider_code, _code_words(body))), "")


def _code_words(body: object) -> Iterator[object]:
    if isinstance(body, dict):
        errors = body.get("errors")
        if isinstance(errors, list) and errors:
            yield from _code_words(errors[0])
        yield from (body[key] for key in _CODE_KEYS if key in body)


def _answer_to_opening(error: Exception) -> Answer:
    """Return what a connection that could not be opened means: nothing was sent in any case."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Answer(AnswerKind.REFUSED, status=401, code=f"smtp_{error.smtp_code}")
    if isinstance(error, OSError):
        return Answer(AnswerKind.UNREACHABLE)
    logger.error("the email backend did not open: unexpected %s", type(error).__name__)
    return Answer(AnswerKind.REFUSED, code=UNEXPECTED)


def _answer_by_smtp(error: smtplib.SMTPException) -> Answer:
    """Return what an SMTP reply means, its status as the nearest HTTP one.

    RFC 5321 4.2.1: 4yz may work later, 5yz will not.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        number = next(iter(error.recipients.values()))[0]
        code = INVALID_RECIPIENT if number >= 500 else f"smtp_{number}"
    elif isinstance(error, smtplib.SMTPResponseException):
        number, code = error.smtp_code, f"smtp_{error.smtp_code}"
    else:
        return Answer(AnswerKind.LOST)
    return Answer(AnswerKind.REFUSED, status=400 if number >= 500 else 503, code=code)


class DjangoEmailChannel:
    """The email channel: connections of EMAIL_BACKEND, each used for message after message."""

    def __init__(self) -> None:
        self._mailers: ConnectionPool[Mailer] = ConnectionPool(Mailer)

    def send(self, message: OutgoingEmail) -> Answer:
        """Send one email and say how it went; never raises."""
        try:
            composed = build_message(message)
            mailer = self._mailers.take()
        except Exception as error:
            logger.error("an email was not composed: unexpected %s", type(error).__name__)
            return Answer(AnswerKind.REFUSED, code=UNEXPECTED)
        answer = mailer.send(composed)
        if answer.kind in {AnswerKind.UNREACHABLE, AnswerKind.LOST}:
            # Nobody knows what state such a connection is in.
            mailer.close()
        else:
            self._mailers.give_back(mailer)
        return answer

    def close(self) -> None:
        """Close the connections that were kept open."""
        self._mailers.close()
