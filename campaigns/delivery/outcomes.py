"""Retry or not: a pure function of the provider's answer, tested as a table (D-5, D-6)."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from campaigns.channels.base import (
    INVALID_RECIPIENT,
    INVALID_SENDER,
    UNEXPECTED,
    UNSUPPORTED,
    Answer,
    AnswerKind,
)
from customers.models import Channel


class Action(StrEnum):
    """What becomes of a delivery after a call."""

    SENT = "sent"
    RETRY = "retry"
    FAIL = "fail"
    SLOW_DOWN = "slow_down"  # the provider's own limit: costs no attempt
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to record: the action, our reason code, and seconds to wait before the next call."""

    action: Action
    code: str = ""
    delay: float = 0
    provider_id: str = ""


SLOW_DOWN_SECONDS = 30.0
JITTER = 0.1

# Twilio's words for ours: https://www.twilio.com/docs/api/errors
TWILIO_PERMANENT = {
    "21211": "invalid_address",
    "21214": "invalid_address",
    "21217": "invalid_address",
    "21610": "unsubscribed_at_provider",
    "21612": "invalid_address",
    "21614": "invalid_address",
    "21617": "rejected",
    "21635": "invalid_address",
    "30004": "rejected",
    "30005": "invalid_address",
    "30006": "invalid_address",
}
TWILIO_SLOW_DOWN = {"20429", "21611", "30001"}
# The email channel's words, and the field that SendGrid names for an address it does not take.
EMAIL_PERMANENT = {
    INVALID_RECIPIENT: "invalid_address",
    INVALID_SENDER: "sender_refused",
    UNSUPPORTED: "unsupported",
    "personalizations.0.to.0.email": "invalid_address",
    "from.email": "sender_refused",
}
RETRYABLE_STATUSES = {408, 425}


def decide(*, channel: str, answer: Answer, attempts: int, backoff: Sequence[float]) -> Outcome:
    """Return what follows from ``answer`` to attempt number ``attempts`` (the first is 1).

    ``backoff`` holds the seconds before each retry; when they are used up, the delivery fails.
    """
    if answer.kind is AnswerKind.ACCEPTED:
        return Outcome(Action.SENT, provider_id=answer.provider_id)
    if answer.kind is AnswerKind.LOST:
        return Outcome(Action.UNCONFIRMED, "no_answer")
    if answer.kind is AnswerKind.UNREACHABLE:
        return _retry("provider_unreachable", attempts, backoff)
    return _refused(channel, answer, attempts, backoff)


def _refused(channel: str, answer: Answer, attempts: int, backoff: Sequence[float]) -> Outcome:
    status = answer.status or 0
    slow = status == 429 or (channel == Channel.SMS and answer.code in TWILIO_SLOW_DOWN)
    if slow:
        return Outcome(Action.SLOW_DOWN, "slow_down", answer.retry_after or SLOW_DOWN_SECONDS)
    permanent = TWILIO_PERMANENT if channel == Channel.SMS else EMAIL_PERMANENT
    if answer.code in permanent:
        return Outcome(Action.FAIL, permanent[answer.code])
    if status >= 500 or status in RETRYABLE_STATUSES:
        return _retry("provider_error", attempts, backoff)
    if status in {401, 403}:
        return Outcome(Action.FAIL, "provider_refused_access")
    return Outcome(Action.FAIL, "unexpected" if answer.code == UNEXPECTED else "rejected")


def _retry(code: str, attempts: int, backoff: Sequence[float]) -> Outcome:
    if attempts > len(backoff):
        return Outcome(Action.FAIL, code)
    spread = random.uniform(1 - JITTER, 1 + JITTER)
    return Outcome(Action.RETRY, code, backoff[attempts - 1] * spread)
