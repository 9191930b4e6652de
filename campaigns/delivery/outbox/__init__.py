"""The only place where a Delivery changes state, its counter on Campaign in the same transaction.

pending → sending (claim) → sent, failed, skipped, unconfirmed, or pending again (retry, hand back).
unconfirmed → sent (the provider's report, a person), pending again or failed (policy, a person).
Every update names the state it comes from, and while sending the lease's token: a worker that slept
through its lease changes nothing (D-3).
"""

from campaigns.delivery.outbox.counters import COUNTERS
from campaigns.delivery.outbox.ending import (
    GIVEN_UP,
    cancel_leftovers,
    cancel_pending,
    retry_failed,
)
from campaigns.delivery.outbox.sending import (
    MARGIN,
    Marked,
    claim,
    expire_calls,
    fail_claimed,
    hand_back,
    hand_back_expired,
    mark,
    record,
    skip_claimed,
)
from campaigns.delivery.outbox.settling import (
    Decision,
    Report,
    decide_unconfirmed,
    note_report,
    retried_channels,
    retry_unconfirmed,
    settle_confirmed,
)

__all__ = [
    "COUNTERS",
    "GIVEN_UP",
    "MARGIN",
    "Decision",
    "Marked",
    "Report",
    "cancel_leftovers",
    "cancel_pending",
    "claim",
    "decide_unconfirmed",
    "expire_calls",
    "fail_claimed",
    "hand_back",
    "hand_back_expired",
    "mark",
    "note_report",
    "record",
    "retried_channels",
    "retry_failed",
    "retry_unconfirmed",
    "settle_confirmed",
    "skip_claimed",
]
