"""What the email channel posts, against SendGrid's published schema."""

import base64
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytest_django import Settings

from campaigns.channels import open_email_channel, transport
from campaigns.channels.base import Answer, AnswerKind, EmailChannel
from tests.contract.conftest import point_at
from tests.contract.messages import an_email, new_token
from tests.standins.client import StandIn


def posted(sendgrid: StandIn) -> dict:
    (entry,) = sendgrid.arrivals()
    assert entry.violations == []
    return json.loads(entry.raw)


def test_it_posts_every_field_as_the_schema_wants_it(
    email_channel: EmailChannel, sendgrid: StandIn
) -> None:
    message = an_email()
    answer = email_channel.send(message)

    mail = posted(sendgrid)
    anymail_id = mail["personalizations"][0].pop("custom_args")["anymail_id"]
    assert mail == {
        "personalizations": [{"to": [{"email": "ada@example.com", "name": "Ada Lovelace"}]}],
        "from": {"email": "hello@pizzeria.example", "name": "Pizzeria"},
        "subject": "20% off every pizza",
        "content": [
            {"type": "text/plain", "value": message.text},
            {"type": "text/html", "value": message.html},
        ],
        "attachments": [
            {
                "content": base64.b64encode(message.images[0].content).decode(),
                "type": "image/png",
                "filename": "coupon.png",
                "disposition": "inline",
                "content_id": "qr-code",
            }
        ],
        "headers": {
            "List-Unsubscribe": "<https://coupons.example.com/u/abc.def>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
        "custom_args": {"delivery": message.public_id},
    }
    assert answer == Answer(AnswerKind.ACCEPTED, provider_id=str(uuid.UUID(anymail_id)))


def test_the_only_address_in_the_post_is_the_receivers_own(
    email_channel: EmailChannel, sendgrid: StandIn
) -> None:
    email_channel.send(an_email(to="ada@example.com"))
    mail = posted(sendgrid)
    envelope = mail.pop("personalizations")[0]
    assert envelope.pop("to")[0]["email"] == "ada@example.com"
    assert "ada@" not in json.dumps([mail, envelope])


@pytest.mark.parametrize(
    ("fields", "name", "subject"),
    [
        ({"to_name": ""}, None, None),
        ({"to_name": 'Ada "the first", Countess'}, 'Ada "the first", Countess', None),
        ({"to_name": "Müller, Jürgen <x>; \\ "}, "Müller, Jürgen <x>; \\", None),
        ({"to_name": "Ada\r\nBcc: eve@example.com"}, "Ada Bcc: eve@example.com", None),
        ({"subject": "Pizza 🍕\r\nBcc: x@y.example"}, "Ada Lovelace", "Pizza 🍕 Bcc: x@y.example"),
        ({"to": "o'hara+pizza@xn--mnchen-3ya.example"}, "Ada Lovelace", None),
        ({"images": ()}, "Ada Lovelace", None),
        ({"text": ""}, "Ada Lovelace", None),
        ({"unsubscribe_url": ""}, "Ada Lovelace", None),
    ],
)
def test_awkward_messages_still_fit_the_schema(
    email_channel: EmailChannel, sendgrid: StandIn, fields: dict, name: str, subject: str
) -> None:
    message = an_email(**fields)
    assert email_channel.send(message).kind is AnswerKind.ACCEPTED
    mail = posted(sendgrid)
    receiver = {"email": message.to, "name": name} if name else {"email": message.to}
    assert mail["personalizations"][0]["to"] == [receiver]
    assert mail["subject"] == (subject or message.subject)


def test_many_threads_share_a_channel_and_each_message_arrives_once_as_itself(
    settings: Settings,
) -> None:
    tokens = {f"customer{n}@example.com": new_token() for n in range(500)}
    messages = [an_email(token, to=address) for address, token in tokens.items()]
    with StandIn("sendgrid") as sendgrid:
        point_at(sendgrid, settings)
        channel = open_email_channel()
        with ThreadPoolExecutor(10) as threads:
            answers = list(threads.map(channel.send, messages))
        channel.close()
        entries = sendgrid.ledger()
        assert sendgrid.stats()["connections"] <= 10
    assert {answer.kind for answer in answers} == {AnswerKind.ACCEPTED}
    assert len({answer.provider_id for answer in answers}) == 500
    found = sorted((entry.recipient, entry.delivery_id, entry.token) for entry in entries)
    assert found == sorted((each.to, each.public_id, tokens[each.to]) for each in messages)


def test_it_reuses_one_connection_even_from_new_threads(
    email_channel: EmailChannel, sendgrid: StandIn
) -> None:
    for _ in range(5):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(email_channel.send, an_email()).result()
    assert sendgrid.stats() == {"requests": 5, "connections": 1, "arrived": 5, "accepted": 5}


def test_it_does_not_trust_a_connection_that_was_idle_for_long(
    email_channel: EmailChannel, sendgrid: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    email_channel.send(an_email())
    monkeypatch.setattr(transport, "IDLE_SECONDS", 0)
    email_channel.send(an_email())
    assert sendgrid.stats()["connections"] == 2


def test_it_can_be_used_again_after_closing(email_channel: EmailChannel, sendgrid: StandIn) -> None:
    email_channel.send(an_email())
    email_channel.close()
    assert email_channel.send(an_email()).kind is AnswerKind.ACCEPTED
    assert sendgrid.stats()["connections"] == 2


def test_a_connection_that_the_provider_closed_meanwhile_is_replaced(
    email_channel: EmailChannel, sendgrid: StandIn
) -> None:
    email_channel.send(an_email())
    sendgrid.refuse_connections()
    sendgrid.accept_connections()
    assert email_channel.send(an_email()).kind is AnswerKind.ACCEPTED
    assert sendgrid.stats()["requests"] == 2


def test_proxy_variables_of_the_machine_are_not_minded(
    email_channel: EmailChannel, sendgrid: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert email_channel.send(an_email()).kind is AnswerKind.ACCEPTED
