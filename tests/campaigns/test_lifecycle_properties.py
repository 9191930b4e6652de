"""Whatever people, workers and the sweeper do, in whatever order: the rules of a campaign's life.

Triggers in the database note every change of state, so that a move cannot hide inside a step.
"""

import contextlib
import random
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.db.models import F
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from campaigns import audience, lifecycle
from campaigns.channels.base import Answer, AnswerKind
from campaigns.check_campaign import CheckFailed
from campaigns.delivery import outbox, stops, sweeper, wake
from campaigns.delivery.outcomes import decide
from campaigns.delivery.pacing import Lane
from campaigns.delivery.sender import Turn
from campaigns.models import Campaign, Delivery, Pace
from config.clock import database_now
from config.errors import DomainError
from customers.consent import record_consent
from customers.models import Customer
from tests.factories import CampaignFactory, CustomerFactory, OfferFactory

# As the specification writes them (M-2).
CAMPAIGN_MOVES = {
    "draft": {"scheduled", "queued"},
    "scheduled": {"draft", "queued", "cancelled"},
    "queued": {"sending", "failed", "cancelled"},
    "sending": {"paused", "completed", "failed", "cancelled"},
    "paused": {"sending", "cancelled"},
    "completed": {"sending"},
    "failed": {"queued"},
    "cancelled": set(),
}
DELIVERY_MOVES = {
    "pending": {"sending", "skipped", "cancelled", "sent"},
    "sending": {"pending", "sent", "failed", "skipped", "unconfirmed", "cancelled"},
    "unconfirmed": {"pending", "failed", "sent"},
    "sent": set(),
    "skipped": set(),
    "cancelled": set(),
    "failed": set(),
}
# What these steps bring about without fail; other moves are rare.
OFTEN_CAMPAIGN = [
    *[("draft", "queued"), ("draft", "scheduled"), ("scheduled", "queued"), ("queued", "sending")],
    *[("sending", "paused"), ("paused", "sending"), ("sending", "completed")],
    *[("completed", "sending"), ("sending", "cancelled"), ("paused", "cancelled")],
]
OFTEN_DELIVERY = [
    *[("pending", status) for status in ("sending", "skipped", "cancelled")],
    *[("sending", status) for status in ("sent", "failed", "pending", "unconfirmed")],
    *[("unconfirmed", "pending"), ("failed", "pending")],
]
# What only a person, and what only a provider's report, may bring about.
AFTER_RETRY = {"failed": {"pending"}}
AFTER_REPORT = {status: {"sent"} for status in ("failed", "cancelled", "skipped")}
ACCEPTED = Answer(AnswerKind.ACCEPTED, 202, provider_id="m")
REFUSED = Answer(AnswerKind.REFUSED, 400)
# How a provider feels: what it may answer to each message of a call.
MOODS = [
    *[[ACCEPTED]] * 2,
    [REFUSED],
    [
        *[ACCEPTED, REFUSED, Answer(AnswerKind.LOST), Answer(AnswerKind.UNREACHABLE)],
        *[Answer(AnswerKind.REFUSED, status) for status in (429, 500, 503)],
    ],
]
SWEEPS = [
    *[outbox.hand_back_expired, outbox.expire_calls, outbox.settle_confirmed],
    *[outbox.retry_unconfirmed, outbox.cancel_leftovers, stops.pause_stopped],
    *[sweeper.start_scheduled, sweeper.restart_queued],
    *[sweeper.finish_campaigns, sweeper.reopen_campaigns],
]
QUICK = 2
STEPS = [
    *["step_of_worker"] * 6,
    *["send_what_is_due", "ask"] * 4,
    *["freeze", "let_time_pass", "sweep", "oversleep"] * 2,
    *["step_of_sweeper", "change_consent", "report", "decide_unconfirmed"],
]


NOTE_CAMPAIGN = """INSERT INTO noted VALUES ('campaign', NEW.id, OLD.status, NEW.status, '', '')"""
NOTE_DELIVERY = """INSERT INTO noted VALUES ('delivery', NEW.id, OLD.status, NEW.status,
    (SELECT status FROM campaigns_campaign WHERE id = NEW.campaign_id),
    CAST(OLD.lease_token AS VARCHAR(36)))"""
NOTE_CALL = NOTE_DELIVERY.replace("'delivery'", "'call'")
TRIGGERS = {
    "note_campaign": ("campaigns_campaign", "OLD.status <> NEW.status", NOTE_CAMPAIGN),
    "note_delivery": ("campaigns_delivery", "OLD.status <> NEW.status", NOTE_DELIVERY),
    "note_call": (
        "campaigns_delivery",
        "OLD.call_started_at IS NULL AND NEW.call_started_at IS NOT NULL",
        NOTE_CALL,
    ),
}


T = TypeVar("T")


@dataclass(frozen=True)
class Noted:
    """One change of state; ``campaign`` is the campaign's state at that instant."""

    kind: str
    id: int
    old: str
    new: str
    campaign: str
    lease: uuid.UUID | None


def note_every_move() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE noted (kind varchar(9), id bigint, old varchar(11),"
            " new varchar(11), campaign varchar(11), lease varchar(36))"
        )
        for name, (table, condition, note) in TRIGGERS.items():
            if connection.vendor == "postgresql":
                cursor.execute(
                    f"CREATE FUNCTION pg_temp.{name}() RETURNS trigger LANGUAGE plpgsql"
                    f" AS $$ BEGIN {note}; RETURN NULL; END $$"
                )
                cursor.execute(
                    f"CREATE TRIGGER {name} AFTER UPDATE ON {table} FOR EACH ROW"
                    f" WHEN ({condition}) EXECUTE FUNCTION pg_temp.{name}()"
                )
            else:
                cursor.execute(
                    f"CREATE TEMPORARY TRIGGER {name} AFTER UPDATE ON {table} FOR EACH ROW"
                    f" WHEN {condition} BEGIN {note}; END"
                )


def forget_triggers() -> None:
    with connection.cursor() as cursor:
        for name, (table, _, _) in TRIGGERS.items():
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER {name}{on}")
        cursor.execute("DROP TABLE noted")


def take_notes() -> list[Noted]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM noted")
        rows = cursor.fetchall()
        cursor.execute("DELETE FROM noted")
    return [Noted(*row[:5], uuid.UUID(row[5]) if row[5] else None) for row in rows]


@dataclass
class Worker:
    """What one sender holds between its steps; it may sleep for as long as it likes."""

    token: uuid.UUID = field(default_factory=uuid.uuid4)
    lane: Lane | None = None
    ids: list[int] = field(default_factory=list)
    marked: outbox.Marked | None = None


class Life:
    """Two campaigns, five customers, two slow workers and a quick one.

    Each step is told ``which`` campaign or worker, and ``how``: a number to choose by.
    """

    def __init__(self, seen: Counter[tuple[str, str, str]]) -> None:
        self.workers = [Worker(), Worker(), Worker()]
        self.explicit: dict[str, set[str]] = {}
        self.seen = seen
        CustomerFactory.create_batch(3)
        CustomerFactory(phone="")
        CustomerFactory(email_subscribed=False)
        self.campaigns = [self._draft("{{ coupon_url }}"), self._draft("")]
        lifecycle.send_campaign(campaign_id=self.campaigns[1])

    @staticmethod
    def _draft(sms: str) -> int:
        limits = {"send_rate_limit_emails": 0, "send_rate_limit_sms": 0}
        return OfferFactory(campaign=CampaignFactory(sms_content=sms, **limits)).campaign.pk

    # --- People -------------------------------------------------------------------------------

    def ask(self, which: int, how: int) -> None:
        """Ask for a move: it happens exactly when the table has it, and else changes nothing."""
        pk = self.campaigns[which]
        before = _status(pk)
        failed = Delivery.objects.filter(campaign=pk, status="failed").exclude(code=outbox.GIVEN_UP)
        moves = {
            "send": (_sources("queued"), "queued"),
            "schedule": (_sources("scheduled"), "scheduled"),
            "unschedule": (_sources("draft"), "draft"),
            "pause": (_sources("paused"), "paused"),
            "resume": ({"paused"}, "sending"),
            "retry_failed": ({"completed"} if failed.exists() else set(), "sending"),
            "cancel": (_sources("cancelled"), "cancelled"),
        }
        # Mostly what can be done now, and seldom cancel: it ends a life before much is seen of it.
        possible = [name for name in moves if before in moves[name][0] and name != "cancel"]
        action = _choose(possible if how % 3 and possible else list(moves), how // 3)
        sources, to = moves[action]
        self.explicit = AFTER_RETRY if action == "retry_failed" else {}
        more = {"at": database_now() + timedelta(seconds=60)} if action == "schedule" else {}
        name = action if action == "retry_failed" else f"{action}_campaign"
        try:
            getattr(lifecycle, name)(campaign_id=pk, **more)
        except CheckFailed:
            # Nobody may be left who takes it.
            assert before in sources
            assert _status(pk) == before
        except DomainError as error:
            nothing = action == "retry_failed" and before == "completed"
            assert error.code == ("nothing_failed" if nothing else "wrong_state")
            assert before not in sources
            assert _status(pk) == before
        else:
            assert before in sources
            assert _status(pk) == to
            if action == "retry_failed":
                assert not failed.exists()

    def decide_unconfirmed(self, which: int, how: int) -> None:
        pk, decision = self.campaigns[which], _choose(list(outbox.Decision), how)
        before = _status(pk)
        unconfirmed = Delivery.objects.filter(campaign=pk, status="unconfirmed")
        any_was = unconfirmed.exists()
        try:
            lifecycle.decide_unconfirmed(campaign_id=pk, decision=decision)
        except DomainError as error:
            assert error.code == ("wrong_state" if any_was else "nothing_unconfirmed")
            assert unconfirmed.exists() == any_was
            assert _status(pk) == before
        else:
            assert any_was
            assert not unconfirmed.exists()

    def change_consent(self, _which: int, how: int) -> None:
        customers = list(Customer.objects.values_list("pk", flat=True))
        action, whom, channels = _choose(
            [
                ("opt_out", [_choose(customers, how // 3)], ["email"]),
                ("opt_out", customers, ["email", "sms"]),
                ("opt_in", customers, ["email", "sms"]),
            ],
            how,
        )
        for channel in channels:
            record_consent(customer_ids=whom, channel=channel, action=action, source="test")

    # --- Workers ------------------------------------------------------------------------------

    def freeze(self, which: int, how: int) -> None:
        if how % 3 == 0:
            audience.freeze_next_batch(campaign_id=self.campaigns[which])
        else:
            sweeper.freeze_campaign(campaign_id=self.campaigns[which])

    def send_what_is_due(self, _which: int, how: int) -> None:
        """A worker that is quick: nothing happens between its steps."""
        self._claim(QUICK, how)
        self._mark(QUICK)
        self._record(QUICK, how)

    def step_of_worker(self, which: int, how: int) -> None:
        """One step of a slow worker; anything may happen before the next."""
        worker = self.workers[which]
        if not worker.ids or how % 12 == 0:
            self._claim(which, how // 12)
        elif how % 12 == 1:
            self._let_go(which, how // 12)
        elif worker.marked is None:
            self._mark(which)
        else:
            self._record(which, how // 12)

    def _claim(self, which: int, how: int) -> None:
        worker = self.workers[which] = Worker()
        turn = Turn(worker.token)
        worker.lane, _ = turn._next_lane()
        turn.close()
        if worker.lane is not None:
            limit = _choose([8, 1, 3], how)
            rows = outbox.claim(lane=worker.lane, limit=limit, token=worker.token)
            worker.ids = [row.pk for row in rows]

    def _mark(self, which: int) -> None:
        worker = self.workers[which]
        if worker.lane is None or not worker.ids or worker.marked:
            return
        marked = outbox.mark(
            lane=worker.lane, ids=worker.ids, units=[1] * len(worker.ids), token=worker.token
        )
        worker.marked = marked if marked.attempts else None

    def _record(self, which: int, how: int) -> None:
        worker = self.workers[which]
        if worker.lane is None or worker.marked is None:
            return
        mood = _choose(MOODS, how)
        outcomes = {
            pk: decide(
                channel=worker.lane.channel,
                answer=_choose(mood, how + position),
                attempts=attempts,
                backoff=django_settings.RETRY_BACKOFF_SECONDS,
            )
            for position, (pk, attempts) in enumerate(worker.marked.attempts.items())
        }
        outbox.record(lane=worker.lane, token=worker.token, marked=worker.marked, outcomes=outcomes)
        self._moved_only_its_own(worker)
        worker.ids = [pk for pk in worker.ids if pk not in outcomes]
        worker.marked = None

    def _let_go(self, which: int, how: int) -> None:
        worker = self.workers[which]
        if worker.lane is None:
            return
        token, first = worker.token, worker.ids[:1]
        if how % 3 == 0:
            outbox.hand_back(ids=worker.ids, token=token)
        elif how % 3 == 1:
            outbox.skip_claimed(ids=first, token=token, code="qr_failed")
        else:
            outbox.fail_claimed(lane=worker.lane, ids=first, token=token, code="render_failed")
        self._moved_only_its_own(worker)

    def _moved_only_its_own(self, worker: Worker) -> None:
        """A worker that slept through its lease changes nothing (D-3)."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT lease FROM noted WHERE kind = 'delivery' AND old = 'sending'")
            assert {uuid.UUID(lease) for (lease,) in cursor.fetchall()} <= {worker.token}

    # --- The provider, the sweeper, and time --------------------------------------------------

    def report(self, _which: int, how: int) -> None:
        """The provider says that it has a message, whatever became of our call."""
        called = list(Delivery.objects.exclude(attempts=0).values_list("public_id", flat=True))
        if called:
            self.explicit = AFTER_REPORT
            outbox.note_report(
                public_id=_choose(called, how), report=outbox.Report.DELIVERED, at=database_now()
            )

    def sweep(self, _which: int, _how: int) -> None:
        assert not sweeper.sweep()["failures"]
        assert not Delivery.objects.filter(status="pending", campaign__status="cancelled").exists()

    def step_of_sweeper(self, _which: int, how: int) -> None:
        _choose(SWEEPS, how)()

    def let_time_pass(self, _which: int, how: int) -> None:
        """Put what is due later, and what ends later, earlier by as much."""
        passed = timedelta(seconds=_choose([5, 70, 1_000, 5_000], how))
        for model, columns in (
            (Delivery, ("not_before", "lease_until", "call_started_at")),
            (Campaign, ("scheduled_for",)),
            (Pace, ("not_before",)),
        ):
            model.objects.update(**{column: F(column) - passed for column in columns})

    def oversleep(self, which: int, _how: int) -> None:
        """Leases end, and the other slow worker takes what they held."""
        self.let_time_pass(which, 3)
        self.sweep(which, 0)
        self._claim(1 - which, 0)

    # --- What always holds --------------------------------------------------------------------

    def check(self) -> None:
        self._check_moves()
        self._check_counters()
        self._check_leases()

    def _check_moves(self) -> None:
        explicit, self.explicit = self.explicit, {}
        for noted in take_notes():
            self.seen[noted.kind, noted.old, noted.new] += 1
            if noted.kind == "campaign":
                assert noted.new in CAMPAIGN_MOVES[noted.old], noted
            elif noted.kind == "call":
                assert noted.campaign == "sending", noted
            else:
                allowed = DELIVERY_MOVES[noted.old] | explicit.get(noted.old, set())
                assert noted.new in allowed, noted
                if noted.new == "sending":
                    assert noted.campaign == "sending", noted

    def _check_counters(self) -> None:
        rows = Counter(Delivery.objects.values_list("campaign", "channel", "status"))
        for campaign in Campaign.objects.all():
            assert {
                "emails_sent": campaign.emails_sent,
                "emails_failed": campaign.emails_failed,
                "sms_sent": campaign.sms_sent,
                "sms_failed": campaign.sms_failed,
            } == {
                "emails_sent": rows[campaign.pk, "email", "sent"],
                "emails_failed": rows[campaign.pk, "email", "failed"],
                "sms_sent": rows[campaign.pk, "sms", "sent"],
                "sms_failed": rows[campaign.pk, "sms", "failed"],
            }
            states = {(channel, status) for pk, channel, status in rows if pk == campaign.pk}
            if campaign.status == "completed":
                assert not {status for _, status in states} & {"pending", "sending"}
                assert ("email", "unconfirmed") not in states
            if campaign.status in {"draft", "scheduled"}:
                assert not states

    def _check_leases(self) -> None:
        tries = len(django_settings.RETRY_BACKOFF_SECONDS) + 1
        for row in Delivery.objects.all():
            leased = row.status == "sending"
            assert (row.lease_token is not None) == leased
            assert (row.lease_until is not None) == leased
            assert leased or row.call_started_at is None
            assert 0 <= row.attempts <= tries
            assert row.status != "sent" or row.sent_at is not None


def _choose(things: Sequence[T], how: int) -> T:
    return things[how % len(things)]


def _sources(to: str) -> set[str]:
    return {status for status, targets in CAMPAIGN_MOVES.items() if to in targets}


def _status(campaign_id: int) -> str:
    return Campaign.objects.values_list("status", flat=True).get(pk=campaign_id)


@pytest.fixture
def noting(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in (wake, sweeper):
        monkeypatch.setattr(module, "enqueue", lambda *args, **options: True)
    monkeypatch.setattr(audience, "BATCH", 2)
    note_every_move()
    yield
    with contextlib.suppress(transaction.TransactionManagementError):
        forget_triggers()


@pytest.mark.usefixtures("noting")
def test_any_order_of_moves_keeps_every_rule() -> None:
    seen: Counter[tuple[str, str, str]] = Counter()

    # A seed and not a list of steps: lists come out much alike, and then little happens.
    @given(seed=st.integers(0, 2**64))
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # a seed has no simpler one
        suppress_health_check=list(HealthCheck),
    )
    def live(seed: int) -> None:
        chosen = random.Random(seed)
        with transaction.atomic():
            life = Life(seen)
            for _ in range(90):
                name, which, how = chosen.choice(STEPS), chosen.randrange(2), chosen.randrange(84)
                note(f"{name}({which}, {how})")
                getattr(life, name)(which, how)
                life.check()
            transaction.set_rollback(True)

    live()
    print(*sorted(seen.items()), sep="\n")
    missing = {("campaign", *move) for move in OFTEN_CAMPAIGN} - seen.keys()
    missing |= {("delivery", *move) for move in OFTEN_DELIVERY} - seen.keys()
    assert not missing, "these steps put few rules to the test"
