"""PostgreSQL stopped at once, as by a crash, while calls are under way (D-6)."""

import time

import pytest

from campaigns.delivery.sender import RECORD_PAUSES
from tests import services
from tests.faults.invariants import Interruption, check_invariants
from tests.flows.business import create_campaign, import_customers
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.slow]
# Longer than a sender goes on trying to write down what a provider answered.
LONG_SECONDS = sum(RECORD_PAUSES) + 4


def restart_while_calling(
    stack: Stack, database: services.PrivatePostgres, *, away: float
) -> Interruption:
    """Stop the server between acceptance and recording; start it ``away`` seconds later."""
    called = "SELECT count(*) FROM campaigns_delivery WHERE call_started_at IS NOT NULL"
    stack.wait_for(lambda: stack.value(called) >= 10, 30, "calls are under way")
    stopped = time.time()
    database.stop("immediate")
    time.sleep(away)
    database.start()
    return Interruption(at=stopped, processes=2, lasted=time.time() - stopped)


def test_a_database_that_crashes_between_acceptance_and_recording_loses_nothing(
    stack: Stack, database: services.PrivatePostgres, sendgrid: StandIn, twilio: StandIn
) -> None:
    import_customers(stack, customers=400, with_phone=40)
    for standin in (sendgrid, twilio):
        standin.behave("slow", seconds=0.5)
    campaign = create_campaign(stack, sms="{{ offer.title }} {{ coupon_url }}")
    processes = [*stack.start_workers("first", "second"), stack.start_beat()]
    stack.manage("send_campaign", campaign)
    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] >= 40, seconds=60)
    crashes = [restart_while_calling(stack, database, away=0)]
    accepted = sendgrid.stats()["accepted"]
    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] >= accepted + 60, seconds=60)
    crashes.append(restart_while_calling(stack, database, away=LONG_SECONDS))
    stack.wait_for_status(campaign, "completed", 120)
    assert [process.poll() for process in processes] == [None, None, None]
    figures = check_invariants(
        stack,
        campaign,
        customers=400,
        sendgrid=sendgrid,
        twilio=twilio,
        interruptions=crashes,
    )
    # A server that is back in time costs nothing: the answers wait to be written down.
    assert figures.repeats[crashes[0]] == 0 or crashes[0].lasted > sum(RECORD_PAUSES)
    spans = ", ".join(f"{crash.lasted:.1f} s" for crash in crashes)
    print(f"PostgreSQL crashed, away for {spans}: {figures}")
