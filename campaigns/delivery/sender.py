"""One turn of a sender: choose a lane, claim, fill in, mark, call, record; then leave (D-3).

The only loop that sends campaign messages. Every step is safe to lose: what was claimed and not
called goes back, what was called and not recorded becomes unconfirmed by the sweeper.
"""

import logging
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from functools import partial

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Exists, F, OuterRef, Q

from campaigns.channels import open_email_channel, open_sms_channel
from campaigns.channels.base import Answer, AnswerKind, EmailChannel, SmsChannel, call_until
from campaigns.delivery import outbox
from campaigns.delivery.outcomes import Outcome, decide
from campaigns.delivery.pacing import Lane, provider_limit, ring_of, tests_wait
from campaigns.delivery.prepare import Prepared, prepare_chunk
from campaigns.delivery.send_tests import send_group
from campaigns.delivery.stops import pause_stopped, stop_lane
from campaigns.delivery.suppression import suppress
from campaigns.delivery.wake import enqueue_sender, time_of_wake, work_remains
from campaigns.models import Campaign, Delivery, Pace, SenderSlot
from config.clock import database_now
from config.errors import log_unforeseen
from customers.models import Channel

logger = logging.getLogger(__name__)

CHUNK = 100
# At most this many are being called by one process at an instant: what a crash leaves unconfirmed.
GROUP = {Channel.EMAIL.value: 10, Channel.SMS.value: 1}
NAP_SECONDS = 0.25
# Between tries to write down what a provider answered, when the database fails.
RECORD_PAUSES = (0.2, 1.0, 3.0)
# With nothing due within this time a sender leaves its slot.
PATIENCE_SECONDS = 5.0
LONGEST_TURN_SECONDS = 10.0


def turn_seconds() -> float:
    """Return how long a sender works before it makes room for other tasks."""
    return min(LONGEST_TURN_SECONDS, settings.LEASE_SECONDS / 4)


def run_turn(*, slot: int, wake: int | None = None) -> int:
    """Send for one turn in ``slot``; return how many messages were called.

    Leaves at once when another sender holds the slot, or when it was woken again after ``wake``.
    """
    token = uuid.uuid4()
    if not _take_slot(slot, token, wake):
        return 0
    turn = Turn(token)
    try:
        turn.run()
    finally:
        turn.close()
        woken_at = database_now()
        SenderSlot.objects.filter(number=slot, lease_token=token).update(
            lease_token=None, lease_until=None, woken_at=None if turn.idle else woken_at
        )
        # Whoever left because the pace holds everything back is woken by the next tick.
        if not turn.idle and work_remains():
            enqueue_sender(slot=slot, woken_at=woken_at)
    return turn.called


def _take_slot(slot: int, token: uuid.UUID, wake: int | None) -> bool:
    now = database_now()
    # A turn, the call that began at its end, and writing that down: so long a dead one keeps it.
    length = turn_seconds() + 1.5 * settings.PROVIDER_TIMEOUT_SECONDS + 10
    free = SenderSlot.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), number=slot)
    if wake is not None:
        free = free.filter(woken_at=time_of_wake(wake))
    return free.update(lease_token=token, lease_until=now + timedelta(seconds=length)) == 1


class Turn:
    """The state of one turn: its lease token, the rows it holds, its connections and threads."""

    def __init__(self, token: uuid.UUID) -> None:
        self.token = token
        self.held: dict[tuple[int, str], list[Prepared]] = {}
        self.called = 0
        self.idle = False
        self._deadline = time.monotonic() + turn_seconds()
        self._email: EmailChannel | None = None
        self._sms: SmsChannel | None = None
        self._threads = ThreadPoolExecutor(max_workers=max(GROUP.values()))

    def run(self) -> None:
        """Work until the turn is over or nothing is due soon."""
        while time.monotonic() < self._deadline:
            lane, pause = self._next_lane()
            if lane is not None:
                if not self._serve_or_stop(lane) and not _send_tests_first(lane.channel):
                    # The pace said no after all: another sender was quicker.
                    time.sleep(NAP_SECONDS / 5)
            elif pause > PATIENCE_SECONDS:
                self.idle = True
                return
            else:
                time.sleep(min(NAP_SECONDS, pause))

    def close(self) -> None:
        """Hand back what was not called, and close connections."""
        for rows in self.held.values():
            outbox.hand_back(ids=[row.delivery_id for row in rows], token=self.token)
        self.held.clear()
        # A call past its deadline is already recorded as unconfirmed: do not wait for it.
        self._threads.shutdown(wait=False, cancel_futures=True)
        for channel in (self._email, self._sms):
            if channel is not None:
                channel.close()

    def _next_lane(self) -> tuple[Lane | None, float]:
        """Return the ready lane served longest ago, else how many seconds until one may be."""
        now = database_now()
        due = Delivery.objects.due(now).filter(
            campaign=OuterRef("campaign_id"), channel=OuterRef("channel")
        )
        provider = {pace.channel: pace for pace in Pace.objects.filter(campaign=None)}
        paces = (
            Pace.objects.filter(campaign__status=Campaign.Status.SENDING, stop_code="")
            .annotate(is_due=Exists(due))
            .select_related("campaign")
            .order_by(F("served_at").asc(nulls_first=True))
        )
        pause = self._seconds_to_next_due()
        for pace in paces:
            assert pace.campaign is not None
            lane = Lane(
                pace.campaign.pk, pace.channel, pace.campaign.rate_limit(pace.channel), pace
            )
            if not (pace.is_due or self.held.get(lane.key)):
                continue
            blocked = _seconds_blocked(lane, provider.get(pace.channel), now.timestamp())
            if not blocked:
                Pace.objects.filter(pk=pace.pk).update(served_at=now)
                return lane, 0.0
            pause = min(pause, blocked)
        return None, pause

    def _seconds_to_next_due(self) -> float:
        now = database_now()
        next_due = (
            Delivery.objects.filter(status=Delivery.Status.PENDING, not_before__gt=now)
            .filter(campaign__status=Campaign.Status.SENDING)
            .filter(not_before__lt=now + timedelta(seconds=PATIENCE_SECONDS))
            .order_by("not_before")
            .values_list("not_before", flat=True)
            .first()
        )
        return (next_due - now).total_seconds() if next_due else PATIENCE_SECONDS + 1

    def _serve_or_stop(self, lane: Lane) -> bool:
        """Serve a lane; pause its campaign for what nobody foresaw, so that the others go on."""
        try:
            return self._serve(lane)
        except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
            raise
        except Exception as error:
            log_unforeseen(f"sending campaign {lane.campaign_id}", error)
            stop_lane(campaign_id=lane.campaign_id, channel=lane.channel, code="unexpected")
            return False

    def _serve(self, lane: Lane) -> bool:
        """Call a chunk of a lane, group by group, as far as the pace permits; tell whether any."""
        called_before = self.called
        if not self.held.get(lane.key):
            self.held[lane.key] = self._claim(lane)
        while self.held[lane.key] and time.monotonic() < self._deadline:
            if not self._serve_group(lane, self.held[lane.key]):
                break
        return self.called > called_before

    def _serve_group(self, lane: Lane, rows: list[Prepared]) -> bool:
        """Mark, call and record the next few of ``rows``; tell whether to go on with this lane."""
        size = GROUP[lane.channel]
        group, rest = rows[:size], rows[size:]
        # What has not started by then does not start: a process that was stopped in between must
        # not call when others may have taken over (the mark leaves a call's whole timeout).
        start_by = time.monotonic() + settings.PROVIDER_TIMEOUT_SECONDS * outbox.MARGIN
        marked = outbox.mark(
            lane=lane,
            ids=[row.delivery_id for row in group],
            units=[row.units for row in group],
            token=self.token,
        )
        if marked.blocked:
            return False
        called = [row for row in group if row.delivery_id in marked.attempts]
        if not called:
            # Lease, campaign or consent is gone: give back whatever still is ours.
            outbox.hand_back(ids=[row.delivery_id for row in rows], token=self.token)
            self.held[lane.key] = []
            return False
        untouched = [row for row in group if row.delivery_id not in marked.attempts]
        self.held[lane.key] = untouched + rest
        self._call_and_record(lane, called, marked, start_by)
        return True

    def _claim(self, lane: Lane) -> list[Prepared]:
        claimed = outbox.claim(lane=lane, limit=CHUNK, token=self.token)
        try:
            return prepare_chunk(lane=lane, deliveries=claimed, token=self.token)
        except Exception:
            outbox.hand_back(ids=[row.pk for row in claimed], token=self.token)
            raise

    def _call_and_record(
        self, lane: Lane, rows: list[Prepared], marked: outbox.Marked, start_by: float
    ) -> None:
        """Call the provider, write down what it said, and do what follows from it."""
        answers = self._call(rows, start_by)
        self.called += len(rows)
        outcomes = {
            row.delivery_id: decide(
                channel=lane.channel,
                answer=answer,
                attempts=marked.attempts[row.delivery_id],
                backoff=settings.RETRY_BACKOFF_SECONDS,
            )
            for row, answer in zip(rows, answers, strict=True)
        }
        must_stop = self._record(lane, marked, outcomes)
        suppress(channel=lane.channel, outcomes=outcomes)
        if must_stop:
            pause_stopped()

    def _record(self, lane: Lane, marked: outbox.Marked, outcomes: dict[int, Outcome]) -> bool:
        for pause in RECORD_PAUSES:
            try:
                return outbox.record(lane=lane, token=self.token, marked=marked, outcomes=outcomes)
            except OperationalError:
                # Only this process knows the answers; the token makes writing them again safe.
                connection.close_if_unusable_or_obsolete()
                time.sleep(pause)
        return outbox.record(lane=lane, token=self.token, marked=marked, outcomes=outcomes)

    def _call(self, rows: list[Prepared], start_by: float) -> list[Answer]:
        """Call the provider for each row, in threads that never touch the database."""
        futures = [self._threads.submit(call_until, start_by, self._sending(row)) for row in rows]
        wait(futures, timeout=settings.PROVIDER_TIMEOUT_SECONDS * 1.1)
        return [_answer_of(future) for future in futures]

    def _sending(self, row: Prepared) -> Callable[[], Answer]:
        if row.email is not None:
            self._email = self._email or open_email_channel()
            return partial(self._email.send, row.email)
        assert row.sms is not None
        self._sms = self._sms or open_sms_channel()
        return partial(self._sms.send, row.sms)


def _send_tests_first(channel: str) -> int:
    """Send tests that hold a lane up: every process may be busy with campaigns; return how many."""
    if not tests_wait(channel, now=database_now()):
        return 0
    try:
        return send_group(channel)
    except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
        raise
    except Exception as error:
        # A campaign must not stop for a test.
        log_unforeseen("sending tests", error)
        return 0


def _answer_of(future: "Future[Answer]") -> Answer:
    if future.cancel():
        # No thread was free for it: it never started, and now never will.
        return Answer(AnswerKind.UNREACHABLE)
    if not future.done():
        return Answer(AnswerKind.LOST)
    error = future.exception()
    if error is None:
        return future.result()
    # A channel never raises; if one does, the message may have left.
    logger.error("a channel raised %s", type(error).__name__)
    return Answer(AnswerKind.LOST)


def _seconds_blocked(lane: Lane, provider: Pace | None, now: float) -> float:
    """Return how long the paces hold a lane back: 0 when a message may leave now."""
    waits = [0.0]
    if lane.limit:
        waits.append(ring_of(lane.pace, lane.limit).wait(now))
    if provider is not None:
        limit = provider_limit(lane.channel)
        if limit:
            waits.append(ring_of(provider, limit).wait(now))
        if provider.not_before is not None:
            waits.append(provider.not_before.timestamp() - now)
    return max(waits)
