import threading
from datetime import timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from campaigns import lifecycle
from campaigns.check_campaign import CheckFailed
from campaigns.delivery import sweeper
from campaigns.models import Campaign, Delivery
from config.clock import database_now
from config.errors import DomainError
from qrcodes.models import Offer
from tests.factories import CampaignFactory, CustomerFactory, DeliveryFactory, OfferFactory

pytestmark = pytest.mark.django_db
Status = Campaign.Status

# As the specification writes them (M-2).
SPECIFIED = """
draft → scheduled, queued
scheduled → draft, queued, cancelled
queued → sending, failed, cancelled
sending → paused, completed, failed, cancelled
paused → sending, cancelled
completed → sending
failed → queued
cancelled →
"""


def draft(**fields: object) -> Campaign:
    return OfferFactory(campaign=CampaignFactory(**fields)).campaign


def test_the_table_is_the_specified_one() -> None:
    table = {}
    for line in SPECIFIED.strip().splitlines():
        source, _, targets = line.partition("→")
        table[source.strip()] = {target.strip() for target in targets.split(",") if target.strip()}
    assert {source: set(targets) for source, targets in lifecycle.MOVES.items()} == table


@pytest.mark.parametrize("source", Status.values)
@pytest.mark.parametrize("to", Status.values)
def test_a_move_happens_exactly_when_the_table_allows_it(source: str, to: str) -> None:
    campaign = CampaignFactory(status=source, scheduled_for=database_now())
    moved = lifecycle.move(campaign_id=campaign.pk, to=to)
    campaign.refresh_from_db()
    assert moved == (to in lifecycle.MOVES[source])
    assert campaign.status == (to if moved else source)


@given(moves=st.lists(st.sampled_from(Status.values), max_size=12))
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_sequence_of_moves_leaves_the_table(moves: list[str]) -> None:
    campaign = CampaignFactory(scheduled_for=database_now())
    status = campaign.status
    for to in moves:
        if lifecycle.move(campaign_id=campaign.pk, to=to):
            assert to in lifecycle.MOVES[status]
            status = to
    campaign.refresh_from_db()
    assert campaign.status == status


def test_sending_queues_and_sends_nothing_itself() -> None:
    CustomerFactory()
    campaign = draft()
    sent = lifecycle.send_campaign(campaign_id=campaign.pk)
    assert sent.status == Status.QUEUED
    assert sent.sent_at
    assert not Delivery.objects.exists()


def test_sending_twice_is_refused_with_a_sentence() -> None:
    CustomerFactory()
    campaign = draft()
    lifecycle.send_campaign(campaign_id=campaign.pk)
    with pytest.raises(DomainError) as refused:
        lifecycle.send_campaign(campaign_id=campaign.pk)
    assert refused.value.code == "wrong_state"
    assert refused.value.message == "This campaign is queued: it cannot be sent now."


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"target_all": False}, "no_audience"),
        ({"email_content": "{% if %}"}, "template_syntax"),
        ({"subject": ""}, "no_subject"),
    ],
)
def test_a_campaign_with_a_problem_is_not_sent(fields: dict[str, object], code: str) -> None:
    CustomerFactory()
    campaign = draft(**fields)
    with pytest.raises(CheckFailed) as refused:
        lifecycle.send_campaign(campaign_id=campaign.pk)
    assert code in {problem.code for problem in refused.value.problems}
    campaign.refresh_from_db()
    assert campaign.status == Status.DRAFT


def test_a_campaign_that_reaches_nobody_is_not_sent() -> None:
    CustomerFactory(email_subscribed=False, sms_subscribed=False)
    with pytest.raises(CheckFailed) as refused:
        lifecycle.send_campaign(campaign_id=draft().pk)
    assert [problem.code for problem in refused.value.problems] == ["nobody_reachable"]


def test_a_missing_campaign_is_named() -> None:
    with pytest.raises(DomainError) as refused:
        lifecycle.pause_campaign(campaign_id=999)
    assert refused.value.code == "unknown_campaign"


@pytest.mark.django_db(transaction=True)
def test_send_pressed_by_ten_people_at_once_starts_one_campaign() -> None:
    CustomerFactory()
    campaign = draft()
    barrier = threading.Barrier(10)
    results: list[str] = []

    def press() -> None:
        barrier.wait()
        try:
            lifecycle.send_campaign(campaign_id=campaign.pk)
            results.append("sent")
        except DomainError as refused:
            results.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["sent", *["wrong_state"] * 9]


def test_a_scheduled_campaign_starts_when_its_time_has_come() -> None:
    CustomerFactory()
    campaign = draft()
    lifecycle.schedule_campaign(campaign_id=campaign.pk, at=database_now() + timedelta(hours=1))
    assert sweeper.start_scheduled() == 0
    Campaign.objects.update(scheduled_for=database_now() - timedelta(hours=5))
    assert sweeper.start_scheduled() == 1
    campaign.refresh_from_db()
    assert campaign.status == Status.QUEUED


def test_a_scheduled_campaign_that_cannot_be_sent_fails_with_the_reason() -> None:
    customer = CustomerFactory()
    campaign = draft()
    lifecycle.schedule_campaign(campaign_id=campaign.pk, at=database_now() + timedelta(hours=1))
    customer.delete()
    Campaign.objects.update(scheduled_for=database_now())
    sweeper.start_scheduled()
    campaign.refresh_from_db()
    assert campaign.status == Status.FAILED
    assert "Nobody" in campaign.status_reason


def test_scheduling_for_the_past_is_refused() -> None:
    CustomerFactory()
    with pytest.raises(DomainError) as refused:
        lifecycle.schedule_campaign(
            campaign_id=draft().pk, at=database_now() - timedelta(minutes=1)
        )
    assert refused.value.code == "in_the_past"


def test_cancelling_can_withdraw_the_codes() -> None:
    for withdraw, state in ((False, Offer.State.OPEN), (True, Offer.State.CAMPAIGN_CANCELLED)):
        campaign = CampaignFactory(status="paused")
        OfferFactory(campaign=campaign)
        DeliveryFactory(campaign=campaign)
        assert lifecycle.cancel_campaign(campaign_id=campaign.pk, withdraw_codes=withdraw) == 1
        assert Offer.objects.get(campaign=campaign).state == state


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([("email", "sent"), ("sms", "skipped")], Status.COMPLETED),
        ([("email", "failed")], Status.COMPLETED),
        ([("sms", "unconfirmed")], Status.COMPLETED),
        ([("email", "unconfirmed")], Status.SENDING),
        ([("email", "sent"), ("sms", "pending")], Status.SENDING),
    ],
)
def test_it_completes_when_nothing_waits_any_more(rows: list[tuple[str, str]], status: str) -> None:
    campaign = CampaignFactory(status="sending")
    for channel, state in rows:
        DeliveryFactory(campaign=campaign, channel=channel, status=state)
    sweeper.finish_campaigns()
    campaign.refresh_from_db()
    assert campaign.status == status
    assert bool(campaign.completed_at) == (status == Status.COMPLETED)


def test_a_paused_campaign_is_not_completed() -> None:
    campaign = CampaignFactory(status="paused")
    assert sweeper.finish_campaigns() == 0
    campaign.refresh_from_db()
    assert campaign.status == Status.PAUSED


def test_retrying_needs_something_that_failed() -> None:
    campaign = CampaignFactory(status="completed")
    with pytest.raises(DomainError) as refused:
        lifecycle.retry_failed(campaign_id=campaign.pk)
    assert refused.value.code == "nothing_failed"
    campaign.refresh_from_db()
    assert campaign.status == Status.COMPLETED
    DeliveryFactory(campaign=campaign, status="failed", code="rejected")
    Campaign.objects.update(emails_failed=1)
    assert lifecycle.retry_failed(campaign_id=campaign.pk) == 1
    campaign.refresh_from_db()
    assert (campaign.status, campaign.emails_failed) == (Status.SENDING, 0)


def failed_for_three_reasons() -> Campaign:
    campaign = CampaignFactory(status="completed", emails_failed=2, sms_failed=2)
    for channel, code in (
        ("email", "rejected"),
        ("email", "given_up"),
        ("sms", "rejected"),
        ("sms", "provider_error"),
    ):
        DeliveryFactory(campaign=campaign, channel=channel, status="failed", code=code)
    return campaign


def test_one_reason_on_one_channel_is_retried_alone() -> None:
    campaign = failed_for_three_reasons()
    assert lifecycle.retry_failed(campaign_id=campaign.pk, channel="sms", code="rejected") == 1
    campaign.refresh_from_db()
    assert (campaign.emails_failed, campaign.sms_failed) == (2, 1)
    assert Delivery.objects.get(status="pending").channel == "sms"


def test_what_somebody_gave_up_on_is_never_retried() -> None:
    campaign = failed_for_three_reasons()
    assert lifecycle.retry_failed(campaign_id=campaign.pk) == 3
    assert Delivery.objects.get(status="failed").code == "given_up"
    Campaign.objects.filter(pk=campaign.pk).update(status="completed")
    for which in ({}, {"code": "given_up"}, {"channel": "fax"}, {"code": "\x00"}):
        with pytest.raises(DomainError) as refused:
            lifecycle.retry_failed(campaign_id=campaign.pk, **which)
        assert refused.value.code == "nothing_failed"
    assert Delivery.objects.get(status="failed").code == "given_up"


def test_what_is_queued_is_what_was_checked(monkeypatch) -> None:
    """The check reads the row under the lock that an edit would have to wait for."""
    CustomerFactory()
    campaign = draft()
    seen = []

    def check(checked: Campaign) -> None:
        seen.append((connection.in_atomic_block, checked.subject))

    monkeypatch.setattr(lifecycle, "require_sendable", check)
    Campaign.objects.update(subject="edited since")
    lifecycle.send_campaign(campaign_id=campaign.pk)
    assert seen == [(True, "edited since")]


def test_a_coupon_without_an_offer_is_not_sent() -> None:
    CustomerFactory()
    with pytest.raises(CheckFailed) as refused:
        lifecycle.send_campaign(campaign_id=CampaignFactory().pk)
    assert [problem.code for problem in refused.value.problems] == ["no_offer"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("DEFAULT_FROM_EMAIL", "nonsense"), ("EMAIL_BACKEND", "no.such.Backend")],
)
def test_a_sender_that_cannot_work_is_not_used(settings, name: str, value: str) -> None:
    CustomerFactory()
    campaign = draft()
    setattr(settings, name, value)
    with pytest.raises(CheckFailed) as refused:
        lifecycle.send_campaign(campaign_id=campaign.pk)
    assert [problem.code for problem in refused.value.problems] == ["sender_not_configured"]


def test_a_time_in_the_year_9999_is_refused() -> None:
    CustomerFactory()
    campaign = draft()
    far = database_now().replace(year=9999)
    with pytest.raises(DomainError) as refused:
        lifecycle.schedule_campaign(campaign_id=campaign.pk, at=far)
    assert refused.value.code == "time_out_of_range"
    campaign.refresh_from_db()
    assert campaign.status == Status.DRAFT


def test_another_time_is_given_to_a_scheduled_campaign_only_and_never_a_past_one() -> None:
    CustomerFactory()
    campaign = draft()
    later = database_now() + timedelta(hours=1)
    with pytest.raises(DomainError, match="cannot be given another time now"):
        lifecycle.reschedule_campaign(campaign_id=campaign.pk, at=later)
    lifecycle.schedule_campaign(campaign_id=campaign.pk, at=later)
    with pytest.raises(DomainError) as refused:
        lifecycle.reschedule_campaign(campaign_id=campaign.pk, at=database_now())
    assert refused.value.code == "in_the_past"
    lifecycle.reschedule_campaign(campaign_id=campaign.pk, at=later + timedelta(hours=1))
    campaign.refresh_from_db()
    assert campaign.scheduled_for == later + timedelta(hours=1)
