"""The main job with real worker processes and a real broker, on both embedded and server stacks."""

import time

import pytest

from tests.flows.business import (
    compare,
    create_campaign,
    email_of,
    import_customers,
    most_in_a_window,
    phone_of,
)
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = pytest.mark.stack
SMS = "{{ customer.first_name }}: {{ offer.title }} {{ coupon_url }}"


def test_two_thousand_emails_and_seven_hundred_texts_each_arrive_once(
    stack: Stack, sendgrid: StandIn, twilio: StandIn
) -> None:
    import_customers(stack, customers=2000, with_phone=700)
    campaign = create_campaign(stack, sms=SMS)
    stack.start_worker("first")
    stack.start_worker("second")
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    took = stack.wait_for_status(campaign, "completed", 120)
    print(f"{stack.kind}: 2,700 messages in {took:.1f} s")

    status = stack.json("campaign_status", campaign)
    assert (status["emails_sent"], status["sms_sent"]) == (2000, 700)
    assert status["sms_skipped"] == 1300
    assert len(sendgrid.ledger()) == 2000
    assert len(twilio.ledger()) == 700
    compare(stack, campaign, sendgrid, twilio)

    dump = stack.dump()
    for number in range(2000):
        assert email_of(number).encode() not in dump
        assert phone_of(number).encode() not in dump
    for name in ("first", "second", "beat"):
        assert "@example.com" not in stack.log(name)
        assert "+49151" not in stack.log(name)


def test_a_worker_killed_in_the_middle_loses_nothing(
    stack: Stack, sendgrid: StandIn, twilio: StandIn
) -> None:
    import_customers(stack, customers=2000, with_phone=700)
    campaign = create_campaign(stack, sms=SMS)
    victim = stack.start_worker("victim")
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] > 400, seconds=60)
    stack.kill(victim)
    assert stack.value(f"SELECT status FROM campaigns_campaign WHERE id = {campaign}") == "sending"
    stack.start_worker("successor")

    def settled() -> bool:
        status = stack.json("campaign_status", campaign)
        return status["status"] == "completed"

    stack.wait_for(settled, 120, "the campaign completes after the kill")
    status = stack.json("campaign_status", campaign)
    emails, texts = sendgrid.ledger(), twilio.ledger()
    twice = len(emails) - len({entry.recipient for entry in emails})
    print(f"{stack.kind}: {twice} emails twice, {status['sms_unconfirmed']} texts unconfirmed")
    assert {entry.recipient for entry in emails} == {email_of(n) for n in range(2000)}
    assert twice <= 10
    assert status["emails_sent"] == 2000
    # A text is never sent again by itself: the one being called waits for a person.
    assert len(texts) == len({entry.recipient for entry in texts})
    assert status["sms_unconfirmed"] <= 1
    assert status["sms_sent"] + status["sms_unconfirmed"] == 700
    assert len(texts) >= 699


@pytest.mark.alone
def test_no_rolling_window_holds_more_than_the_limit_and_most_of_it_is_used(
    stack: Stack, sendgrid: StandIn
) -> None:
    window = float(stack.environment.setdefault("PACING_WINDOW_SECONDS", "6"))
    import_customers(stack, customers=400)
    campaign = create_campaign(stack, send_rate_limit_emails=100)
    stack.start_worker("first")
    stack.start_worker("second")
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] >= 300, seconds=90)
    times = [entry.arrived_at for entry in sendgrid.ledger()][:300]
    busiest = most_in_a_window(times, window)
    used = (len(times) - 1) / ((times[-1] - times[0]) / window * 100)
    print(f"{stack.kind}: busiest window {busiest}, {used:.1%} of the limit used")
    assert busiest <= 100
    assert used >= 0.95


def test_pause_resume_and_a_new_rate_take_effect_at_once(stack: Stack, sendgrid: StandIn) -> None:
    import_customers(stack, customers=400)
    campaign = create_campaign(stack, send_rate_limit_emails=300)
    stack.start_worker()
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] >= 20)
    stack.manage("pause_campaign", campaign)
    paused_at = sendgrid.stats()["accepted"]
    time.sleep(3)
    assert sendgrid.stats()["accepted"] - paused_at <= 10
    assert stack.json("campaign_status", campaign)["emails_pending"] > 200
    stack.execute(f"UPDATE campaigns_campaign SET send_rate_limit_emails = 0 WHERE id = {campaign}")
    stack.manage("resume_campaign", campaign)
    stack.wait_for_status(campaign, "completed", 30)
    compare(stack, campaign, sendgrid)
