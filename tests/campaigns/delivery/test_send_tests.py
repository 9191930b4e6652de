"""Test sends by a worker: at most once each, at the provider's pace, whatever dies (M-9)."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from campaigns.channels.base import Answer, AnswerKind, OutgoingEmail, OutgoingSms
from campaigns.delivery import outbox, send_tests
from campaigns.delivery.pacing import provider_pace
from campaigns.models import Campaign, Delivery, Pace, TestSend
from campaigns.send_test import read_results, send_test
from config.clock import database_now
from qrcodes.models import QRCode
from tests.campaigns.delivery.lanes import claim_and_mark, sending
from tests.factories import CustomerFactory, OfferFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)
ACCEPTED = Answer(AnswerKind.ACCEPTED, 202, provider_id="m")
TOO_FAST = Answer(AnswerKind.REFUSED, 429, retry_after=30)
NUMBERS = ["+4915112345678", "+4915112345679"]
Message = OutgoingEmail | OutgoingSms


class Provider:
    """Both channels; remembers what it was called with."""

    def __init__(self) -> None:
        self.calls: list[Message] = []
        self.answer: Callable[[Message], Answer] = lambda message: ACCEPTED

    def send(self, message: Message) -> Answer:
        self.calls.append(message)
        return self.answer(message)

    def close(self) -> None:
        """Nothing is kept open."""


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    provider = Provider()
    monkeypatch.setattr(send_tests, "open_email_channel", lambda: provider)
    monkeypatch.setattr(send_tests, "open_sms_channel", lambda: provider)
    monkeypatch.setattr(send_tests, "TURN_SECONDS", 0.6)
    return provider


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was published."""
    published: list[str] = []
    monkeypatch.setattr(send_tests, "enqueue", lambda task: published.append(task) or True)
    return published


@pytest.fixture
def draft() -> Campaign:
    CustomerFactory(first_name="Grace")
    return OfferFactory().campaign


def ask(draft: Campaign, *addresses: str) -> list[TestSend]:
    return send_test(campaign=draft, addresses=addresses or NUMBERS)


def states() -> list[tuple[str, str]]:
    return list(TestSend.objects.order_by("pk").values_list("status", "code"))


def test_the_request_calls_nobody(provider, draft) -> None:
    ask(draft)
    assert provider.calls == []
    assert states() == [("waiting", ""), ("waiting", "")]


def test_each_gets_a_message_of_its_own_with_a_code_that_is_a_test(provider, draft) -> None:
    ask(draft, "me@example.com", *NUMBERS)
    assert send_tests.send_waiting() == 3
    assert sorted(message.to for message in provider.calls) == [*NUMBERS, "me@example.com"]
    assert QRCode.objects.filter(is_test=True).count() == 3
    assert not QRCode.objects.real().exists()
    assert not Delivery.objects.exists()
    assert states() == [("sent", "")] * 3


def test_a_failure_hides_no_other(provider, draft) -> None:
    refused = Answer(AnswerKind.REFUSED, 400, code="21211")
    provider.answer = lambda message: refused if message.to == NUMBERS[0] else ACCEPTED
    (first, _) = ask(draft)
    send_tests.send_waiting()
    assert states() == [("failed", "invalid_address"), ("sent", "")]
    bad, good = read_results(first.batch)
    assert "not valid" in bad.sentence
    assert (good.address, good.sentence) == (NUMBERS[1], "Sent. Its code scans as TEST.")


def test_a_task_that_comes_twice_sends_nothing_twice(provider, draft) -> None:
    ask(draft)
    send_tests.send_waiting()
    assert send_tests.send_waiting() == 0
    assert len(provider.calls) == 2


def test_two_workers_at_once_send_each_once(provider, draft) -> None:
    second: list[int] = []

    def meanwhile(message: Message) -> Answer:
        if not second:
            second.append(0)
            worker = threading.Thread(target=lambda: second.append(send_tests.send_waiting()))
            worker.start()
            worker.join()
        return ACCEPTED

    provider.answer = meanwhile
    ask(draft)
    send_tests.send_waiting()
    assert sorted(message.to for message in provider.calls) == NUMBERS
    assert second == [0, 0]


def test_a_lost_message_is_made_up_for_by_the_sweeper(provider, draft, queue) -> None:
    ask(draft)
    assert send_tests.sweep_tests() == 2
    assert queue == ["campaigns.send_tests"]


def test_a_worker_that_died_before_the_call_lets_others_send(provider, draft, queue) -> None:
    ask(draft)
    ago = database_now() - timedelta(seconds=1)
    TestSend.objects.update(status="sending", lease_token=draft_token(), lease_until=ago)
    send_tests.sweep_tests()
    assert send_tests.send_waiting() == 2


def test_a_worker_that_died_in_the_call_leaves_it_unconfirmed_for_good(
    provider, draft, queue
) -> None:
    """A text that may have arrived is never sent again by itself."""
    ask(draft)
    ago = database_now() - timedelta(seconds=1)
    TestSend.objects.update(
        status="sending", lease_token=draft_token(), lease_until=ago, call_started_at=ago
    )
    send_tests.sweep_tests()
    assert states() == [("unconfirmed", "lease_expired")] * 2
    send_tests.sweep_tests()
    assert send_tests.send_waiting() == 0
    assert provider.calls == []


def test_a_worker_that_lost_its_lease_writes_nothing(provider, draft) -> None:
    def overtaken(message: Message) -> Answer:
        TestSend.objects.update(
            status="unconfirmed", code="lease_expired", lease_token=None, lease_until=None
        )
        return ACCEPTED

    provider.answer = overtaken
    ask(draft, NUMBERS[0])
    send_tests.send_waiting()
    assert states() == [("unconfirmed", "lease_expired")]


def test_a_provider_that_asks_for_patience_is_left_alone_by_everybody(
    provider, draft, queue
) -> None:
    provider.answer = lambda message: TOO_FAST
    ask(draft, NUMBERS[0])
    send_tests.send_waiting()
    assert states() == [("waiting", "slow_down")]
    assert Pace.objects.get(campaign=None, channel="sms").not_before > database_now()
    assert send_tests.send_waiting() == 0
    assert send_tests.sweep_tests() == 0
    provider.answer = lambda message: ACCEPTED
    Pace.objects.update(not_before=None)
    TestSend.objects.update(not_before=None)
    assert send_tests.send_waiting() == 1
    assert states() == [("sent", "")]


def test_it_waits_while_the_provider_has_asked_others_for_patience(provider, draft) -> None:
    pace = provider_pace("sms")
    pace.not_before = database_now() + timedelta(seconds=60)
    pace.save()
    ask(draft, NUMBERS[0])
    assert send_tests.send_waiting() == 0
    assert provider.calls == []
    assert TestSend.objects.get().not_before == pace.not_before


def test_it_respects_the_limit_of_the_provider(provider, draft, settings) -> None:
    settings.SMS_PROVIDER_RATE_LIMIT = 1
    ask(draft)
    assert send_tests.send_waiting() == 1
    assert states() == [("sent", ""), ("waiting", "")]


def test_it_makes_room_for_others_while_the_provider_lets_nothing_through(
    provider, draft, settings, monkeypatch
) -> None:
    """The sweep wakes it again and again: whole turns of waiting would fill every process."""
    monkeypatch.setattr(send_tests, "TURN_SECONDS", 20.0)
    monkeypatch.setattr(send_tests, "PATIENCE_SECONDS", 0.5)
    settings.SMS_PROVIDER_RATE_LIMIT = 1
    ask(draft)
    began = time.monotonic()
    assert send_tests.send_waiting() == 1
    assert time.monotonic() - began < 5
    assert states() == [("sent", ""), ("waiting", "")]


def test_a_process_that_stood_still_calls_nobody(provider, draft, settings, monkeypatch) -> None:
    """Its permits may have aged out meanwhile, and others have used them (D-4)."""
    settings.PROVIDER_TIMEOUT_SECONDS = 0.4
    mark = send_tests._mark

    def mark_and_stand_still(*args):
        marked = mark(*args)
        time.sleep(0.2)
        return marked

    monkeypatch.setattr(send_tests, "_mark", mark_and_stand_still)
    ask(draft, NUMBERS[0])
    send_tests.send_waiting()
    assert provider.calls == []
    assert states() == [("failed", "provider_unreachable")]


def test_a_text_longer_than_the_limit_is_told(provider, draft, settings) -> None:
    settings.SMS_PROVIDER_RATE_LIMIT = 1
    Campaign.objects.update(sms_content="x" * 300)
    ask(draft, NUMBERS[0])
    send_tests.send_waiting()
    assert states() == [("failed", "longer_than_limit")]


def test_campaigns_leave_the_next_permits_to_tests(provider, draft, settings) -> None:
    """With the provider's limit used up by a campaign, a test would wait as long as it lasts."""
    settings.SMS_PROVIDER_RATE_LIMIT = 1_000
    campaign = sending(3, channel="sms")
    ask(draft, NUMBERS[0])
    assert claim_and_mark(campaign, "sms", limit=1)[2].blocked
    send_tests.send_waiting()
    assert not claim_and_mark(campaign, "sms", limit=1)[2].blocked
    # A test that no worker takes holds nobody up for long.
    ask(draft, NUMBERS[0])
    TestSend.objects.update(created_at=database_now() - timedelta(seconds=61))
    assert not claim_and_mark(campaign, "sms", limit=1)[2].blocked
    assert outbox.hand_back_expired() == 0


def test_a_call_that_hangs_is_left_alone_and_told(provider, draft, settings) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = 0.3
    let_go = threading.Event()
    provider.answer = lambda message: let_go.wait(5) and ACCEPTED
    ask(draft)
    assert send_tests.send_waiting() == 2
    let_go.set()
    assert states() == [("unconfirmed", "no_answer")] * 2


def test_a_message_that_cannot_be_filled_in_hides_no_other(provider, draft) -> None:
    Campaign.objects.update(sms_content="{{ 1 / customer.segments|length }}")
    ask(draft, "me@example.com", NUMBERS[0])
    send_tests.send_waiting()
    assert states() == [("sent", ""), ("failed", "render_failed")]


def test_what_nobody_sent_for_an_hour_is_given_up(provider, draft, queue) -> None:
    ask(draft, NUMBERS[0])
    TestSend.objects.update(created_at=database_now() - timedelta(hours=1, seconds=1))
    send_tests.sweep_tests()
    assert states() == [("failed", "test_too_late")]
    assert queue == []


def test_the_same_address_typed_twice_gets_one(provider, draft) -> None:
    assert len(ask(draft, "me@example.com", " Me@Example.com ")) == 1
    assert len(ask(draft, "me@example.com")) == 1  # and it can be repeated
    assert send_tests.send_waiting() == 2


def test_what_went_wrong_in_the_middle_lets_the_rows_go(provider, draft, monkeypatch) -> None:
    def broken(*args):
        raise RuntimeError("nobody foresaw this")

    ask(draft, NUMBERS[0])
    monkeypatch.setattr(send_tests, "_mark", broken)
    with pytest.raises(RuntimeError):
        send_tests.send_waiting()
    assert states() == [("waiting", "")]


def test_an_account_that_is_deleted_leaves_its_tests(provider, draft) -> None:
    user = UserFactory()
    send_test(campaign=draft, addresses=NUMBERS, user=user)
    user.delete()
    assert TestSend.objects.count() == 2


def draft_token() -> str:
    return "00000000-0000-0000-0000-000000000001"
