"""The broker stopped, restarted and emptied; a large audience; nothing is lost."""

import time
from collections.abc import Iterator

import pytest
import redis

from tests import services
from tests.flows.business import compare, create_campaign, import_customers
from tests.flows.conftest import require_services
from tests.stack import Stack, running_stack
from tests.standins.client import StandIn

pytestmark = pytest.mark.stack


@pytest.fixture
def broker() -> Iterator[services.PrivateRedis]:
    require_services()
    services.require(**{"redis-server": services.find_binary("redis-server")})
    server = services.PrivateRedis()
    yield server
    server.remove()


@pytest.fixture
def stack(broker: services.PrivateRedis, sendgrid: StandIn) -> Iterator[Stack]:
    environment = sendgrid.environment() | {
        "PROVIDER_TIMEOUT_SECONDS": "3",
        "LEASE_SECONDS": "12",
        "UNCONFIRMED_GRACE_SECONDS": "4",
    }
    with running_stack("postgresql", redis_url=broker.url, **environment) as running:
        yield running


def test_sending_while_redis_is_stopped_loses_nothing(
    stack: Stack, broker: services.PrivateRedis, sendgrid: StandIn
) -> None:
    import_customers(stack, customers=300)
    campaign = create_campaign(stack)
    worker = stack.start_worker()
    beat = stack.start_beat()
    broker.stop()
    started = time.monotonic()
    idle = stack.manage("campaign_status", campaign)
    command = time.monotonic() - started
    started = time.monotonic()
    said = stack.manage("send_campaign", campaign).stdout
    took = time.monotonic() - started - command
    print(f"send_campaign took {took:.2f} s longer than campaign_status, with Redis stopped")
    assert idle.returncode == 0
    assert took < 1
    assert "300 emails queued" in said
    assert stack.json("campaign_status", campaign)["status"] == "queued"
    time.sleep(10)
    broker.start()
    stack.wait_for_status(campaign, "completed", 60)
    assert worker.poll() is None
    assert beat.poll() is None
    compare(stack, campaign, sendgrid)
    assert len(sendgrid.ledger()) == 300


def test_the_worker_survives_redis_being_restarted_and_flushed(
    stack: Stack, broker: services.PrivateRedis, sendgrid: StandIn
) -> None:
    import_customers(stack, customers=900)
    campaign = create_campaign(stack, send_rate_limit_emails=3000)
    worker = stack.start_worker()
    beat = stack.start_beat()
    stack.manage("send_campaign", campaign)
    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] > 50)
    broker.stop()
    time.sleep(2)
    broker.start()
    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] > 300, seconds=60)
    redis.Redis.from_url(broker.url).flushall()
    stack.wait_for_status(campaign, "completed", 120)
    assert worker.poll() is None
    assert beat.poll() is None
    assert len(sendgrid.ledger()) == 900
    compare(stack, campaign, sendgrid)


@pytest.mark.slow
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
