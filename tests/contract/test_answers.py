"""Whatever a provider does becomes the right Answer, quickly, once, and without personal data."""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate

import pytest
from pytest_django import Settings

from campaigns.channels import open_email_channel, open_sms_channel
from campaigns.channels.base import Answer, AnswerKind
from tests.contract.conftest import point_at
from tests.contract.messages import a_text, an_email
from tests.standins.client import StandIn

TIMEOUT = 0.5
REFUSED, LOST, ACCEPTED = AnswerKind.REFUSED, AnswerKind.LOST, AnswerKind.ACCEPTED


class Wire:
    """One provider and our channel to it."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.is_email = standin.name == "sendgrid"
        self.channel = open_email_channel() if self.is_email else open_sms_channel()

    def send(self) -> Answer:
        return self.channel.send(an_email() if self.is_email else a_text())


@pytest.fixture(params=["sendgrid", "twilio"])
def wire(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Wire]:
    standin: StandIn = request.getfixturevalue(f"{request.param}_server")
    standin.reset()
    point_at(standin, settings)
    settings.PROVIDER_TIMEOUT_SECONDS = TIMEOUT
    wire = Wire(standin)
    # Every case also on a connection that was used before.
    assert wire.send().kind is ACCEPTED
    standin.reset()
    yield wire
    wire.channel.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 502, 503])
def test_an_error_status_is_refused_with_that_status(wire: Wire, status: int) -> None:
    wire.standin.behave(status=status, times=1)
    answer = wire.send()
    assert (answer.kind, answer.status) == (REFUSED, status)
    assert wire.standin.ledger() == []
    assert wire.send().kind is ACCEPTED
    assert wire.standin.stats()["connections"] == 1


@pytest.mark.parametrize(
    ("action", "details", "taken"),
    [
        ("close", {}, 0),
        ("drop", {}, 0),
        ("drop_unread", {}, 0),
        ("close", {"accept": True}, 1),
        ("drop", {"accept": True}, 1),
        ("garble", {}, 1),
        ("hang", {"seconds": 30}, 0),
        ("hang", {"seconds": 30, "accept": True}, 1),
        ("slow", {"seconds": 30}, 1),
        # Each piece comes well within the timeout, the whole does not.
        ("drip", {"seconds": 30}, 1),
    ],
)
def test_no_whole_answer_is_lost_in_time_and_never_posted_twice(
    wire: Wire, action: str, details: dict, taken: int
) -> None:
    wire.standin.behave(action, times=1, **details)
    started = time.monotonic()
    answer = wire.send()
    assert time.monotonic() - started < TIMEOUT + 0.4
    assert answer == Answer(LOST)
    time.sleep(0.05)
    assert wire.standin.stats()["requests"] == (0 if action == "drop_unread" else 1)
    assert len(wire.standin.ledger()) == taken
    assert wire.send().kind is ACCEPTED


def test_each_read_gets_only_what_is_left_of_the_time(
    sendgrid: StandIn, settings: Settings
) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = 1.0
    sendgrid.behave("drip", seconds=90)  # a piece every 0.9 seconds
    started = time.monotonic()
    assert Wire(sendgrid).send() == Answer(LOST)
    assert time.monotonic() - started < 1.5


def test_a_slow_answer_within_the_timeout_is_accepted(wire: Wire) -> None:
    wire.standin.behave("slow", seconds=TIMEOUT / 2)
    assert wire.send().kind is ACCEPTED


def test_an_answer_that_drips_in_within_the_timeout_is_accepted(wire: Wire) -> None:
    wire.standin.behave("drip", seconds=TIMEOUT / 3)
    assert wire.send().kind is ACCEPTED


def test_a_refused_connection_is_unreachable(wire: Wire) -> None:
    wire.standin.refuse_connections()
    try:
        assert wire.send() == Answer(AnswerKind.UNREACHABLE)
    finally:
        wire.standin.accept_connections()
    assert wire.send().kind is ACCEPTED


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_that_nobody_takes_is_unreachable_in_time(
    wire: Wire, settings: Settings, scheme: str
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        queue = [socket.socket() for _ in range(4)]
        for waiting in queue:  # the queue of the listener is full after these
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        settings.TWILIO_API_BASE_URL = address
        settings.ANYMAIL = {"SENDGRID_API_KEY": "x", "SENDGRID_API_URL": address}
        started = time.monotonic()
        assert Wire(wire.standin).send() == Answer(AnswerKind.UNREACHABLE)
        assert time.monotonic() - started < TIMEOUT + 0.4
        for waiting in queue:
            waiting.close()


def test_an_unknown_host_name_is_unreachable(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    wire.standin.refuse_connections()  # so that a new connection is needed
    wire.standin.accept_connections()

    def unknown(*_args: object, **_options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert wire.send() == Answer(AnswerKind.UNREACHABLE)
    monkeypatch.undo()
    assert wire.standin.arrivals() == []


def test_a_provider_that_cannot_prove_who_it_is_is_unreachable(
    wire: Wire, settings: Settings
) -> None:
    address = wire.standin.url.replace("http:", "https:")
    settings.TWILIO_API_BASE_URL = address
    settings.ANYMAIL = {"SENDGRID_API_KEY": "x", "SENDGRID_API_URL": f"{address}/v3/"}
    assert Wire(wire.standin).send() == Answer(AnswerKind.UNREACHABLE)
    assert wire.standin.arrivals() == []


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "999999999"}, 86_400),
        ({"Retry-After": lambda: formatdate(time.time() + 90, usegmt=True)}, 90),
        ({"Retry-After": lambda: formatdate(time.time() - 90, usegmt=True)}, 0),
        ({"X-RateLimit-Reset": lambda: str(int(time.time()) + 60)}, 60),
        ({"X-RateLimit-Reset": lambda: str(int(time.time()) + 60), "Retry-After": "3"}, 3),
        # The provider's clock is an hour ahead, and it says so.
        (
            {
                "X-RateLimit-Reset": lambda: str(int(time.time()) + 3660),
                "Date": lambda: formatdate(time.time() + 3600, usegmt=True),
            },
            60,
        ),
        ({}, None),
    ],
)
def test_a_429_says_how_long_to_wait(
    wire: Wire, headers: dict[str, str | Callable[[], str]], expected: float | None
) -> None:
    made = {name: value() if callable(value) else value for name, value in headers.items()}
    wire.standin.behave(status=429, headers=made)
    answer = wire.send()
    assert (answer.kind, answer.status) == (REFUSED, 429)
    assert answer.retry_after == (None if expected is None else pytest.approx(expected, abs=2))


def test_the_reset_time_of_a_limit_means_nothing_without_a_429(wire: Wire) -> None:
    wire.standin.behave(status=400, headers={"X-RateLimit-Reset": str(int(time.time()) + 60)})
    assert wire.send().retry_after is None


def test_a_redirect_is_refused_and_not_followed(wire: Wire) -> None:
    wire.standin.behave(status=307, headers={"Location": wire.standin.url + "/elsewhere"})
    answer = wire.send()
    assert (answer.kind, answer.status) == (REFUSED, 307)
    assert wire.standin.stats()["requests"] == 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [(21211, "21211"), (21610, "21610"), (None, "20500"), ("ada@example.com", "")],
)
def test_twilios_error_codes_are_handed_on(
    twilio: StandIn, code: int | str | None, expected: str
) -> None:
    twilio.behave(status=400, code=code)
    assert Wire(twilio).send() == Answer(REFUSED, status=400, code=expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"errors": [{"field": "personalizations.0.to.0.email", "message": "no"}]},
         "personalizations.0.to.0.email"),
        ({"errors": [{"field": None, "message": "too many requests"}]}, ""),
        ({"errors": [{"field": "null", "message": "no"}]}, ""),
        ({"errors": [{"field": "ada@example.com", "message": "no"}]}, ""),
        ({"errors": []}, ""),
        ({"ErrorCode": 406, "Message": "inactive"}, "406"),
        ([1, 2], ""),
        ("no json", ""),
    ],
)  # fmt: skip
def test_the_field_that_sendgrid_complains_about_is_handed_on(
    sendgrid: StandIn, body: object, expected: str
) -> None:
    sendgrid.behave(status=400, body=body)
    assert Wire(sendgrid).send() == Answer(REFUSED, status=400, code=expected)


def test_no_answer_and_no_log_line_holds_an_address_or_a_number(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = ["ada@example.com", "4915112345678", "Lovelace", "Hello Ada", "20% off"]
    leak = " ".join(secrets)
    body = {"errors": [{"message": leak, "field": leak}], "message": leak, "code": leak}
    rules = [
        ("answer", {"status": 400, "body": body}),
        ("answer", {"status": 500, "body": leak}),
        ("answer", {"status": 429, "headers": {"Retry-After": leak}}),
        ("answer", {"status": 201, "body": leak, "accept": True}),
        ("hang", {"seconds": 30}),
        ("drop", {}),
        ("garble", {}),
    ]
    for action, details in rules:
        wire.standin.behave(action, times=1, **details)
    answers = [wire.send() for _ in range(len(rules) + 1)]
    assert wire.standin.stats()["requests"] == len(rules) + 1
    said = caplog.text + repr(answers) + repr([record.__dict__ for record in caplog.records])
    for secret in secrets:
        assert secret not in said
