"""What a provider reports settles what nobody knew to have left (D-6), and moves forward only."""

import uuid
from datetime import timedelta

import pytest

from campaigns.delivery import outbox, sweeper
from campaigns.delivery.outbox import Report
from campaigns.delivery.outcomes import Action, Outcome
from campaigns.models import Campaign, Delivery, ProviderEvent
from config.clock import database_now
from tests.campaigns.delivery.lanes import claim_and_mark, lane_of, record_all, sending

pytestmark = pytest.mark.django_db
UNANSWERED = Outcome(Action.UNCONFIRMED, "no_answer")


def report(row: Delivery, what: Report = Report.DELIVERED, code: str = "") -> Delivery:
    outbox.note_report(public_id=row.public_id, report=what, at=database_now(), code=code)
    row.refresh_from_db()
    return row


def counters(campaign: Campaign) -> tuple[int, int]:
    campaign.refresh_from_db()
    return campaign.emails_sent, campaign.emails_failed


def test_a_report_settles_an_unconfirmed_message() -> None:
    campaign = sending(1)
    record_all(campaign, UNANSWERED)
    row = report(Delivery.objects.get(), Report.ACCEPTED)
    assert (row.status, row.code, row.delivered_at) == ("sent", "", None)
    assert counters(campaign) == (1, 0)
    assert sweeper.finish_campaigns() == 1


def test_a_report_keeps_a_message_from_being_sent_again() -> None:
    campaign = sending(1)
    record_all(campaign, Outcome(Action.RETRY, "provider_error", 0))
    row = report(Delivery.objects.get())
    assert row.status == "sent"
    assert outbox.claim(lane=lane_of(campaign), limit=1, token=uuid.uuid4()) == []
    assert counters(campaign) == (1, 0)


def test_a_report_takes_a_failure_back_with_its_counter() -> None:
    campaign = sending(1)
    record_all(campaign, Outcome(Action.FAIL, "too_many_attempts"))
    assert counters(campaign) == (0, 1)
    assert report(Delivery.objects.get()).status == "sent"
    assert counters(campaign) == (1, 0)


@pytest.mark.parametrize("outcome", [UNANSWERED, Outcome(Action.RETRY, "provider_error", 0)])
def test_a_report_that_arrives_before_the_result_is_kept(outcome: Outcome) -> None:
    campaign = sending(1)
    lane, token, marked = claim_and_mark(campaign)
    row = report(Delivery.objects.get())
    assert (row.status, bool(row.delivered_at)) == ("sending", True)
    outbox.record(
        lane=lane, token=token, marked=marked, outcomes=dict.fromkeys(marked.attempts, outcome)
    )
    row.refresh_from_db()
    assert (row.status, bool(row.delivered_at)) == ("sent", True)
    assert counters(campaign) == (1, 0)


def test_a_report_on_a_claimed_message_keeps_it_from_being_called() -> None:
    campaign = sending(1)
    lane, token = lane_of(campaign), uuid.uuid4()
    (row,) = outbox.claim(lane=lane, limit=1, token=token)
    report(row)
    assert not outbox.mark(lane=lane, ids=[row.pk], units=[1], token=token).attempts
    row.refresh_from_db()
    assert (row.status, row.lease_token) == ("sent", None)
    assert counters(campaign) == (1, 0)


def test_a_report_on_what_a_dead_worker_was_calling_settles_it_in_the_sweep() -> None:
    campaign = sending(1)
    claim_and_mark(campaign)
    row = report(Delivery.objects.get())
    Delivery.objects.update(lease_until=database_now() - timedelta(seconds=1))
    swept = sweeper.sweep()
    assert (swept["unconfirmed"], swept["settled"], swept["completed"]) == (1, 1, 1)
    row.refresh_from_db()
    assert row.status == "sent"
    assert counters(campaign) == (1, 0)


def test_reports_count_once_whatever_their_order() -> None:
    campaign = sending(1)
    record_all(campaign, Outcome(Action.SENT))
    row = report(Delivery.objects.get(), Report.BOUNCED, "hard_bounce")
    first = row.bounced_at
    for again in (Report.BOUNCED, Report.OPENED, Report.DELIVERED, Report.ACCEPTED):
        row = report(row, again, "another")
    assert (row.bounced_at, row.bounce_code, row.status) == (first, "hard_bounce", "sent")
    assert row.opened_at
    assert row.delivered_at
    assert counters(campaign) == (1, 0)


def test_a_report_on_a_skipped_message_changes_no_state() -> None:
    sending(1)
    Delivery.objects.update(status="skipped", code="unsubscribed")
    assert report(Delivery.objects.get()).status == "skipped"


def test_a_report_on_an_unknown_message_is_none() -> None:
    at = database_now()
    assert outbox.note_report(public_id=uuid.uuid4(), report=Report.DELIVERED, at=at) is None


def test_a_report_that_is_stored_but_not_acted_on_keeps_a_message_from_being_sent_again() -> None:
    campaign = sending(2)
    record_all(campaign, UNANSWERED)
    row, other = Delivery.objects.order_by("pk")
    Delivery.objects.update(not_before=database_now())
    now = database_now()
    ProviderEvent.objects.create(
        provider="sendgrid",
        key="1",
        kind="delivered",
        public_id=row.public_id,
        occurred_at=now,
        received_at=now,
    )
    assert outbox.retry_unconfirmed() == 1
    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.status, other.status) == ("unconfirmed", "pending")


def test_who_unsubscribed_between_two_tries_has_got_the_first_after_all() -> None:
    campaign = sending(1)
    Delivery.objects.update(status="skipped", code="unsubscribed", attempts=1)
    row = report(Delivery.objects.get())
    assert (row.status, row.code) == ("sent", "")
    assert counters(campaign) == (1, 0)


def test_a_counter_that_is_wrong_keeps_no_message_from_being_settled() -> None:
    campaign = sending(1)
    Delivery.objects.update(status="failed", code="too_many_attempts")
    assert report(Delivery.objects.get()).status == "sent"
    assert counters(campaign) == (1, 0)


def test_what_the_provider_has_is_not_claimed_again() -> None:
    """As when a worker handed it back just before its report was looked at."""
    campaign = sending(2)
    reported, other = Delivery.objects.order_by("pk")
    Delivery.objects.filter(pk=reported.pk).update(confirmed_at=database_now(), attempts=1)
    (row,) = outbox.claim(lane=lane_of(campaign), limit=10, token=uuid.uuid4())
    assert row.pk == other.pk
    assert sweeper.sweep()["settled"] == 1
