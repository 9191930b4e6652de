import pytest

from campaigns.channels.base import Answer, AnswerKind
from campaigns.delivery.outcomes import Action, decide

REFUSED = AnswerKind.REFUSED
TABLE = [
    # channel, answer, action, code
    ("email", Answer(AnswerKind.ACCEPTED, 202, provider_id="m1"), Action.SENT, ""),
    ("email", Answer(AnswerKind.LOST), Action.UNCONFIRMED, "no_answer"),
    ("email", Answer(AnswerKind.UNREACHABLE), Action.RETRY, "provider_unreachable"),
    ("email", Answer(REFUSED, 429, retry_after=7), Action.SLOW_DOWN, "slow_down"),
    ("email", Answer(REFUSED, 500), Action.RETRY, "provider_error"),
    ("email", Answer(REFUSED, 503), Action.RETRY, "provider_error"),
    ("email", Answer(REFUSED, 408), Action.RETRY, "provider_error"),
    ("email", Answer(REFUSED, 400), Action.FAIL, "rejected"),
    ("email", Answer(REFUSED, 401), Action.PAUSE, "provider_refused_access"),
    ("email", Answer(REFUSED, 403), Action.PAUSE, "provider_refused_access"),
    ("email", Answer(REFUSED, 413), Action.FAIL, "rejected"),
    ("email", Answer(REFUSED, code="invalid_recipient"), Action.FAIL, "invalid_address"),
    (
        "email",
        Answer(REFUSED, 400, code="personalizations.0.to.0.email"),
        Action.FAIL,
        "invalid_address",
    ),
    ("email", Answer(REFUSED, code="invalid_sender"), Action.PAUSE, "sender_refused"),
    ("email", Answer(REFUSED, code="unsupported"), Action.FAIL, "unsupported"),
    ("email", Answer(REFUSED, code="unexpected"), Action.FAIL, "unexpected"),
    ("sms", Answer(AnswerKind.ACCEPTED, 201, provider_id="SM1"), Action.SENT, ""),
    ("sms", Answer(AnswerKind.LOST), Action.UNCONFIRMED, "no_answer"),
    ("sms", Answer(REFUSED, 400, code="21610"), Action.FAIL, "unsubscribed_at_provider"),
    ("sms", Answer(REFUSED, 400, code="21211"), Action.FAIL, "invalid_address"),
    ("sms", Answer(REFUSED, 400, code="21614"), Action.FAIL, "invalid_address"),
    ("sms", Answer(REFUSED, 400, code="21635"), Action.FAIL, "invalid_address"),
    ("sms", Answer(REFUSED, 400, code="30004"), Action.FAIL, "rejected"),
    ("sms", Answer(REFUSED, 400, code="30005"), Action.FAIL, "invalid_address"),
    ("sms", Answer(REFUSED, 400, code="30006"), Action.FAIL, "invalid_address"),
    ("sms", Answer(REFUSED, 429, code="20429"), Action.SLOW_DOWN, "slow_down"),
    ("sms", Answer(REFUSED, 400, code="21611"), Action.SLOW_DOWN, "slow_down"),
    ("sms", Answer(REFUSED, 400, code="30001"), Action.SLOW_DOWN, "slow_down"),
    ("sms", Answer(REFUSED, 401, code="20003"), Action.PAUSE, "provider_refused_access"),
    ("email", Answer(REFUSED, 402), Action.PAUSE, "provider_refused_access"),
    ("email", Answer(REFUSED, 400, code="from.email"), Action.PAUSE, "sender_refused"),
    ("email", Answer(REFUSED, 429), Action.SLOW_DOWN, "slow_down"),
    ("email", Answer(REFUSED, 425), Action.RETRY, "provider_error"),
    ("email", Answer(REFUSED, 302), Action.FAIL, "rejected"),
    ("sms", Answer(AnswerKind.UNREACHABLE), Action.RETRY, "provider_unreachable"),
    ("sms", Answer(REFUSED, 400, code="21408"), Action.FAIL, "rejected"),
    ("sms", Answer(REFUSED, 400, code="30007"), Action.FAIL, "filtered"),
    ("sms", Answer(REFUSED, 400, code="20005"), Action.PAUSE, "account_suspended"),
    ("sms", Answer(REFUSED, 400, code="30002"), Action.PAUSE, "account_suspended"),
    ("sms", Answer(REFUSED, 400, code="21606"), Action.PAUSE, "sender_refused"),
    ("sms", Answer(REFUSED, 403), Action.PAUSE, "provider_refused_access"),
    ("sms", Answer(REFUSED, code="unexpected"), Action.FAIL, "unexpected"),
    # A number that means something to Twilio means nothing in an email's answer.
    ("email", Answer(REFUSED, 400, code="21610"), Action.FAIL, "rejected"),
    ("sms", Answer(REFUSED, 500), Action.RETRY, "provider_error"),
    ("sms", Answer(REFUSED, 400, code="99999"), Action.FAIL, "rejected"),
]


@pytest.mark.parametrize(("channel", "answer", "action", "code"), TABLE)
def test_every_answer_has_its_outcome(
    channel: str, answer: Answer, action: Action, code: str
) -> None:
    outcome = decide(channel=channel, answer=answer, attempts=1, backoff=(60, 240, 960))
    assert (outcome.action, outcome.code) == (action, code)


@pytest.mark.parametrize(("attempts", "delay"), [(1, 60), (2, 240), (3, 960)])
def test_it_waits_longer_each_time_with_jitter(attempts: int, delay: float) -> None:
    answer = Answer(REFUSED, 500)
    delays = {
        decide(channel="email", answer=answer, attempts=attempts, backoff=(60, 240, 960)).delay
        for _ in range(50)
    }
    assert len(delays) > 1
    assert all(delay * 0.9 <= each <= delay * 1.1 for each in delays)


def test_the_fourth_failure_is_the_last() -> None:
    answer = Answer(REFUSED, 500)
    outcome = decide(channel="email", answer=answer, attempts=4, backoff=(60, 240, 960))
    assert (outcome.action, outcome.code) == (Action.FAIL, "provider_error")


def test_asking_for_patience_never_uses_up_the_tries() -> None:
    answer = Answer(REFUSED, 429, retry_after=3)
    outcome = decide(channel="email", answer=answer, attempts=9, backoff=())
    assert (outcome.action, outcome.delay) == (Action.SLOW_DOWN, 3)


def test_every_code_has_a_sentence() -> None:
    from campaigns.reasons import REASONS

    codes = {code for *_, code in TABLE} - {""}
    assert codes <= REASONS.keys()


def test_only_who_unsubscribed_at_the_provider_is_suppressed() -> None:
    suppressed = {
        answer.code
        for channel, answer, *_ in TABLE
        if decide(channel=channel, answer=answer, attempts=1, backoff=()).suppress
    }
    assert suppressed == {"21610"}


def test_a_provider_that_says_how_long_is_believed_and_one_that_does_not_gets_half_a_minute() -> (
    None
):
    for wait, delay in ((7, 7), (None, 30.0)):
        answer = Answer(REFUSED, 429, retry_after=wait)
        assert decide(channel="sms", answer=answer, attempts=1, backoff=()).delay == delay
