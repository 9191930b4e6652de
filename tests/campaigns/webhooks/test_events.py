"""Stored once, acted on once, one at a time, in time."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, connections
from django.test import Client

from campaigns import tasks
from campaigns.models import Delivery, ProviderEvent
from campaigns.webhooks import events as stored
from campaigns.webhooks.act_on_event import act_on_event
from campaigns.webhooks.events import (
    process_event,
    process_stored_events,
    prune_events,
    receive_events,
)
from config.clock import database_now
from customers.models import ConsentEvent, Customer
from tests.campaigns.webhooks.world import (
    EMAIL,
    PHONE,
    PUBLIC_URL,
    Sent,
    history,
    send,
    tell_batch,
    tell_email,
)
from tests.factories import CustomerFactory, DeliveryFactory
from tests.standins import events

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent() -> Sent:
    return send()


def an_event(**fields) -> ProviderEvent:
    now = database_now()
    facts = {"provider": "sendgrid", "key": uuid.uuid4().hex, "kind": "delivered"}
    return ProviderEvent(**{**facts, "occurred_at": now, "received_at": now, **fields})


def poison(monkeypatch: pytest.MonkeyPatch, *codes: str) -> None:
    """Acting fails on events with these codes, after it has changed something."""

    def act(event: ProviderEvent):
        after = act_on_event(event)
        if event.code in codes:
            raise ValueError(f"{EMAIL} cannot be digested")
        return after

    monkeypatch.setattr(stored, "act_on_event", act)


def make_older(seconds: float) -> None:
    for event in ProviderEvent.objects.all():
        event.received_at -= timedelta(seconds=seconds)
        event.save()


def test_an_event_that_comes_again_is_answered_alike_and_changes_nothing(client, sent) -> None:
    event = events.sendgrid_event("bounce", email=EMAIL, delivery=sent.email.public_id)
    tell_batch(client, event, event)
    tell_batch(client, event)
    assert ProviderEvent.objects.count() == 1
    assert len(history(sent.customer)) == 1


def test_one_that_comes_again_under_another_id_changes_nothing_either(client, sent) -> None:
    """SendGrid's retries have been seen with new ids (sendgrid/sendgrid-nodejs#1435)."""
    for _ in range(2):
        tell_email(client, sent, "bounce", at=time.time() - 5)
    assert ProviderEvent.objects.count() == 2
    assert len(history(sent.customer)) == 1


def test_a_callback_that_comes_again_is_stored_once_and_each_status_is(client, sent) -> None:
    facts = {"to": PHONE, "public_url": PUBLIC_URL, "MessageSid": events.twilio_sid()}
    for status in ("sent", "delivered", "sent", "delivered"):
        events.status_call(sent.text.public_id, status, **facts).post_to(client)
    assert ProviderEvent.objects.count() == 2


@pytest.mark.parametrize("own", [None, "", 7, ["x"], f"for {EMAIL}", "x" * 151, "\x00", "\ud800"])
def test_an_event_without_a_usable_id_is_known_by_all_it_says(own, client, sent) -> None:
    event = events.sendgrid_event("open", email=EMAIL, sg_event_id=own)
    again = events.sendgrid_event("open", email=EMAIL, sg_event_id=own, at=time.time() - 99)
    del event["smtp-id"], again["smtp-id"]
    tell_batch(client, event, event, again)
    tell_batch(client, dict(reversed(event.items())))
    keys = ProviderEvent.objects.values_list("key", flat=True)
    assert len(keys) == 2
    assert all(len(key) == 64 for key in keys)


def test_the_database_itself_refuses_a_second_one() -> None:
    an_event(key="a").save()
    an_event(key="a", provider="twilio").save()
    with pytest.raises(IntegrityError):
        an_event(key="a").save()


MALFORMED = [
    7,
    None,
    "text",
    [],
    {},
    {"event": ["bounce"]},
    {"event": "bounce", "email": EMAIL, "timestamp": "yesterday"},
    {"event": "bounce", "email": EMAIL, "timestamp": 1e300},
    {"event": "bounce", "email": EMAIL, "type": ["bounce"]},
    {"event": "dropped", "email": EMAIL, "reason": {"a": 1}},
]


def test_what_makes_no_sense_is_left_out_and_the_rest_counts(client, sent, caplog) -> None:
    good = events.sendgrid_event("delivered", email=EMAIL, delivery=sent.email.public_id)
    tell_batch(client, *MALFORMED, good, *MALFORMED)
    assert ProviderEvent.objects.count() == 1
    sent.email.refresh_from_db()
    assert sent.email.delivered_at
    assert history(sent.customer) == []
    assert f"{2 * len(MALFORMED)} of {2 * len(MALFORMED) + 1} SendGrid events" in caplog.text
    assert "julia" not in caplog.text


@pytest.mark.parametrize(
    "fields",
    [
        {"delivery": "not-a-uuid"},
        {"delivery": {"a": 1}},
        {"delivery": None},
        {"email": None},
        {"email": ["x@example.com"]},
        {"email": "\ud800@example.com"},
        {"email": "x" * 5000 + "@example.com"},
        {"email": "\x00@example.com"},
        {"timestamp": -1e11},
        {"timestamp": -62_135_596_800},
        {"timestamp": float("nan")},
        {"status": {"a": 1}, "sg_message_id": "\x00", "attempt": "9" * 99},
    ],
)
def test_an_event_with_odd_parts_is_stored_as_far_as_it_makes_sense(fields, client, sent) -> None:
    event = events.sendgrid_event("delivered", email=EMAIL, delivery=sent.email.public_id)
    tell_batch(client, event | fields)
    row = ProviderEvent.objects.get()
    assert row.processed_at
    assert set(row.payload) <= {"event", "sg_message_id"}


def test_a_poisoned_event_changes_nothing_and_does_not_hold_up_its_batch(
    client, sent, monkeypatch, caplog
) -> None:
    poison(monkeypatch, "hard_bounce")
    other = CustomerFactory(email="anna@example.com")
    tell_batch(
        client,
        events.sendgrid_event("bounce", email=EMAIL, delivery=sent.email.public_id),
        events.sendgrid_event("spamreport", email="anna@example.com"),
        events.sendgrid_event("delivered", email=EMAIL, delivery=sent.email.public_id),
    )
    sent.email.refresh_from_db()
    assert sent.email.delivered_at
    assert not sent.email.bounced_at
    assert history(sent.customer) == []
    assert [action for _, action, _ in history(other)] == ["complaint"]
    left = ProviderEvent.objects.get(processed_at=None)
    assert (left.attempts, left.error) == (1, "ValueError")
    assert left.address_index
    assert f"event {left.pk} was not acted on: ValueError" in caplog.text
    assert "julia" not in caplog.text


def test_it_is_tried_five_times_ever_more_slowly_and_then_parked(client, sent, monkeypatch) -> None:
    with monkeypatch.context() as broken:
        poison(broken, "hard_bounce")
        tell_email(client, sent, "bounce")
        attempts = []
        for wait in (0, 4, 2, 24, 90, 480, 86_400):
            make_older(wait)
            process_stored_events()
            attempts.append(ProviderEvent.objects.get().attempts)
    assert attempts == [1, 1, 2, 3, 4, 5, 5]
    assert ProviderEvent.objects.parked().count() == 1
    assert process_stored_events() == 0
    assert history(sent.customer) == []
    call_command("recover")
    assert not ProviderEvent.objects.parked().exists()
    assert len(history(sent.customer)) == 1


def test_a_known_event_that_failed_is_not_tried_by_its_repetition(
    client, sent, monkeypatch
) -> None:
    poison(monkeypatch, "hard_bounce")
    event = events.sendgrid_event("bounce", email=EMAIL)
    for _ in range(3):
        tell_batch(client, event)
    assert ProviderEvent.objects.get().attempts == 1


def test_what_takes_too_long_is_left_to_the_tick() -> None:
    left = receive_events(
        [an_event() for _ in range(5)] + [an_event(kind="opted_in", provider="twilio")],
        seconds=0.0,
    )
    assert left == 5
    # Whatever decides about the next message goes first.
    assert ProviderEvent.objects.get(kind="opted_in").processed_at
    assert process_stored_events() == 0
    assert not ProviderEvent.objects.unprocessed().exists()


def test_the_tick_acts_on_what_is_left_and_prunes(sent, monkeypatch) -> None:
    monkeypatch.setattr("campaigns.delivery.wake.enqueue", lambda *args, **options: True)
    an_event(public_id=sent.email.public_id).save()
    an_event(processed_at=database_now() - timedelta(days=31)).save()
    tasks.tick()
    assert ProviderEvent.objects.get().processed_at
    sent.email.refresh_from_db()
    assert sent.email.delivered_at


def test_events_are_kept_for_a_month_after_they_were_acted_on(monkeypatch) -> None:
    monkeypatch.setattr(stored, "PRUNED_AT_ONCE", 2)
    now = database_now()
    for days in (32, 31, 31, 29, 0):
        an_event(processed_at=now - timedelta(days=days)).save()
    an_event(received_at=now - timedelta(days=99)).save()
    assert [prune_events(), prune_events(), prune_events()] == [2, 1, 0]
    assert ProviderEvent.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_two_workers_act_once_on_one_event(monkeypatch) -> None:
    CustomerFactory(email=EMAIL)
    event = an_event(kind="complained", address_index=Customer.objects.get().email_index)
    event.save()
    first_is_acting = threading.Event()
    acted = []

    def act(row: ProviderEvent):
        acted.append(row.pk)
        first_is_acting.set()
        time.sleep(0.5)
        return act_on_event(row)

    def work() -> bool:
        try:
            return process_event(event.pk)
        finally:
            connections.close_all()

    monkeypatch.setattr(stored, "act_on_event", act)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(work)
        assert first_is_acting.wait(5)
        started = time.monotonic()
        second = pool.submit(work)
        # Not settled for the second: the first may still fail.
        assert not second.result(10) or connection.vendor != "postgresql"
        waited = time.monotonic() - started
        assert first.result(10)
    assert acted == [event.pk]
    assert ConsentEvent.objects.count() == 1
    if connection.vendor == "postgresql":
        assert waited < 0.4, "the second waited for the first"


@pytest.mark.django_db(transaction=True)
def test_the_same_batch_twice_at_once_in_opposite_order_is_stored_once() -> None:
    """Without an order of their own they would wait for each other's keys."""
    sent = send()
    facts = {"email": EMAIL, "delivery": sent.email.public_id}
    batch = [events.sendgrid_event("open", **facts) for _ in range(400)]
    start = threading.Barrier(2)

    def post(some: list[object]) -> int:
        try:
            start.wait(5)
            return events.sendgrid_call(some).post_to(Client()).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            ProviderEvent.objects.all().delete()
            answers = [pool.submit(post, batch), pool.submit(post, batch[::-1])]
            assert [answer.result(60) for answer in answers] == [200, 200]
            keys = list(ProviderEvent.objects.order_by("pk").values_list("key", flat=True))
            assert len(keys) == 400
            assert keys == sorted(keys)


def test_a_batch_is_stored_by_few_statements(
    client, sent, monkeypatch, django_assert_max_num_queries
) -> None:
    monkeypatch.setattr(stored, "process_event", lambda event_id: True)
    batch = [events.sendgrid_event("open", email=EMAIL) for _ in range(900)]
    # SQLite takes 83 rows at a time.
    with django_assert_max_num_queries(5 if connection.vendor == "postgresql" else 15):
        tell_batch(client, *batch)
    assert ProviderEvent.objects.count() == 900


def test_a_report_about_a_test_message_concerns_no_delivery(client, sent) -> None:
    DeliveryFactory()
    tell_email(client, sent, "open", delivery=uuid.uuid4())
    assert ProviderEvent.objects.get().processed_at
    assert not Delivery.objects.exclude(confirmed_at=None).exists()


def test_whatever_decides_goes_first_in_a_large_batch_too(monkeypatch) -> None:
    monkeypatch.setattr(stored, "BATCH", 2)
    opened = [an_event(key=f"{number}", kind="opened") for number in range(5)]
    receive_events([*opened, an_event(key="9", kind="opted_out")], seconds=0.0)
    assert ProviderEvent.objects.get(key="9").processed_at
