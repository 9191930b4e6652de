"""The stand-ins have teeth: what the providers' schemas forbid, they refuse and remember."""

import base64
import copy
import json
import time
import uuid
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from campaigns.content.sms_length import measure_sms
from qrcodes.images import qr_png
from tests.standins import sendgrid as sendgrid_words
from tests.standins import twilio as twilio_words
from tests.standins.client import StandIn

MAIL: dict[str, Any] = {
    "personalizations": [{"to": [{"email": "ada@example.com"}], "custom_args": {"a": "b"}}],
    "from": {"email": "shop@example.com", "name": "Shop"},
    "subject": "Hello",
    "content": [
        {"type": "text/plain", "value": "Hello"},
        {"type": "text/html", "value": "<p>Hello</p>"},
    ],
    "attachments": [
        {
            "content": "aGVsbG8=",
            "type": "image/png",
            "filename": "a.png",
            "disposition": "inline",
            "content_id": "a",
        }
    ],
    "headers": {"X-One": "1"},
    "custom_args": {"delivery": "1"},
}
FORM = {"To": "+4915112345678", "From": "+15005550006", "Body": "Hello"}
GONE = object()


def post_mail(standin: StandIn, mail: Any, key: str = sendgrid_words.API_KEY) -> requests.Response:
    return requests.post(
        f"{standin.url}/v3/mail/send",
        data=json.dumps(mail),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        timeout=10,
    )


def post_text(standin: StandIn, form: Any, token: str = twilio_words.AUTH_TOKEN) -> Any:
    return requests.post(
        f"{standin.url}/2010-04-01/Accounts/{twilio_words.ACCOUNT_SID}/Messages.json",
        data=urlencode(form, doseq=True),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        auth=(twilio_words.ACCOUNT_SID, token),
        timeout=10,
    )


def changed(mail: dict, path: str, value: Any) -> dict:
    mail = copy.deepcopy(mail)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    target: Any = mail
    for parent in parents:
        target = target[parent]
    if value is GONE:
        del target[last]
    else:
        target[last] = value
    return mail


def test_sendgrid_takes_what_the_schema_allows(sendgrid: StandIn) -> None:
    response = post_mail(sendgrid, MAIL)
    assert (response.status_code, response.content) == (202, b"")
    (entry,) = sendgrid.ledger()
    assert (entry.recipient, entry.delivery_id) == ("ada@example.com", "1")
    assert response.headers["X-Message-Id"] == entry.provider_id


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("from", GONE, "from"),
        ("from", {"name": "Shop"}, "from.email"),
        ("from.email", "not an address", "from.email"),
        ("personalizations", GONE, "personalizations"),
        ("personalizations", [], "personalizations"),
        ("personalizations", [MAIL["personalizations"][0]] * 1001, "personalizations"),
        ("personalizations.0.to", GONE, "personalizations.0.to"),
        ("personalizations.0.to", [], "personalizations.0.to"),
        ("personalizations.0.to.0.email", "ada@", "personalizations.0.to.0.email"),
        ("personalizations.0.to.0.address", "x", "personalizations.0.to.0.address"),
        ("personalizations.0.cc", [{"email": "ADA@example.com"}], "personalizations.0"),
        ("personalizations.0.custom_args.a", 1, "personalizations.0.custom_args.a"),
        ("personalizations.0.custom_args.a", "x" * 10_001, "personalizations.0.custom_args"),
        ("custom_args", "a string", "custom_args"),
        ("subject", "", "subject"),
        ("subject", GONE, "subject"),
        ("subject", 20, "subject"),
        ("content", GONE, "content"),
        ("content", [], "content"),
        ("content", list(reversed(MAIL["content"])), "content"),
        ("content.0.value", "", "content.0.value"),
        ("content.0.type", GONE, "content.0.type"),
        ("headers.X-One", 1, "headers.X-One"),
        ("headers.Subject", "x", "headers.Subject"),
        ("headers.reply-to", "x", "headers.reply-to"),
        ("headers.X-Two", "a\r\nBcc: b", "headers.X-Two"),
        ("attachments.0.content", "not base64!", "attachments.0.content"),
        ("attachments.0.filename", GONE, "attachments.0.filename"),
        ("attachments.0.disposition", "side", "attachments.0.disposition"),
        ("attachments.0.content_id", GONE, "attachments.0.content_id"),
        ("attachments.0.type", "image/png; name=a", "attachments.0.type"),
        ("tracking_settings", {"click_tracking": {"enable": "yes"}},
         "tracking_settings.click_tracking.enable"),
        ("send_at", "tomorrow", "send_at"),
        ("send_at", True, "send_at"),
        ("unheard_of", 1, "unheard_of"),
    ],
)  # fmt: skip
def test_sendgrid_refuses_what_the_schema_forbids(
    sendgrid: StandIn, path: str, value: Any, field: str
) -> None:
    response = post_mail(sendgrid, changed(MAIL, path, value))
    assert response.status_code == 400
    assert field in [error["field"] for error in response.json()["errors"]]
    assert sendgrid.ledger() == []
    assert any(words.startswith(f"{field}: ") for words in sendgrid.violations())


def test_sendgrid_limits_the_receivers_of_one_request(sendgrid: StandIn) -> None:
    many = [{"to": [{"email": f"c{n}@example.com"}]} for n in range(1000)]
    assert post_mail(sendgrid, changed(MAIL, "personalizations", many)).status_code == 202
    assert len(sendgrid.ledger()) == 1000
    many[0]["cc"] = [{"email": "one.more@example.com"}]
    assert post_mail(sendgrid, changed(MAIL, "personalizations", many)).status_code == 400


def test_sendgrid_knows_its_key_and_its_address(sendgrid: StandIn) -> None:
    refused = post_mail(sendgrid, MAIL, key="wrong")
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["field"] is None
    assert requests.get(f"{sendgrid.url}/v3/mail/send", timeout=10).status_code == 404
    assert sendgrid.ledger() == []


def test_twilio_takes_what_the_schema_allows(twilio: StandIn) -> None:
    callback = "https://shop.example.com/status/123/"
    response = post_text(twilio, {**FORM, "StatusCallback": callback})
    assert response.status_code == 201
    (entry,) = twilio.ledger()
    assert response.json()["sid"] == entry.provider_id
    assert (entry.recipient, entry.delivery_id) == (FORM["To"], "123")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": ""}, 21604),
        ({"To": "015112345678"}, 21211),
        ({"To": "+0123456789"}, 21211),
        ({"To": ["+4915112345678", "+4915112345679"]}, 21600),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"From": ""}, 21603),
        ({"From": "a sender that is too long"}, 21212),
        ({"MessagingServiceSid": "MG1"}, 21701),
        ({"StatusCallback": "nowhere"}, 21609),
        ({"StatusCallback": "https://under_score.example.com/"}, 21609),
        ({"Unheard": "1"}, 21600),
    ],
)
def test_twilio_refuses_what_the_schema_forbids(twilio: StandIn, change: dict, code: int) -> None:
    response = post_text(twilio, {**FORM, **change})
    assert response.status_code == 400
    assert response.json() == {
        "code": code,
        "message": response.json()["message"],
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": 400,
    }
    assert twilio.ledger() == []
    assert twilio.violations()[0].startswith(str(code))


def test_twilio_knows_its_token_and_its_address(twilio: StandIn) -> None:
    refused = post_text(twilio, FORM, token="wrong")
    assert (refused.status_code, refused.json()["code"]) == (401, 20003)
    assert requests.post(f"{twilio.url}/elsewhere", timeout=10).json()["code"] == 20404


@pytest.mark.parametrize(
    "body",
    ["x" * 160, "x" * 161, "€" * 80, "€" * 81, "x" * 152 + "€" * 9, "ж" * 70, "ж" * 71, "🍕" * 36],
)
def test_twilio_counts_segments_as_we_do(twilio: StandIn, body: str) -> None:
    post_text(twilio, {**FORM, "Body": body})
    assert twilio.ledger()[0].segments == measure_sms(body).segments


def test_it_reads_the_code_in_an_attachment_a_data_uri_and_a_substitution(
    sendgrid: StandIn,
) -> None:
    tokens = [f"7-{n}-{uuid.uuid4().hex}" for n in range(3)]
    images = [
        base64.b64encode(qr_png(f"https://shop.example.com/r/{token}")).decode() for token in tokens
    ]
    post_mail(sendgrid, changed(MAIL, "attachments.0.content", images[0]))
    uri = '<img src="data:image/png;base64,{}">'
    post_mail(sendgrid, changed(MAIL, "content.1.value", uri.format(images[1])))
    batch = changed(MAIL, "content.1.value", uri.format("-qr-"))
    post_mail(sendgrid, changed(batch, "personalizations.0.substitutions", {"-qr-": images[2]}))
    assert [entry.token for entry in sendgrid.ledger()] == tokens


def test_rules_apply_to_chosen_receivers_as_often_as_asked(sendgrid: StandIn) -> None:
    sendgrid.behave(status=503, recipients=["bad@example.com"])
    sendgrid.behave(status=429, times=1, headers={"Retry-After": "2"})
    bad = changed(MAIL, "personalizations.0.to.0.email", "bad@example.com")
    statuses = [post_mail(sendgrid, mail).status_code for mail in (bad, MAIL, MAIL, bad)]
    assert statuses == [503, 429, 202, 503]
    assert [entry.status for entry in sendgrid.arrivals()] == statuses
    assert [entry.recipient for entry in sendgrid.ledger()] == ["ada@example.com"]
    sendgrid.reset()
    assert post_mail(sendgrid, bad).status_code == 202


def test_a_rule_that_does_not_exist_is_an_error(sendgrid: StandIn) -> None:
    with pytest.raises(ValueError, match="explode"):
        sendgrid.behave("explode")


@pytest.mark.parametrize("name", ["sendgrid", "twilio"])
def test_it_runs_as_a_process_of_its_own(name: str) -> None:
    with StandIn(name) as standin:
        before = time.time()
        post_mail(standin, MAIL) if name == "sendgrid" else post_text(standin, FORM)
        standin.wait_for(lambda standin: standin.stats()["accepted"] == 1)
        (entry,) = standin.ledger()
        assert before <= entry.arrived_at <= time.time()
        assert entry.monotonic <= time.monotonic()
        assert requests.get(f"{standin.url}/_stats", timeout=10).json()["accepted"] == 1
        port = standin.port
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/_stats", timeout=2)
