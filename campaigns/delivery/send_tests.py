"""Sends the test messages that wait, each at most once (M-9).

As for deliveries: claim, fill in, mark, call, record. What was claimed and not called waits again;
what was called and not recorded is unconfirmed, and a person decides whether to press again.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from campaigns.channels import open_email_channel, open_sms_channel
from campaigns.channels.base import Answer, AnswerKind, OutgoingEmail, OutgoingSms, call_until
from campaigns.content.sms_length import measure_sms
from campaigns.delivery.outbox import MARGIN
from campaigns.delivery.outcomes import Action, Outcome, decide
from campaigns.delivery.pacing import Charge, lock_provider_permits, provider_limit, settle_charge
from campaigns.delivery.prepare import fill_in, tags_by_customer
from campaigns.delivery.wake import TESTS_TASK, enqueue
from campaigns.models import TestSend
from config.clock import database_now
from config.errors import log_unforeseen
from customers.encryption import DecryptionError, decrypt
from customers.models import Channel
from qrcodes.issue_codes import issue_test_code
from qrcodes.models import Offer

Status = TestSend.Status
ADDRESS_PLACE = "campaigns_testsend.address"
GROUP = 10
TURN_SECONDS = 10.0
NAP_SECONDS = 0.2
# So long nothing leaves before a turn ends: the next tick tries again, others need the process.
PATIENCE_SECONDS = 2.0
# Nobody waits for a test any more, and one that comes hours later confuses.
GIVEN_UP_AFTER = timedelta(hours=1)
RELEASED = {"lease_token": None, "lease_until": None, "call_started_at": None}


@dataclass(frozen=True, slots=True)
class _Ready:
    """A test that is filled in, and the provider's permits it costs."""

    test: TestSend
    message: OutgoingEmail | OutgoingSms
    units: int


def send_waiting(*, batch: uuid.UUID | None = None) -> int:
    """Send what waits, of ``batch`` only if one is given; return how many calls were made.

    Leaves after a turn, or when nothing may leave for a while.
    """
    deadline = time.monotonic() + min(TURN_SECONDS, settings.LEASE_SECONDS / 4)
    patient_until = time.monotonic() + PATIENCE_SECONDS
    called = 0
    while time.monotonic() < min(deadline, patient_until):
        made = sum(send_group(channel, batch=batch) for channel in Channel.values)
        called += made
        if made:
            patient_until = time.monotonic() + PATIENCE_SECONDS
        else:
            if not _due(batch).exists():
                break
            # The provider's pace says no, or another worker is quicker.
            time.sleep(NAP_SECONDS)
    return called


def sweep_tests() -> int:
    """Make right what a dead worker or a lost message left behind; return how many still wait."""
    now = database_now()
    dead = TestSend.objects.filter(status=Status.SENDING, lease_until__lt=now)
    dead.filter(call_started_at=None).update(status=Status.WAITING, **RELEASED)
    dead.exclude(call_started_at=None).update(
        status=Status.UNCONFIRMED, code="lease_expired", lease_token=None, lease_until=None
    )
    waiting = TestSend.objects.filter(status=Status.WAITING)
    waiting.filter(created_at__lt=now - GIVEN_UP_AFTER).update(
        status=Status.FAILED, code="test_too_late"
    )
    due = _due(None).count()
    if due:
        enqueue(TESTS_TASK)
    return due


def _due(batch: uuid.UUID | None) -> QuerySet[TestSend]:
    due = TestSend.objects.filter(status=Status.WAITING).filter(
        Q(not_before=None) | Q(not_before__lte=database_now())
    )
    return due.filter(batch=batch) if batch else due


def send_group(channel: str, *, batch: uuid.UUID | None = None) -> int:
    """Send the next few that wait on a channel; return how many calls were made."""
    token = uuid.uuid4()
    try:
        ready = _fill_in_all(_claim(channel, batch, token), token)
        # As in a sender's turn: what has not started by then must not, its permits may be gone.
        start_by = time.monotonic() + settings.PROVIDER_TIMEOUT_SECONDS * MARGIN
        marked, charge = _mark(channel, ready, token)
    except Exception:
        _mine(token).filter(call_started_at=None).update(status=Status.WAITING, **RELEASED)
        raise
    if charge is None:
        return 0
    _record(channel, marked, charge, _call(marked, start_by), token)
    return len(marked)


def _mine(token: uuid.UUID) -> QuerySet[TestSend]:
    return TestSend.objects.filter(status=Status.SENDING, lease_token=token)


def _claim(channel: str, batch: uuid.UUID | None, token: uuid.UUID) -> list[TestSend]:
    """Take the next few under a lease."""
    lease = timedelta(seconds=settings.LEASE_SECONDS)
    with transaction.atomic():
        rows = _due(batch).filter(channel=channel).order_by("pk")
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True)
        ids = list(rows.values_list("pk", flat=True)[:GROUP])
        TestSend.objects.filter(pk__in=ids, status=Status.WAITING).update(
            status=Status.SENDING,
            lease_token=token,
            lease_until=database_now() + lease,
            call_started_at=None,
        )
    return list(_mine(token).select_related("campaign", "customer").order_by("pk"))


def _fill_in_all(tests: Sequence[TestSend], token: uuid.UUID) -> list[_Ready]:
    ready = []
    for test in tests:
        try:
            message = _fill_in(test)
        except Exception as error:
            unreadable = isinstance(error, DecryptionError)
            log_unforeseen(f"filling in test {test.pk}", error)
            _fail(test, token, "address_unreadable" if unreadable else "render_failed")
            continue
        units = 1 if isinstance(message, OutgoingEmail) else measure_sms(message.body).segments
        if 0 < provider_limit(test.channel) < units:
            _fail(test, token, "longer_than_limit")
        else:
            ready.append(_Ready(test, message, units))
    return ready


def _fail(test: TestSend, token: uuid.UUID, code: str) -> None:
    _mine(token).filter(pk=test.pk).update(status=Status.FAILED, code=code, **RELEASED)


def _fill_in(test: TestSend) -> OutgoingEmail | OutgoingSms:
    campaign, person = test.campaign, test.customer
    offer = Offer.objects.filter(campaign_id=campaign.pk).first()
    code = None
    if campaign.has_qr_code and offer is not None:
        code = issue_test_code(
            offer=offer, customer_id=person.pk, expiration_days=campaign.qr_expiration_days
        )
    return fill_in(
        campaign=campaign,
        offer=offer,
        customer=person,
        channel=test.channel,
        code=code,
        tags=tags_by_customer([person.pk])[person.pk],
        # No delivery's: what a provider reports about a test counts nowhere.
        public_id=f"test-{uuid.uuid4()}",
        address=decrypt(test.address_encrypted, place=ADDRESS_PLACE),
    )


def _mark(
    channel: str, ready: Sequence[_Ready], token: uuid.UUID
) -> tuple[list[_Ready], Charge | None]:
    """Record just before the call which of them are being called; the others wait again."""
    if not ready:
        return [], None
    with transaction.atomic():
        permits = lock_provider_permits(channel)
        allowed = ready[: permits.allowed([one.units for one in ready])]
        enough = permits.now + timedelta(seconds=settings.PROVIDER_TIMEOUT_SECONDS * (1 + MARGIN))
        lasting = _mine(token).filter(lease_until__gt=enough)
        lasting.filter(pk__in=[one.test.pk for one in allowed]).update(call_started_at=permits.now)
        begun = set(_mine(token).exclude(call_started_at=None).values_list("pk", flat=True))
        marked = [one for one in allowed if one.test.pk in begun]
        # A provider that asked for patience is asked again when it said.
        blocked = permits.not_before and permits.not_before > permits.now
        held = {"not_before": permits.not_before, "code": "slow_down"} if blocked else {}
        _mine(token).filter(call_started_at=None).update(status=Status.WAITING, **RELEASED, **held)
        charge = permits.take([one.units for one in marked]) if marked else None
    return marked, charge


def _call(marked: Sequence[_Ready], start_by: float) -> list[Answer]:
    """Call the provider for each, in threads that never touch the database."""
    threads = ThreadPoolExecutor(max_workers=GROUP)
    # All of one group go the same way.
    is_email = isinstance(marked[0].message, OutgoingEmail)
    channel = open_email_channel() if is_email else open_sms_channel()
    try:
        sends: list[Callable[[], Answer]] = [partial(channel.send, r.message) for r in marked]  # type: ignore[arg-type]
        futures = [threads.submit(call_until, start_by, send) for send in sends]
        wait(futures, timeout=settings.PROVIDER_TIMEOUT_SECONDS * 1.1)
        return [
            future.result()
            if future.done() and future.exception() is None
            else Answer(AnswerKind.LOST)
            for future in futures
        ]
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        channel.close()


def _record(
    channel: str,
    marked: Sequence[_Ready],
    charge: Charge,
    answers: Sequence[Answer],
    token: uuid.UUID,
) -> None:
    # No retry for a test: whatever would be retried is shown as the failure it is now.
    outcomes = [decide(channel=channel, answer=a, attempts=1, backoff=()) for a in answers]
    delays = [outcome.delay for outcome in outcomes if outcome.action is Action.SLOW_DOWN]
    with transaction.atomic():
        settle_charge(charge, slow_down=max(delays, default=0))
        for one, outcome in zip(marked, outcomes, strict=True):
            _mine(token).filter(pk=one.test.pk).update(**_columns_after(outcome))


def _columns_after(outcome: Outcome) -> dict[str, object]:
    now = database_now()
    columns: dict[str, object] = {"code": outcome.code, **RELEASED}
    if outcome.action is Action.SENT:
        return columns | {"status": Status.SENT, "sent_at": now}
    if outcome.action is Action.SLOW_DOWN:
        later = now + timedelta(seconds=outcome.delay)
        return columns | {"status": Status.WAITING, "not_before": later}
    if outcome.action is Action.UNCONFIRMED:
        return columns | {"status": Status.UNCONFIRMED}
    return columns | {"status": Status.FAILED}
