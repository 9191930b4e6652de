"""Why did this person (not) get it? An answer for every customer, campaign and channel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import F, prefetch_related_objects

from campaigns.models import Campaign, Delivery
from campaigns.moments import readable_moment
from campaigns.notices import Notice
from campaigns.reasons import reason_sentence
from campaigns.standstill import NOUNS, is_retried, notices_for
from config.clock import database_now
from customers.models import Channel, Customer, CustomerTag

Status = Campaign.Status

NOT_YET = frozenset({Status.DRAFT, Status.SCHEDULED})
# What holds up a message that could leave now; the other notices are about other messages.
_HOLD_UP = frozenset(
    {"paused", "paused_by_itself", "broker_away", "no_worker", "provider_asked_to_wait"}
)
NO_MESSAGE = "no_message"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one message: a stable code and a sentence; no channel: of all of them."""

    channel: str
    code: str
    sentence: str

    @property
    def label(self) -> str:
        """The channel's name, empty where the answer is about all of them."""
        return Channel(self.channel).label if self.channel else ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one campaign did for one customer."""

    campaign: Campaign
    answers: list[Answer]


def explain(campaign: Campaign, customer: Customer) -> list[Answer]:
    """Return what became of every message of ``campaign`` to ``customer``, or why there is none."""
    (explanation,) = explain_campaigns([campaign], customer)
    return explanation.answers


def explain_recent(customer: Customer, *, most: int) -> list[Explanation]:
    """Return the answers of the campaigns that were queued last, newest first."""
    queued = Campaign.objects.exclude(status__in=NOT_YET).filter(sent_at__isnull=False)
    return explain_campaigns(queued.order_by(F("sent_at").desc(), "-pk")[:most], customer)


def explain_campaigns(campaigns: Iterable[Campaign], customer: Customer) -> list[Explanation]:
    """Return the answers of campaigns, in their order, with a fixed number of queries."""
    listed = list(campaigns)
    prefetch_related_objects(listed, "target_segments", "excluded_segments")
    notices = notices_for(listed)
    rows: dict[int, list[Delivery]] = {}
    mine = Delivery.objects.filter(customer=customer, campaign__in=[c.pk for c in listed])
    for row in mine.order_by("channel", "step", "pk"):
        rows.setdefault(row.campaign_id, []).append(row)
    tags = frozenset(
        CustomerTag.objects.filter(customer=customer).values_list("segment_id", flat=True)
    )
    now = database_now()
    return [
        Explanation(
            campaign,
            _answers(campaign, rows[campaign.pk], notices[campaign.pk], now)
            if campaign.pk in rows
            else [_absence(campaign, customer, tags, now)],
        )
        for campaign in listed
    ]


def _answers(
    campaign: Campaign, rows: Sequence[Delivery], notices: Sequence[Notice], now: datetime
) -> list[Answer]:
    answers = [describe(row, campaign=campaign, notices=notices, now=now) for row in rows]
    written = {row.channel for row in rows}
    return answers + [
        Answer(channel, NO_MESSAGE, f"This campaign has no {noun}.")
        for channel, (noun, _) in NOUNS.items()
        if channel not in written and channel not in campaign.channels
    ]


def describe(
    delivery: Delivery,
    *,
    campaign: Campaign,
    notices: Sequence[Notice],
    now: datetime,
    brief: bool = False,
) -> Answer:
    """Return what became of one message; ``notices`` are those of its campaign.

    ``brief`` says in few words what holds the whole campaign up, for lists.
    """
    states = Delivery.Status
    reason = reason_sentence(delivery.code)
    if delivery.status == states.PENDING:
        code, sentence = _pending(delivery, notices, now, brief)
    elif delivery.status == states.SENDING:
        code, sentence = "sending", "Is being sent at this moment."
    elif delivery.status == states.SENT:
        code, sentence = _sent(delivery, now)
    elif delivery.status == states.FAILED:
        tries = f" after {delivery.attempts} tries" if delivery.attempts > 1 else ""
        code, sentence = f"failed:{delivery.code}", f"Failed for good{tries}. {reason}"
    elif delivery.status == states.UNCONFIRMED:
        code, sentence = "unconfirmed", f"{reason} {_unconfirmed(delivery, campaign, now)}"
    elif delivery.status == states.SKIPPED:
        # Whoever unsubscribes between two tries may have got the first.
        sent = "Was not tried again." if delivery.attempts else "Nothing was sent."
        code, sentence = f"skipped:{delivery.code}", f"{sent} {reason}"
    else:
        code, sentence = f"cancelled:{delivery.code}", f"Was not sent. {reason}"
    return Answer(delivery.channel, code, sentence.strip())


def _pending(
    delivery: Delivery, notices: Sequence[Notice], now: datetime, brief: bool
) -> tuple[str, str]:
    held_up = [
        notice
        for notice in notices
        if notice.code in _HOLD_UP and notice.channel in {"", delivery.channel}
    ]
    if held_up and brief:
        return f"waits:{held_up[0].code}", f"Waits: {held_up[0].short.rstrip('.')}."
    if held_up:
        return f"waits:{held_up[0].code}", " ".join(["Waits.", *(n.sentence for n in held_up)])
    if delivery.not_before <= now:
        return "waits:turn", "Waits for its turn."
    when = readable_moment(delivery.not_before, now=now)
    reason = reason_sentence(delivery.code)
    if delivery.code in {"quiet_hours", "another_campaign"}:
        return f"waits:{delivery.code}", f"Waits. {reason} It leaves {when} at the earliest."
    tries = len(settings.RETRY_BACKOFF_SECONDS) + 1
    count = f", as try {delivery.attempts + 1} of {tries}" if delivery.attempts else ""
    return "waits:next_try", f"Waits. {reason} It is tried again {when}{count}."


def _sent(delivery: Delivery, now: datetime) -> tuple[str, str]:
    def at(moment: datetime) -> str:
        return readable_moment(moment, now=now)

    parts = [f"Sent {at(delivery.sent_at)}." if delivery.sent_at else "Sent."]
    code = "sent"
    if delivery.delivered_at:
        code = "delivered"
        parts.append(f"It arrived {at(delivery.delivered_at)}.")
    if delivery.bounced_at:
        code = "bounced"
        why = reason_sentence(delivery.bounce_code) or "The provider did not say why."
        parts.append(f"It came back {at(delivery.bounced_at)}. {why}")
    if delivery.clicked_at:
        parts.append(f"A link in it was followed {at(delivery.clicked_at)}.")
    elif delivery.opened_at:
        parts.append(f"It was opened {at(delivery.opened_at)}, perhaps by the mail program alone.")
    if len(parts) == 1:
        parts.append("The provider has not reported whether it arrived.")
    return code, " ".join(parts)


def _unconfirmed(delivery: Delivery, campaign: Campaign, now: datetime) -> str:
    if is_retried(campaign, delivery.channel):
        when = readable_moment(max(delivery.not_before, now), now=now)
        return f"It is tried again by itself {when}."
    return "A person decides on the campaign's page whether it is sent again."


def _absence(campaign: Campaign, customer: Customer, tags: frozenset[int], now: datetime) -> Answer:
    """Say why there is no message at all. Tags are known as they are now, not as they were."""
    code, sentence = _why_absent(campaign, customer, tags, now)
    return Answer("", code, sentence)


def _why_absent(
    campaign: Campaign, customer: Customer, tags: frozenset[int], now: datetime
) -> tuple[str, str]:
    if campaign.status in NOT_YET:
        return _would_get(campaign, customer, tags)
    if campaign.status == Status.QUEUED and customer.pk > campaign.frozen_through:
        return "not_written_down", "The audience is still being written down: look again soon."
    if campaign.sent_at and (gone := _why_not_there(customer, campaign.sent_at, now)):
        return gone
    if outside := _why_outside(campaign, tags):
        return outside
    if customer.pk > campaign.frozen_through:
        return "never_written_down", "The campaign ended before this customer's turn had come."
    return (
        "tags_changed",
        "Belongs to the audience today, but did not when it was written down: their tags have "
        "changed since.",
    )


def _why_not_there(customer: Customer, sent_at: datetime, now: datetime) -> tuple[str, str] | None:
    if customer.erased_at and customer.erased_at <= sent_at:
        when = readable_moment(customer.erased_at, now=now)
        return "erased", f"Was erased {when}, before this campaign was sent."
    if customer.created_at > sent_at:
        came, sent = (readable_moment(m, now=now) for m in (customer.created_at, sent_at))
        sentence = f"Came to the list {came}, after the audience was written down {sent}."
        return "came_later", sentence
    return None


def _would_get(campaign: Campaign, customer: Customer, tags: frozenset[int]) -> tuple[str, str]:
    before = "This campaign has not been sent yet."
    if customer.erased_at:
        return "erased", f"{before} This customer is erased and gets nothing any more."
    if outside := _why_outside(campaign, tags):
        return outside[0], f"{before} {outside[1]}"
    says = []
    for channel in campaign.channels:
        reason = customer.exclusion_reason(channel)
        noun = NOUNS[channel][0]
        says.append(
            f"No {noun}: {reason_sentence(reason)}" if reason else f"The {noun} would be sent."
        )
    return "not_sent_yet", " ".join([before, *says])


def _why_outside(campaign: Campaign, tags: frozenset[int]) -> tuple[str, str] | None:
    excluded = [s.name for s in campaign.excluded_segments.all() if s.pk in tags]
    if excluded:
        named = _listed(excluded)
        return "excluded", f"Left out: has {named}, which this campaign excludes."
    targets = list(campaign.target_segments.all())
    if not campaign.target_all and not any(segment.pk in tags for segment in targets):
        names = [segment.name for segment in targets]
        wanted = f"has {'not' if len(names) == 1 else 'none of'} {_listed(names)}"
        return "not_in_audience", f"Not in the audience: {wanted}."
    return None


def _listed(names: Sequence[str]) -> str:
    noun = "the tag" if len(names) == 1 else "the tags"
    return f"{noun} {', '.join(f'“{name}”' for name in names)}" if names else "any tag"
