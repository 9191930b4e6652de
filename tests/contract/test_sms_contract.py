"""What the SMS channel posts, against Twilio's published schema."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest
from pytest_django import Settings
from twilio.http.http_client import TwilioHttpClient

from campaigns.channels import open_sms_channel
from campaigns.channels.base import Answer, AnswerKind, SmsChannel
from campaigns.channels.sms import status_callback_url
from tests.contract.messages import a_text
from tests.standins.client import StandIn
from tests.standins.twilio import FROM_NUMBER


def test_it_posts_every_parameter_as_the_schema_wants_it(
    sms_channel: SmsChannel, twilio: StandIn
) -> None:
    message = a_text(body="Grüße & 20% off: https://coupons.example.com/c/ABCDE23456 🍕")
    answer = sms_channel.send(message)
    (entry,) = twilio.ledger()
    assert parse_qs(entry.raw, strict_parsing=True) == {
        "To": [message.to],
        "From": [FROM_NUMBER],
        "Body": [message.body],
        "StatusCallback": [
            f"https://coupons.example.com/webhooks/twilio/status/{message.public_id}/"
        ],
    }
    assert entry.delivery_id == message.public_id
    assert entry.short_code == "ABCDE23456"
    assert answer == Answer(AnswerKind.ACCEPTED, status=201, provider_id=entry.provider_id)


def test_a_messaging_service_takes_the_place_of_the_number(
    twilio: StandIn, settings: Settings
) -> None:
    settings.TWILIO_MESSAGING_SERVICE_SID = "MG" + "a" * 32
    channel = open_sms_channel()
    channel.send(a_text())
    channel.close()
    form = parse_qs(twilio.ledger()[0].raw)
    assert form["MessagingServiceSid"] == ["MG" + "a" * 32]
    assert "From" not in form


def test_the_status_callback_carries_nothing_but_the_public_id() -> None:
    assert status_callback_url("1f0c") == (
        "https://coupons.example.com/webhooks/twilio/status/1f0c/"
    )


def test_it_reuses_one_connection(sms_channel: SmsChannel, twilio: StandIn) -> None:
    for _ in range(5):
        sms_channel.send(a_text())
    assert twilio.stats() == {"requests": 5, "connections": 1, "arrived": 5, "accepted": 5}


def test_many_threads_share_a_channel(sms_channel: SmsChannel, twilio: StandIn) -> None:
    messages = [a_text(to=f"+49151{n:08d}") for n in range(200)]
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(sms_channel.send, messages))
    assert {answer.kind for answer in answers} == {AnswerKind.ACCEPTED}
    found = sorted((entry.recipient, entry.delivery_id) for entry in twilio.ledger())
    assert found == sorted((message.to, message.public_id) for message in messages)


def test_an_answer_that_nobody_can_read_still_says_that_the_text_was_taken(
    sms_channel: SmsChannel, twilio: StandIn
) -> None:
    twilio.behave("answer", status=201, body="<html>created</html>", accept=True)
    assert sms_channel.send(a_text()) == Answer(AnswerKind.ACCEPTED, status=201)


def test_a_bug_before_the_post_is_not_taken_for_the_answer_to_the_text_before(
    sms_channel: SmsChannel,
    twilio: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sms_channel.send(a_text())

    def broken(*_args: object, **_options: object) -> None:
        raise KeyError("+4915112345678")

    monkeypatch.setattr(TwilioHttpClient, "request", broken)
    assert sms_channel.send(a_text()) == Answer(AnswerKind.REFUSED, code="unexpected")
    assert twilio.stats()["requests"] == 1
    assert "49151" not in caplog.text


@pytest.mark.parametrize(
    ("number", "sid"),
    [("+15005550006", ""), ("Vesuvio", ""), ("", "MG" + "0" * 32)],
)
def test_every_kind_of_sender_fits_the_schema(
    twilio: StandIn, settings: Settings, number: str, sid: str
) -> None:
    settings.TWILIO_FROM_NUMBER, settings.TWILIO_MESSAGING_SERVICE_SID = number, sid
    channel = open_sms_channel()
    assert channel.send(a_text()).kind is AnswerKind.ACCEPTED
    channel.close()
    assert twilio.violations() == []
