"""Whole turns of a sender against channels that do what the test says."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError

from campaigns.audience import freeze_next_batch
from campaigns.channels.base import Answer, AnswerKind, OutgoingEmail, OutgoingSms
from campaigns.delivery import outbox, prepare, send_tests, sender, sweeper, wake
from campaigns.delivery.outcomes import Action, Outcome
from campaigns.delivery.suppression import suppress
from campaigns.models import Campaign, Delivery, Pace, SenderSlot, TestSend
from campaigns.send_test import send_test
from config.clock import database_now
from customers.consent import record_consent
from customers.erase_customer import erase_customer
from customers.models import Customer
from qrcodes.models import QRCode
from tests.factories import CampaignFactory, CustomerFactory, OfferFactory

# Threads that call a provider must find the rows committed, so no test transaction here.
pytestmark = pytest.mark.django_db(transaction=True)
ACCEPTED = Answer(AnswerKind.ACCEPTED, 202, provider_id="m")
Message = OutgoingEmail | OutgoingSms


class Provider:
    """Both channels; remembers what it was called with."""

    def __init__(self) -> None:
        self.calls: list[Message] = []
        self.answer: Callable[[Message], Answer] = lambda message: ACCEPTED
        self.closed = 0

    def send(self, message: Message) -> Answer:
        self.calls.append(message)
        return self.answer(message)

    def close(self) -> None:
        self.closed += 1

    @property
    def recipients(self) -> list[str]:
        return [message.to for message in self.calls]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    provider = Provider()
    monkeypatch.setattr(sender, "open_email_channel", lambda: provider)
    monkeypatch.setattr(sender, "open_sms_channel", lambda: provider)
    monkeypatch.setattr(sender, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(wake, "enqueue", lambda *args, **options: True)
    return provider


def start(customers: int = 3, **fields: object) -> Campaign:
    CustomerFactory.create_batch(customers)
    fields = {"send_rate_limit_emails": 0, "send_rate_limit_sms": 0, "sms_content": ""} | fields
    campaign = CampaignFactory(status="queued", **fields)
    OfferFactory(campaign=campaign)
    sweeper.freeze_campaign(campaign_id=campaign.pk)
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.SENDING
    return campaign


def turn() -> int:
    SenderSlot.objects.get_or_create(number=0)
    return sender.run_turn(slot=0)


def states() -> dict[str, int]:
    rows = Delivery.objects.values_list("status", flat=True)
    return {status: list(rows).count(status) for status in set(rows)}


def test_a_turn_sends_everything_that_is_due(provider: Provider) -> None:
    campaign = start(25, sms_content="{{ coupon_url }}")
    assert turn() == 50
    assert states() == {"sent": 50}
    campaign.refresh_from_db()
    assert (campaign.emails_sent, campaign.sms_sent) == (25, 25)
    assert len(set(provider.recipients)) == 50
    assert sweeper.finish_campaigns() == 1
    assert provider.closed == 2


def test_email_and_text_of_one_customer_carry_the_same_code(provider: Provider) -> None:
    start(1, email_content="{{ coupon_url }} {{ unsubscribe_url }}", sms_content="{{ coupon_url }}")
    turn()
    email, sms = provider.calls
    if isinstance(email, OutgoingSms):
        email, sms = sms, email
    assert isinstance(sms, OutgoingSms)
    assert isinstance(email, OutgoingEmail)
    assert sms.body in email.html
    assert QRCode.objects.count() == 1


def test_a_held_slot_is_left_alone(provider: Provider) -> None:
    start()
    until = database_now() + timedelta(minutes=1)
    SenderSlot.objects.update_or_create(number=0, defaults={"lease_until": until})
    assert sender.run_turn(slot=0) == 0
    assert provider.calls == []


def test_the_code_is_saved_before_the_provider_is_called(provider: Provider) -> None:
    saved = []

    def look(message: Message) -> Answer:
        return ACCEPTED

    start(1)
    provider.answer = look
    original = sender.Turn._call

    def call(self: sender.Turn, rows: list[prepare.Prepared], start_by: float) -> list[Answer]:
        saved.append(QRCode.objects.count())
        row = Delivery.objects.get()
        saved.append(row.call_started_at is not None and row.attempts == 1)
        return original(self, rows, start_by)

    sender.Turn._call = call
    try:
        turn()
    finally:
        sender.Turn._call = original
    assert saved == [1, True]


def test_one_code_that_cannot_be_made_skips_one_customer(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from qrcodes import issue_codes

    drawn = issue_codes.qr_png
    start(5)
    unlucky = Customer.objects.order_by("pk")[2]

    def draw(text: str) -> bytes:
        if f"-{unlucky.pk}-" in text:
            raise ValueError("no picture today")
        return drawn(text)

    monkeypatch.setattr(issue_codes, "qr_png", draw)
    turn()
    row = Delivery.objects.get(customer=unlucky)
    assert (row.status, row.code) == ("skipped", "qr_failed")
    assert not QRCode.objects.filter(customer=unlucky).exists()
    assert states() == {"sent": 4, "skipped": 1}
    assert "qr_failed" in caplog.text
    assert sweeper.finish_campaigns() == 1


def test_one_message_that_cannot_be_filled_in_ends_neither_chunk_nor_turn(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = start(5)
    unlucky = Customer.objects.order_by("pk")[2]
    filled = prepare.fill_in

    def fill_in(**arguments: object) -> Message:
        if arguments["customer"] == unlucky:
            raise RuntimeError("boom")
        return filled(**arguments)

    monkeypatch.setattr(prepare, "fill_in", fill_in)
    turn()
    row = Delivery.objects.get(customer=unlucky)
    assert (row.status, row.code) == ("failed", "render_failed")
    campaign.refresh_from_db()
    assert (campaign.emails_sent, campaign.emails_failed) == (4, 1)


def test_an_address_whose_key_is_lost_fails_alone(provider: Provider) -> None:
    start(3)
    first = Customer.objects.order_by("pk").first()
    Customer.objects.filter(pk=first.pk).update(email_encrypted="gone.AAAA")
    turn()
    row = Delivery.objects.get(customer=first)
    assert (row.status, row.code) == ("failed", "address_unreadable")
    assert states() == {"sent": 2, "failed": 1}


def test_a_channel_that_raises_leaves_the_message_unconfirmed(provider: Provider) -> None:
    start(2)

    def explode(message: Message) -> Answer:
        raise RuntimeError("bug")

    provider.answer = explode
    turn()
    assert states() == {"unconfirmed": 2}


def test_who_unsubscribes_during_the_turn_gets_nothing_more(provider: Provider) -> None:
    start(30)

    def unsubscribe_everyone(message: Message) -> Answer:
        return ACCEPTED

    provider.answer = unsubscribe_everyone
    original = sender.Turn._call_and_record

    def once(self: sender.Turn, *arguments: object) -> None:
        original(self, *arguments)
        ids = Customer.objects.values_list("pk", flat=True)
        record_consent(customer_ids=ids, channel="email", action="opt_out", source="test")

    sender.Turn._call_and_record = once
    try:
        turn()
    finally:
        sender.Turn._call_and_record = original
    assert len(provider.calls) == 10  # the group that was being called
    assert states() == {"sent": 10, "skipped": 20}


def test_rows_that_were_not_called_go_back_at_the_end_of_the_turn(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(30, send_rate_limit_emails=60)
    monkeypatch.setattr(sender, "turn_seconds", lambda: 0.3)
    turn()
    assert states() == {"sent": 5, "pending": 25}
    assert set(Delivery.objects.filter(status="pending").values_list("attempts", flat=True)) == {0}


def test_a_small_campaign_is_not_held_up_by_a_large_one(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = start(30, send_rate_limit_emails=60, subject="large")
    Customer.objects.filter(pk__gt=Customer.objects.order_by("pk")[1].pk).update(
        email_subscribed=False
    )
    small = CampaignFactory(status="queued", sms_content="", subject="small")
    OfferFactory(campaign=small)
    sweeper.freeze_campaign(campaign_id=small.pk)
    Customer.objects.update(email_subscribed=True)
    monkeypatch.setattr(sender, "turn_seconds", lambda: 1.0)
    turn()
    small.refresh_from_db()
    large.refresh_from_db()
    assert small.emails_sent == 2
    assert 5 <= large.emails_sent <= 7


def test_a_provider_that_asks_for_patience_is_left_alone_within_the_chunk(
    provider: Provider,
) -> None:
    start(60)
    provider.answer = lambda message: Answer(AnswerKind.REFUSED, 429, retry_after=60)
    turn()
    assert len(provider.calls) == 10  # the group that was being called


def test_an_answer_is_not_forgotten_because_the_database_failed_once(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = outbox.record
    failures = [OperationalError("deadlock detected"), OperationalError("connection lost")]

    def record(**arguments: object) -> None:
        if failures:
            raise failures.pop()
        recorded(**arguments)

    monkeypatch.setattr(outbox, "record", record)
    monkeypatch.setattr(sender, "RECORD_PAUSES", (0.0, 0.0))
    start(10)
    turn()
    assert states() == {"sent": 10}
    assert len(provider.calls) == 10


def test_a_sender_that_the_pace_holds_back_waits_for_the_next_tick(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueued: list[object] = []
    monkeypatch.setattr(sender, "enqueue_sender", lambda **slot: enqueued.append(slot))
    start(3, send_rate_limit_emails=1)
    turn()
    assert len(provider.calls) == 1
    assert enqueued == []
    assert SenderSlot.objects.get(number=0).woken_at is None


def test_a_call_that_never_started_is_not_taken_for_one_that_may_have_arrived() -> None:
    from concurrent.futures import Future

    assert sender._answer_of(Future()).kind is AnswerKind.UNREACHABLE


def test_a_text_of_more_parts_than_the_limit_fails_instead_of_waiting_for_ever(
    provider: Provider, settings
) -> None:
    settings.SMS_PROVIDER_RATE_LIMIT = 2
    start(1, email_content="", sms_content="pizza " * 60)
    turn()
    row = Delivery.objects.get()
    assert (row.status, row.code) == ("failed", "longer_than_limit")


def test_a_provider_that_asks_for_patience_stops_every_campaign(provider: Provider) -> None:
    start(2)
    start(2)
    provider.answer = lambda message: Answer(AnswerKind.REFUSED, 429, retry_after=60)
    turn()
    assert len(provider.calls) <= 10
    calls = len(provider.calls)
    turn()
    assert len(provider.calls) == calls
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {0}
    Pace.objects.update(not_before=None)
    Delivery.objects.update(not_before=database_now())
    provider.answer = lambda message: ACCEPTED
    turn()
    assert states() == {"sent": 6}


def test_freezing_an_audience_that_emptied_fails_with_the_reason(provider: Provider) -> None:
    campaign = CampaignFactory(status="queued")
    assert not freeze_next_batch(campaign_id=campaign.pk)
    sweeper.freeze_campaign(campaign_id=campaign.pk)
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.FAILED
    assert campaign.status_reason


def test_waking_is_cheap_when_asleep_and_not_repeated(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[tuple[object, ...]] = []
    monkeypatch.setattr(wake, "enqueue", lambda *args, **options: not woken.append(args))
    assert wake.wake_senders() == 0
    start(1)
    first = len(woken)
    assert first >= 1
    assert wake.wake_senders() == 0
    later = database_now() - timedelta(seconds=11)
    SenderSlot.objects.update(woken_at=later)
    assert wake.wake_senders() == first


def test_a_message_of_an_earlier_wake_is_void(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[int] = []
    monkeypatch.setattr(wake, "enqueue", lambda task, *ids, **options: not published.append(ids[1]))
    start(1)
    SenderSlot.objects.update(woken_at=database_now() - timedelta(seconds=11))
    early = published[0]
    del published[:]
    wake.wake_senders()
    assert sender.run_turn(slot=0, wake=early) == 0
    assert sender.run_turn(slot=0, wake=published[0]) == 1


def test_no_message_expires_by_the_clock_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[dict[str, object]] = []
    monkeypatch.setattr(
        wake.current_app, "send_task", lambda task, **given: options.append(given) or True
    )
    wake.enqueue(wake.FREEZE_TASK, 1)
    wake.enqueue_sender(slot=0, woken_at=database_now())
    assert [given.get("expires") for given in options] == [None, None]


def test_who_unsubscribed_at_the_provider_is_never_written_to_again(provider: Provider) -> None:
    campaign = start(2, email_content="", sms_content="{{ coupon_url }}")
    first = Customer.objects.order_by("pk").first()
    refused = Answer(AnswerKind.REFUSED, 400, code="21610")
    provider.answer = lambda message: refused if message.to == first.phone else ACCEPTED
    turn()
    assert states() == {"failed": 1, "sent": 1}
    first.refresh_from_db()
    assert not first.sms_subscribed
    assert first.email_subscribed
    assert first.sms_consent_source == f"provider:campaign:{campaign.pk}"


def test_a_bad_key_stops_within_the_group_and_burns_nobody(provider: Provider) -> None:
    campaign = start(60)
    provider.answer = lambda message: Answer(AnswerKind.REFUSED, 401)
    turn()
    assert len(provider.calls) == 10  # the group that was being called
    assert states() == {"pending": 60}
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.PAUSED
    assert "credentials" in campaign.status_reason
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {0}


def test_a_lane_that_had_to_stop_is_not_served_though_its_campaign_still_sends(
    provider: Provider,
) -> None:
    start(3)
    Pace.objects.update(stop_code="provider_refused_access")
    turn()
    assert provider.calls == []


def test_a_call_that_comes_too_late_is_not_made(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process was stopped between mark and call, and others have taken over."""
    monkeypatch.setattr(outbox, "MARGIN", -0.001)
    start(3)
    turn()
    assert provider.calls == []
    assert states() == {"pending": 3}


def test_a_campaign_that_cannot_be_prepared_pauses_and_the_others_go_on(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = start(3), start(3)
    prepared = prepare.prepare_chunk

    def prepare_chunk(**arguments: object) -> list[prepare.Prepared]:
        if arguments["lane"].campaign_id == broken.pk:
            raise RuntimeError("ada@example.com is to blame")
        return prepared(**arguments)

    monkeypatch.setattr(sender, "prepare_chunk", prepare_chunk)
    turn()
    broken.refresh_from_db()
    sound.refresh_from_db()
    assert broken.status == Campaign.Status.PAUSED
    assert "nobody foresaw" in broken.status_reason
    assert sound.emails_sent == 6
    waiting = Delivery.objects.filter(campaign=broken)
    assert set(waiting.values_list("status", "attempts")) == {("pending", 0)}
    assert "RuntimeError in prepare_chunk" in caplog.text
    assert "ada@" not in caplog.text


def test_a_lost_key_pauses_before_it_burns_the_list(provider: Provider, settings) -> None:
    settings.FAILURES_BEFORE_PAUSE = 5
    campaign = start(60)
    Customer.objects.update(email_encrypted="gone.AAAA")
    turn()
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.PAUSED
    assert states() == {"failed": 5, "pending": 55}
    assert campaign.emails_failed == 5


def test_codes_that_cannot_be_made_for_anybody_pause_and_skip_nobody(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    from qrcodes import issue_codes

    def draw(text: str) -> bytes:
        raise ValueError("no picture today")

    monkeypatch.setattr(issue_codes, "qr_png", draw)
    settings.FAILURES_BEFORE_PAUSE = 5
    campaign = start(10)
    turn()
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.PAUSED
    assert states() == {"pending": 10}


def test_an_erased_customer_stays_erased_whatever_the_provider_says_later(
    provider: Provider,
) -> None:
    start(1, email_content="", sms_content="{{ coupon_url }}")
    row = Delivery.objects.get()
    erase_customer(customer_id=row.customer_id, source="test")
    refused = Outcome(Action.FAIL, "unsubscribed_at_provider", suppress=True)
    assert suppress(channel="sms", outcomes={row.pk: refused}) == 0
    assert Customer.objects.get().sms_consent_action == "erased"


def test_a_sender_sends_the_tests_it_waits_for(provider, monkeypatch, settings) -> None:
    """With every process in a turn, a test held its campaigns up until one of them ended."""
    monkeypatch.setattr(send_tests, "open_email_channel", lambda: provider)
    settings.EMAIL_PROVIDER_RATE_LIMIT = 1_000
    campaign = start()
    send_test(campaign=campaign, addresses=["me@example.com"])
    assert sender.run_turn(slot=0) == 3
    assert provider.recipients[0] == "me@example.com"
    assert len(provider.calls) == 4


def test_tests_that_break_hold_no_campaign_up(provider, monkeypatch, settings) -> None:
    def broken(channel: str) -> int:
        TestSend.objects.update(status="failed")
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(sender, "send_group", broken)
    settings.EMAIL_PROVIDER_RATE_LIMIT = 1_000
    send_test(campaign=start(), addresses=["me@example.com"])
    assert sender.run_turn(slot=0) == 3
