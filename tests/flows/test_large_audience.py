"""A large audience is queued within seconds (D-2, P-1)."""

import time

import pytest

from tests.flows.business import create_campaign, import_customers
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_fifty_thousand_customers_are_queued_within_seconds(stack: Stack) -> None:
    started = time.monotonic()
    import_customers(stack, customers=50_000)
    print(f"import of 50,000 rows: {time.monotonic() - started:.1f} s")
    campaign = create_campaign(stack, send_rate_limit_emails=1)
    stack.start_worker()
    stack.start_beat()
    started = time.monotonic()
    stack.manage("send_campaign", campaign)
    returned = time.monotonic() - started
    queued = f"SELECT count(*) FROM campaigns_delivery WHERE campaign_id = {campaign}"
    stack.wait_for(lambda: stack.value(queued) == 50_000, 30, "50,000 rows are there")
    took = time.monotonic() - started - returned
    print(f"send_campaign returned after {returned:.1f} s, all rows were there {took:.1f} s later")
    assert returned < 5
    assert took < 5
