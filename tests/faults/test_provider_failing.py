"""A provider that says no, says wait, says nothing, or is not there (D-4, D-5, D-6)."""

import time
from collections import Counter

import pytest

from tests.faults.invariants import Interruption, check_invariants
from tests.flows.business import create_campaign, email_of, import_customers, phone_of
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.slow]
PATIENCE_SECONDS = 4
# Longer than a call may take.
HANG_SECONDS = 4


def emails(first: int, count: int) -> list[str]:
    return [email_of(number) for number in range(first, first + count)]


def phones(first: int, count: int) -> list[str]:
    return [phone_of(number) for number in range(first, first + count)]


def test_each_failure_of_a_provider_costs_what_it_must_and_no_more(
    stack: Stack, sendgrid: StandIn, twilio: StandIn
) -> None:
    import_customers(stack, customers=600, with_phone=60, tagged=40, tag="few")
    sms = "{{ offer.title }} {{ coupon_url }}"
    processes = [*stack.start_workers("first", "second"), stack.start_beat()]

    # The provider's own limit: wait as long as it says.
    for standin in (sendgrid, twilio):
        standin.behave(status=429, headers={"Retry-After": str(PATIENCE_SECONDS)}, times=1)
    patient = create_campaign(stack, sms=sms, targets='["few"]')
    stack.manage("send_campaign", patient)
    stack.wait_for_status(patient, "completed", 60)
    for standin in (sendgrid, twilio):
        check_patience(stack, standin)
    figures = check_invariants(stack, patient, customers=40, sendgrid=sendgrid, twilio=twilio)
    assert figures.twice == {"email": 0, "sms": 0}
    print(f"429 with Retry-After: {figures}")

    never = emails(400, 10)
    sendgrid.behave(status=500, recipients=never)
    sendgrid.behave(status=503, recipients=emails(420, 20), times=20)
    sendgrid.behave("hang", seconds=HANG_SECONDS, recipients=emails(440, 10), times=10)
    sendgrid.behave("drop", recipients=emails(450, 10), times=10)
    lost = {"hang": 460, "drop": 470, "close": 480, "garble": 490}
    for action, first in lost.items():
        details = {"seconds": HANG_SECONDS} if action == "hang" else {}
        sendgrid.behave(action, accept=True, recipients=emails(first, 10), times=10, **details)
    twilio.behave(status=500, recipients=phones(10, 5), times=5)
    for action, first in {"hang": 20, "drop": 30}.items():
        details = {"seconds": HANG_SECONDS} if action == "hang" else {}
        twilio.behave(action, recipients=phones(first, 2), times=2, **details)
        twilio.behave(action, accept=True, recipients=phones(first + 2, 2), times=2, **details)
    campaign = create_campaign(stack, sms=sms)
    before, arrivals = sendgrid.stats()["accepted"], len(sendgrid.arrivals())
    stack.manage("send_campaign", campaign)

    # In the middle of it nobody answers the provider's port at all.
    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] > before + 100, seconds=60)
    away = time.time()
    sendgrid.refuse_connections()
    time.sleep(1.5)
    sendgrid.accept_connections()
    refused = Interruption(at=away, processes=2, lasted=time.time() - away)
    stack.wait_for_status(campaign, "completed", 120)
    assert [process.poll() for process in processes] == [None, None, None]

    tries = Counter(entry.recipient for entry in sendgrid.arrivals()[arrivals:])
    # What was tried while the port was closed is in no ledger; the database counts it below.
    assert max(tries[recipient] for recipient in never) <= 4
    failed = stack.rows(
        "SELECT d.code, d.attempts, c.first_name FROM campaigns_delivery d "
        "JOIN customers_customer c ON c.id = d.customer_id WHERE d.status = 'failed'"
    )
    assert sorted(failed) == [("provider_error", 4, f"Ada{number}") for number in range(400, 410)]
    figures = check_invariants(
        stack,
        campaign,
        customers=600,
        sendgrid=sendgrid,
        twilio=twilio,
        interruptions=[refused],
    )
    assert figures.rows["sms", "unconfirmed"] == 8
    assert figures.rows["sms", "sent"] == 52
    assert figures.twice["email"] >= 40
    print(f"500, 503, hanging, dropping, garbling, refusing: {figures}")


def check_patience(stack: Stack, standin: StandIn) -> None:
    """After a 429 nobody calls for as long as was asked; it costs the one who met it no attempt."""
    arrivals = standin.arrivals()
    met = next(entry for entry in arrivals if entry.status == 429)
    since = [entry.arrived_at - met.arrived_at for entry in arrivals]
    called = [seconds for seconds in since if 0 < seconds < PATIENCE_SECONDS]
    # Ten of each of two workers may have been under way already, and are quick.
    assert max(called, default=0) < 1
    assert len(called) < 20
    attempts = f"SELECT attempts FROM campaigns_delivery WHERE public_id = '{met.delivery_id}'"
    assert stack.value(attempts) == 1
