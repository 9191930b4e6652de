"""A time that passes while nothing runs (D-7, M-10)."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.invariants import check_invariants
from tests.flows.business import create_campaign, import_customers
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def test_a_time_that_passed_while_all_was_down_is_made_good_once(
    stack: Stack, sendgrid: StandIn
) -> None:
    import_customers(stack, customers=200)
    campaign = create_campaign(stack)
    at = datetime.now(UTC) + timedelta(seconds=4)
    stack.manage("send_campaign", campaign, "--at", at.isoformat())
    assert datetime.now(UTC) < at
    time.sleep(6)
    assert stack.json("campaign_status", campaign)["status"] == "scheduled"
    assert sendgrid.stats()["requests"] == 0

    # Everything comes back at the same time, and more of it than there should be.
    for name in ("beat", "second-beat"):
        stack.start_beat(name)
    stack.start_workers("first", "second")
    back = time.monotonic()
    stack.wait_for_status(campaign, "completed", 60)
    took = time.monotonic() - back
    figures = check_invariants(stack, campaign, customers=200, sendgrid=sendgrid)
    assert figures.arrived["email"] == 200
    late = stack.value("SELECT extract(epoch FROM sent_at - scheduled_for) FROM campaigns_campaign")
    assert late > 2
    print(f"{late:.0f} s late, completed {took:.0f} s after the start: {figures}")
