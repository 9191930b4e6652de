"""The email channel over backends other than SendGrid's, and when nothing goes as it should."""

import logging
import smtplib
from collections.abc import Callable
from typing import Any

import pytest
from anymail.backends.sendgrid import SendGridPayload
from django.core import mail
from pytest_django import Settings
from requests import PreparedRequest, Response

from campaigns.channels import email as email_module
from campaigns.channels import open_email_channel, transport
from campaigns.channels.base import Answer, AnswerKind
from tests.campaigns.channels.backends import ScriptedBackend
from tests.contract.messages import an_email

REFUSED, LOST = AnswerKind.REFUSED, AnswerKind.LOST
UNREACHABLE, ACCEPTED = AnswerKind.UNREACHABLE, AnswerKind.ACCEPTED


@pytest.fixture
def scripted(settings: Settings) -> Callable[..., None]:
    settings.EMAIL_BACKEND = "tests.campaigns.channels.backends.ScriptedBackend"
    return ScriptedBackend.script


def test_any_django_backend_gets_a_whole_message(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    message = an_email(to_name="Müller, Jürgen")
    assert open_email_channel().send(message) == Answer(ACCEPTED)
    sent = mail.outbox[0].message()
    assert sent["To"] == "=?utf-8?b?TcO8bGxlciwgSsO8cmdlbg==?= <ada@example.com>"
    assert sent["List-Unsubscribe"] == "<https://coupons.example.com/u/abc.def>"
    assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert sent.get_content_type() == "multipart/related"
    alternatives, image = sent.get_payload()
    assert [part.get_content_type() for part in alternatives.get_payload()] == [
        "text/plain",
        "text/html",
    ]
    assert image["Content-ID"] == "<qr-code>"
    assert image.get_content_disposition() == "inline"
    assert image.get_payload(decode=True) == message.images[0].content


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (smtplib.SMTPAuthenticationError(535, b"ada@"),
         Answer(REFUSED, status=401, code="smtp_535")),
        (ConnectionRefusedError(), Answer(UNREACHABLE)),
        (TimeoutError(), Answer(UNREACHABLE)),
        (smtplib.SMTPServerDisconnected("ada@"), Answer(UNREACHABLE)),
        (smtplib.SMTPConnectError(421, b"ada@"), Answer(UNREACHABLE)),
        (KeyError("ada@"), Answer(REFUSED, code="unexpected")),
    ],
)  # fmt: skip
def test_a_backend_that_does_not_open_has_sent_nothing(
    scripted: Callable[..., None],
    error: Exception,
    expected: Answer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scripted(opening=error)
    assert open_email_channel().send(an_email()) == expected
    assert ScriptedBackend.given == []
    assert "ada@" not in caplog.text


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (smtplib.SMTPRecipientsRefused({"ada@": (550, b"ada@")}),
         Answer(REFUSED, status=400, code="invalid_recipient")),
        (smtplib.SMTPRecipientsRefused({"ada@": (450, b"ada@")}),
         Answer(REFUSED, status=503, code="smtp_450")),
        (smtplib.SMTPSenderRefused(553, b"ada@", "shop@"),
         Answer(REFUSED, status=400, code="smtp_553")),
        (smtplib.SMTPDataError(554, b"ada@"), Answer(REFUSED, status=400, code="smtp_554")),
        (smtplib.SMTPDataError(451, b"ada@"), Answer(REFUSED, status=503, code="smtp_451")),
        (smtplib.SMTPServerDisconnected("ada@"), Answer(LOST)),
        (TimeoutError(), Answer(LOST, code="unexpected")),
        (ConnectionResetError(), Answer(LOST, code="unexpected")),
        (KeyError("ada@"), Answer(LOST, code="unexpected")),
    ],
)  # fmt: skip
def test_what_smtp_says_becomes_an_answer(
    scripted: Callable[..., None],
    error: Exception,
    expected: Answer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scripted(sending=error)
    assert open_email_channel().send(an_email()) == expected
    assert len(ScriptedBackend.given) == 1
    assert "ada@" not in caplog.text


def test_a_message_that_a_backend_leaves_out_was_not_sent(scripted: Callable[..., None]) -> None:
    scripted(accepts=False)
    assert open_email_channel().send(an_email()) == Answer(REFUSED, code="unsupported")


def test_a_connection_in_doubt_is_not_used_again(scripted: Callable[..., None]) -> None:
    scripted(sending=smtplib.SMTPServerDisconnected())
    channel = open_email_channel()
    channel.send(an_email())
    assert ScriptedBackend.closed == 1


def test_a_connection_that_only_refused_is_kept_until_the_channel_closes(
    scripted: Callable[..., None],
) -> None:
    scripted(sending=smtplib.SMTPDataError(554, b""))
    channel = open_email_channel()
    channel.send(an_email())
    channel.send(an_email())
    assert ScriptedBackend.closed == 0
    channel.close()
    assert ScriptedBackend.closed == 1


def test_a_bug_is_logged_by_its_type_alone(
    scripted: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scripted()

    def broken(_message: object) -> None:
        raise ZeroDivisionError("ada@example.com")

    monkeypatch.setattr(email_module, "build_message", broken)
    assert open_email_channel().send(an_email()) == Answer(REFUSED, code="unexpected")
    assert "ZeroDivisionError" in caplog.text
    assert "ada@" not in caplog.text


class Canned:
    """Answers in place of the network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, status: int, body: str) -> None:
        self.requests: list[PreparedRequest] = []
        canned = self

        def send(
            adapter: transport.ProviderAdapter, request: PreparedRequest, **_options: Any
        ) -> Response:
            canned.requests.append(request)
            response = Response()
            response.status_code, response._content = status, body.encode()
            response.request = request
            adapter.response = response
            return response

        monkeypatch.setattr(transport.ProviderAdapter, "send", send)


@pytest.fixture
def sendgrid_settings(settings: Settings) -> Settings:
    settings.EMAIL_BACKEND = "anymail.backends.sendgrid.EmailBackend"
    settings.ANYMAIL = {"SENDGRID_API_KEY": "x"}
    return settings


@pytest.mark.parametrize("address", ["ada", "ada@", "ada example@example.com", ""])
def test_an_address_that_anymail_cannot_read_is_the_receivers_fault(
    sendgrid_settings: Settings, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    network = Canned(monkeypatch, 202, "")
    answer = open_email_channel().send(an_email(to=address))
    assert answer == Answer(REFUSED, code="invalid_recipient")
    assert network.requests == []


def test_a_sender_that_anymail_cannot_read_is_not_the_receivers_fault(
    sendgrid_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Canned(monkeypatch, 202, "")
    sendgrid_settings.DEFAULT_FROM_EMAIL = "Pizza, Pasta & more"
    assert open_email_channel().send(an_email()) == Answer(REFUSED, code="invalid_sender")
    assert network.requests == []


def test_a_bug_before_the_post_is_not_taken_for_the_answer_to_the_message_before(
    sendgrid_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Canned(monkeypatch, 202, "")
    channel = open_email_channel()
    assert channel.send(an_email()).kind is ACCEPTED

    def broken(_payload: object, _metadata: object) -> None:
        raise KeyError("ada@example.com")

    monkeypatch.setattr(SendGridPayload, "set_metadata", broken)
    assert channel.send(an_email()) == Answer(REFUSED, code="unexpected")
    assert len(network.requests) == 1


POSTMARK = {
    "EMAIL_BACKEND": "anymail.backends.postmark.EmailBackend",
    "ANYMAIL": {"POSTMARK_SERVER_TOKEN": "x"},
}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, '{"ErrorCode":0,"Message":"OK","MessageID":"m-1","To":"ada@example.com"}',
         Answer(ACCEPTED, provider_id="m-1")),
        (422, '{"ErrorCode":300,"Message":"Invalid \'To\' address: \'ada@example.com\'."}',
         Answer(REFUSED, code="invalid_recipient")),
        (422, '{"ErrorCode":400,"Message":"Sender signature not found: ada@example.com"}',
         Answer(REFUSED, status=422, code="400")),
        (500, "<h1>ada@example.com</h1>", Answer(REFUSED, status=500)),
        # Taken, says the status; what else it says, nobody understands.
        (200, "<h1>ada@example.com</h1>", Answer(ACCEPTED, status=200)),
    ],
)  # fmt: skip
def test_another_provider_of_anymails_works_by_settings_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, status: int, body: str, expected: Answer
) -> None:
    settings.EMAIL_BACKEND, settings.ANYMAIL = POSTMARK["EMAIL_BACKEND"], POSTMARK["ANYMAIL"]
    network = Canned(monkeypatch, status, body)
    assert open_email_channel().send(an_email()) == expected
    assert len(network.requests) == 1


def test_nothing_is_said_at_all_for_a_message_that_went_well(
    sendgrid_settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    Canned(monkeypatch, 202, "")
    assert open_email_channel().send(an_email()).kind is ACCEPTED
    assert caplog.records == []
