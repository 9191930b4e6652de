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
    PAUSE = "pause"  # it is about us, not this customer: costs no attempt, the campaign pauses
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to record: the action, our reason code, and seconds to wait before the next call.

    ``suppress`` tells that the customer must not be written to on this channel any more.
    """

    action: Action
    code: str = ""
    delay: float = 0
    provider_id: str = ""
    suppress: bool = False


SLOW_DOWN_SECONDS = 30.0
JITTER = 0.1

# The customer has opted out where we cannot see it: never write to them again.
SUPPRESSING = {"unsubscribed_at_provider"}
# Twilio's words for ours: https://www.twilio.com/docs/api/errors
TWILIO_PERMANENT = {
    "21211": "invalid_address",
    "21214": "invalid_address",
    "21217": "invalid_address",
    "21408": "rejected",
    "21610": "unsubscribed_at_provider",
    "21612": "invalid_address",
    "21614": "invalid_address",
    "21617": "rejected",
    "21635": "invalid_address",
    "30003": "rejected",
    "30004": "rejected",
    "30005": "invalid_address",
    "30006": "invalid_address",
    "30007": "filtered",
}
TWILIO_SLOW_DOWN = {"20429", "21611", "30001"}
# Account, credentials or sender: every other message would meet the same.
TWILIO_PAUSE = {
    "20003": "provider_refused_access",
    "20005": "account_suspended",
    "21212": "sender_refused",
    "21603": "sender_refused",
    "21606": "sender_refused",
    "21659": "sender_refused",
    "21701": "sender_refused",
    "21703": "sender_refused",
    "30002": "account_suspended",
}
# The email channel's words, and the field that SendGrid names for an address it does not take.
EMAIL_PERMANENT = {
    INVALID_RECIPIENT: "invalid_address",
    UNSUPPORTED: "unsupported",
    "personalizations.0.to.0.email": "invalid_address",
}
EMAIL_PAUSE = {INVALID_SENDER: "sender_refused", "from.email": "sender_refused"}
# Unauthorized, Payment Required, Forbidden: RFC 9110 15.5.
ACCESS_STATUSES = {401, 402, 403}
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
    is_sms = channel == Channel.SMS
    if status == 429 or (is_sms and answer.code in TWILIO_SLOW_DOWN):
        return Outcome(Action.SLOW_DOWN, "slow_down", answer.retry_after or SLOW_DOWN_SECONDS)
    pausing = TWILIO_PAUSE if is_sms else EMAIL_PAUSE
    if answer.code in pausing:
        return Outcome(Action.PAUSE, pausing[answer.code])
    permanent = TWILIO_PERMANENT if is_sms else EMAIL_PERMANENT
    if answer.code in permanent:
        code = permanent[answer.code]
        return Outcome(Action.FAIL, code, suppress=code in SUPPRESSING)
    if status >= 500 or status in RETRYABLE_STATUSES:
        return _retry("provider_error", attempts, backoff)
    if status in ACCESS_STATUSES:
        return Outcome(Action.PAUSE, "provider_refused_access")
    return Outcome(Action.FAIL, "unexpected" if answer.code == UNEXPECTED else "rejected")


def _retry(code: str, attempts: int, backoff: Sequence[float]) -> Outcome:
    if attempts > len(backoff):
        return Outcome(Action.FAIL, code)
    spread = random.uniform(1 - JITTER, 1 + JITTER)
    return Outcome(Action.RETRY, code, backoff[attempts - 1] * spread)
