"""Redis stopped for a minute, restarted and emptied in mid-run; nothing is lost (D-1, O-4)."""

import time

import pytest
import redis

from tests import services
from tests.faults.invariants import check_invariants
from tests.flows.business import create_campaign, import_customers
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.slow]
STOPPED_SECONDS = 60


def test_redis_may_be_stopped_restarted_and_emptied_at_any_moment(
    stack: Stack, broker: services.PrivateRedis, sendgrid: StandIn, twilio: StandIn
) -> None:
    import_customers(stack, customers=600, with_phone=100)
    slowly = {"send_rate_limit_emails": 1800}
    under_way = create_campaign(stack, sms="{{ offer.title }} {{ coupon_url }}", **slowly)
    pressed_meanwhile = create_campaign(stack, name="Two for one", **slowly)
    processes = [*stack.start_workers("first", "second"), stack.start_beat()]
    stack.manage("send_campaign", under_way)
    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] > 100, seconds=60)

    broker.stop()
    stopped = time.monotonic()
    started = time.monotonic()
    stack.manage("campaign_status", under_way)
    command = time.monotonic() - started
    started = time.monotonic()
    said = stack.manage("send_campaign", pressed_meanwhile).stdout
    took = time.monotonic() - started - command
    assert "600 emails queued" in said
    assert took < 1
    time.sleep(STOPPED_SECONDS - (time.monotonic() - stopped))
    assert stack.json("campaign_status", pressed_meanwhile)["status"] == "queued"
    assert stack.json("campaign_status", under_way)["emails_pending"] > 100
    accepted = sendgrid.stats()["accepted"]
    broker.start()
    back = time.monotonic()

    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] > accepted + 100, seconds=60)
    again = time.monotonic() - back
    stack.wait_for_status(pressed_meanwhile, "sending", 30)
    redis.Redis.from_url(broker.url).flushall()
    stack.execute("UPDATE campaigns_campaign SET send_rate_limit_emails = 0")
    for campaign in (under_way, pressed_meanwhile):
        stack.wait_for_status(campaign, "completed", 120)
    assert [process.poll() for process in processes] == [None, None, None]
    for campaign, standin in ((under_way, twilio), (pressed_meanwhile, None)):
        figures = check_invariants(
            stack, campaign, customers=600, sendgrid=sendgrid, twilio=standin
        )
        assert figures.twice == {"email": 0, "sms": 0}
        print(f"Redis stopped for {STOPPED_SECONDS} s, then emptied: {figures}")
    print(
        f"send_campaign {took:.2f} s slower without Redis; sending {again:.0f} s after its return"
    )
