"""What a person may decide about messages nobody knows the fate of, in words (D-6).

The page, the actions on the list of deliveries and the command say the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from campaigns import lifecycle
from campaigns.delivery.outbox import Decision
from campaigns.models import Campaign, Delivery
from campaigns.standstill import NOUNS, count_messages
from config.errors import DomainError
from customers.models import Channel

# Rows settled in one transaction.
BATCH = 1_000
LABELS = {
    Decision.SEND_AGAIN: "Send again",
    Decision.COUNT_AS_SENT: "Count as sent",
    Decision.GIVE_UP: "Give up",
}
_QUESTIONS = {
    Decision.SEND_AGAIN: "Send {counted} again?",
    Decision.COUNT_AS_SENT: "Count {counted} as sent?",
    Decision.GIVE_UP: "Give up {counted}?",
}
_DONE = {
    Decision.SEND_AGAIN: "sent again",
    Decision.COUNT_AS_SENT: "counted as sent",
    Decision.GIVE_UP: "given up",
}


def decision_of(text: str) -> Decision:
    """Return the decision of this name. Raises DomainError ``unknown_decision``."""
    try:
        return Decision(text)
    except ValueError:
        raise DomainError(
            "unknown_decision",
            "Choose what becomes of these messages: send again, count as sent, or give up.",
        ) from None


def can_send_again(campaign: Campaign) -> bool:
    """Tell whether messages of this campaign may still leave."""
    status = Campaign.Status
    return campaign.status in {status.SENDING, status.PAUSED, status.COMPLETED}


def question(decision: Decision, counts: Mapping[str, int]) -> str:
    """Return what a person is asked, such as “Send 1 email and 2 texts again?”."""
    return _QUESTIONS[decision].format(counted=_counted(counts))


def consequences(decision: Decision, counts: Mapping[str, int]) -> list[str]:
    """Return what follows from a decision, for the channels in ``counts``."""
    if decision is Decision.COUNT_AS_SENT:
        return ["They count as sent in every figure. Whoever did not get one stays without it."]
    if decision is Decision.GIVE_UP:
        return [
            "They count as failed, and nobody is written to again. Whoever got one keeps it, and "
            "its coupon works."
        ]
    sentences = []
    if Channel.EMAIL in counts:
        sentences.append(
            "Whoever got the first email gets a second one with the same coupon, which is harmless."
        )
    if Channel.SMS in counts:
        sentences.append(
            "Whoever got the first text gets a second one with the same coupon, and each text "
            "costs money."
        )
    return sentences


def done_sentence(decision: Decision, count: int, channel: str = "") -> str:
    """Return what is told back, such as “2 texts are sent again.”."""
    nouns = NOUNS.get(channel, ("message", "messages"))
    counted = f"{count:,} {nouns[count != 1]} {'is' if count == 1 else 'are'}"
    return f"{counted} {_DONE[decision]}."


def _counted(counts: Mapping[str, int]) -> str:
    return " and ".join(
        count_messages(counts[channel], channel) for channel in NOUNS if counts.get(channel)
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Unconfirmed messages of several campaigns: ids by campaign, and how many by channel."""

    ids: dict[int, list[int]]
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """How many they are."""
        return sum(self.counts.values())


def choose_unconfirmed(deliveries: QuerySet[Delivery]) -> Chosen:
    """Return the unconfirmed among ``deliveries``."""
    ids: dict[int, list[int]] = {}
    counts: dict[str, int] = {}
    rows = deliveries.filter(status=Delivery.Status.UNCONFIRMED).order_by("pk")
    for campaign_id, channel, pk in rows.values_list("campaign_id", "channel", "pk"):
        ids.setdefault(campaign_id, []).append(pk)
        counts[channel] = counts.get(channel, 0) + 1
    return Chosen(ids, counts)


def settle(*, campaign_id: int, decision: Decision, ids: Sequence[int]) -> int:
    """Settle these messages of one campaign, batch by batch; return how many it settled.

    Raises what ``lifecycle.decide_unconfirmed`` raises, unless a batch before was settled.
    """
    settled = 0
    for first in range(0, len(ids), BATCH):
        try:
            settled += lifecycle.decide_unconfirmed(
                campaign_id=campaign_id, decision=decision, ids=ids[first : first + BATCH]
            )
        except DomainError:
            if not settled:
                raise
    return settled
