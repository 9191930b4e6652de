"""What must hold after every fault: one checker, whatever was broken.

It reads the database and the providers' ledgers from outside, so it believes no part of the product
but the columns it reads.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.flows.business import email_of, phone_of, short_code_of
from tests.stack import Stack
from tests.standins.client import StandIn
from tests.standins.ledger import LedgerEntry

# SPEC D-6: what one worker process may be calling at an instant.
CALLS_AT_ONCE = {"email": 10, "sms": 1}
ENDED = {"sent", "failed", "skipped", "cancelled", "unconfirmed"}
# A worker that dies has read its request's answer and not yet recorded it, at most this long ago …
LONGEST_CALL_SECONDS = 3.0
# … and what it had already given to the kernel still arrives.
STRAGGLER_SECONDS = 0.5


@dataclass(frozen=True)
class Interruption:
    """A moment (Unix seconds) at which workers lost what they were calling.

    ``processes`` is how many, ``lasted`` how many seconds it went on.
    """

    at: float
    processes: int = 1
    lasted: float = 0.0

    def explains(self, entry: LedgerEntry) -> bool:
        """Tell whether the call behind this arrival can have been under way at that moment."""
        earliest = self.at - LONGEST_CALL_SECONDS
        return earliest <= entry.arrived_at <= self.at + self.lasted + STRAGGLER_SECONDS


@dataclass(frozen=True)
class Row:
    """One delivery, with its customer's number in the list and token."""

    delivery_id: str
    channel: str
    status: str
    code: str
    is_leased: bool
    customer: int
    token: str

    @property
    def address(self) -> str:
        """Where it must have gone."""
        return email_of(self.customer) if self.channel == "email" else phone_of(self.customer)


@dataclass(frozen=True)
class Figures:
    """What a campaign came to under a fault."""

    customers: int
    arrived: dict[str, int]
    rows: dict[tuple[str, str], int]
    twice: dict[str, int]
    repeats: dict[Interruption, int]  # how many emails each interruption had sent twice

    def __str__(self) -> str:
        states = ", ".join(f"{n:,} {channel} {state}" for (channel, state), n in self.rows.items())
        return (
            f"{self.customers:,} customers; {states}; lost 0, wrong code 0, "
            f"emails twice {self.twice['email']}, texts twice {self.twice['sms']}"
        )


def check_invariants(
    stack: Stack,
    campaign: int,
    *,
    customers: int,
    sendgrid: StandIn,
    twilio: StandIn | None = None,
    interruptions: Sequence[Interruption] = (),
    status: str = "completed",
) -> Figures:
    """Check everything about a campaign to ``customers`` customers that has come to its end.

    ``interruptions`` are all the moments whose calls may have been lost by our side; calls that the
    provider left without an answer are known from its ledger.
    """
    rows = read_rows(stack, campaign)
    ledgers = {"email": sendgrid, "sms": twilio}
    accepted = {
        channel: entries_of(standin, rows, channel) if standin else []
        for channel, standin in ledgers.items()
    }
    for standin in filter(None, ledgers.values()):
        assert standin.violations() == []
    found = stack.value(f"SELECT status FROM campaigns_campaign WHERE id = {campaign}")
    assert found == status
    check_all_ended(rows, is_completed=status == "completed")
    check_no_lease_is_left(rows)
    check_nobody_is_missed(stack, campaign, rows, customers)
    check_nothing_is_unknown(stack, ledgers)
    check_counters(stack, campaign, rows)
    check_one_code_each(stack, campaign)
    check_texts_come_once(accepted["sms"])
    repeats = check_repeats(accepted["email"], interruptions)
    for channel, entries in accepted.items():
        ours = [row for row in rows if row.channel == channel]
        check_ledger_agrees(ours, entries, interruptions)
        check_codes(ours, entries)
    if twilio is not None:
        check_few_texts_wait(rows, twilio.arrivals(), interruptions)
    return Figures(
        customers=customers,
        arrived={channel: len(entries) for channel, entries in accepted.items()},
        rows=dict(sorted(Counter((row.channel, row.status) for row in rows).items())),
        twice={
            channel: len(entries) - len({entry.delivery_id for entry in entries})
            for channel, entries in accepted.items()
        },
        repeats=repeats,
    )


def read_rows(stack: Stack, campaign: int) -> list[Row]:
    """Return every delivery of a campaign."""
    found = stack.rows(
        "SELECT d.public_id, d.channel, d.status, d.code, d.lease_token, d.lease_until, "
        "d.call_started_at, c.first_name, coalesce(q.token, '') FROM campaigns_delivery d "
        "JOIN customers_customer c ON c.id = d.customer_id "
        "LEFT JOIN qrcodes_qrcode q ON q.customer_id = d.customer_id "
        "AND q.campaign_id = d.campaign_id "
        f"WHERE d.campaign_id = {campaign} ORDER BY d.id"
    )
    return [
        Row(
            delivery_id=str(uuid.UUID(str(public_id))),
            channel=channel,
            status=state,
            code=code,
            is_leased=any(part is not None for part in lease),
            customer=int(name.removeprefix("Ada")),
            token=token,
        )
        for public_id, channel, state, code, *lease, name, token in found
    ]


def entries_of(standin: StandIn, rows: Sequence[Row], channel: str) -> list[LedgerEntry]:
    """Return what the provider accepted of these deliveries, in order of arrival."""
    ids = {row.delivery_id for row in rows if row.channel == channel}
    return [entry for entry in standin.ledger() if entry.delivery_id in ids]


def check_all_ended(rows: Sequence[Row], *, is_completed: bool) -> None:
    """Every row is terminal or unconfirmed; in a completed campaign only texts wait for someone."""
    assert [row for row in rows if row.status not in ENDED] == []
    if is_completed:
        unconfirmed = [row for row in rows if row.status == "unconfirmed"]
        assert [row for row in unconfirmed if row.channel == "email"] == []
    assert [row for row in rows if row.status not in {"sent"} and not row.code] == []


def check_no_lease_is_left(rows: Sequence[Row]) -> None:
    """No row is held by a worker, living or dead."""
    assert [row for row in rows if row.is_leased] == []


def check_nobody_is_missed(
    stack: Stack, campaign: int, rows: Sequence[Row], customers: int
) -> None:
    """Each customer of the audience has one row for each channel, and is counted once."""
    channels = {row.channel for row in rows}
    assert channels
    for channel in channels:
        numbers = sorted(row.customer for row in rows if row.channel == channel)
        assert numbers == list(range(customers))
    targeted = f"SELECT total_targeted FROM campaigns_campaign WHERE id = {campaign}"
    assert stack.value(targeted) == customers


def check_nothing_is_unknown(stack: Stack, ledgers: dict[str, StandIn | None]) -> None:
    """Whatever reached a provider is a delivery of ours on that channel, refused ones included."""
    known: dict[str, set[str]] = defaultdict(set)
    for public_id, channel in stack.rows("SELECT public_id, channel FROM campaigns_delivery"):
        known[channel].add(str(uuid.UUID(str(public_id))))
    for channel, standin in ledgers.items():
        if standin is not None:
            arrived = {entry.delivery_id for entry in standin.arrivals()}
            assert arrived - known[channel] == set()


def check_counters(stack: Stack, campaign: int, rows: Sequence[Row]) -> None:
    """The campaign's counters equal its rows."""
    columns = ("emails_sent", "emails_failed", "sms_sent", "sms_failed")
    query = f"SELECT {', '.join(columns)} FROM campaigns_campaign WHERE id = {campaign}"
    counted = Counter((row.channel, row.status) for row in rows)
    assert dict(zip(columns, stack.rows(query)[0], strict=True)) == {
        "emails_sent": counted["email", "sent"],
        "emails_failed": counted["email", "failed"],
        "sms_sent": counted["sms", "sent"],
        "sms_failed": counted["sms", "failed"],
    }


def check_one_code_each(stack: Stack, campaign: int) -> None:
    """Nobody has two codes of one campaign."""
    with_several = stack.rows(
        f"SELECT customer_id FROM qrcodes_qrcode WHERE campaign_id = {campaign} "
        "GROUP BY customer_id HAVING count(*) > 1"
    )
    assert with_several == []


def check_texts_come_once(entries: Sequence[LedgerEntry]) -> None:
    """A text costs money: none comes twice, whatever happens."""
    times = Counter(entry.delivery_id for entry in entries)
    assert [delivery for delivery, count in times.items() if count > 1] == []


def check_repeats(
    entries: Sequence[LedgerEntry], interruptions: Sequence[Interruption]
) -> dict[Interruption, int]:
    """Emails come again only where an answer was lost: ten for a process and interruption at most.

    Returns how many each interruption is to blame for.
    """
    arrivals: dict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in entries:
        arrivals[entry.delivery_id].append(entry)
    blamed = dict.fromkeys(interruptions, 0)
    for entry in (entry for several in arrivals.values() for entry in several[:-1]):
        if entry.status == 0:  # the provider itself gave no answer
            continue
        causes = [cause for cause in interruptions if cause.explains(entry)]
        assert causes, f"sent twice without a cause at {entry.arrived_at}: {interruptions}"
        blamed[min(causes, key=lambda cause: blamed[cause] / cause.processes)] += 1
    too_many = {
        cause: count
        for cause, count in blamed.items()
        if count > CALLS_AT_ONCE["email"] * cause.processes
    }
    assert too_many == {}
    return blamed


def check_ledger_agrees(
    rows: Sequence[Row], entries: Sequence[LedgerEntry], interruptions: Sequence[Interruption]
) -> None:
    """What is «sent» has arrived, what arrived is «sent» unless its answer was lost, and each
    message went to its own customer.
    """
    by_id = {row.delivery_id: row for row in rows}
    arrived = {entry.delivery_id for entry in entries}
    lost = [row for row in rows if row.status == "sent" and row.delivery_id not in arrived]
    assert lost == [], f"{len(lost)} lost"
    astray = [e for e in entries if e.recipient != by_id[e.delivery_id].address]
    assert astray == []
    answered = {
        entry.delivery_id
        for entry in entries
        if entry.status != 0 and not any(cause.explains(entry) for cause in interruptions)
    }
    assert [by_id[delivery] for delivery in answered if by_id[delivery].status != "sent"] == []


def check_few_texts_wait(
    rows: Sequence[Row], arrivals: Sequence[LedgerEntry], interruptions: Sequence[Interruption]
) -> None:
    """A text waits for a person where the provider gave no answer, and one for a killed process."""
    unanswered = {entry.delivery_id for entry in arrivals if entry.status == 0}
    waiting = [
        row
        for row in rows
        if (row.channel, row.status) == ("sms", "unconfirmed") and row.delivery_id not in unanswered
    ]
    assert len(waiting) <= CALLS_AT_ONCE["sms"] * sum(cause.processes for cause in interruptions)


def check_codes(rows: Sequence[Row], entries: Sequence[LedgerEntry]) -> None:
    """Every message carries its own customer's code: in the picture as a phone reads it."""
    tokens = {row.delivery_id: row.token for row in rows}
    wrong = []
    for entry in entries:
        token = tokens[entry.delivery_id]
        assert token
        found: Any = entry.token if entry.channel == "email" else entry.short_code
        expected = token if entry.channel == "email" else short_code_of(token)
        if found != expected:
            wrong.append((entry.delivery_id, found, expected))
    assert wrong == []


def check_consent(
    entries: Sequence[LedgerEntry], opted_out: dict[str, float], *, seconds: float
) -> tuple[int, float]:
    """Whoever opted out gets nothing but what was being called at that instant.

    ``opted_out`` is address → Unix time just after the commit; ``seconds`` is how long a call may
    take until it arrives. Returns how many arrived later than that commit, and how late at most.
    """
    late = [
        entry.arrived_at - opted_out[entry.recipient]
        for entry in entries
        if entry.arrived_at > opted_out.get(entry.recipient, entry.arrived_at)
    ]
    assert max(late, default=0) <= seconds, f"{max(late):.2f} s after its customer opted out"
    return len(late), max(late, default=0)
