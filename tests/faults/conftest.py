from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests import services
from tests.stack import Stack, running_stack
from tests.standins.client import StandIn

# Short, so that a fault is over within seconds; a call still has ten times what it needs.
QUICK = {
    "PROVIDER_TIMEOUT_SECONDS": "2",
    "LEASE_SECONDS": "6",
    "UNCONFIRMED_GRACE_SECONDS": "1",
    "RETRY_BACKOFF_SECONDS": "1,2,3",
    # A fault makes many messages fail in a row.
    "FAILURES_BEFORE_PAUSE": "0",
}


@pytest.fixture
def database() -> Iterator[services.PrivatePostgres]:
    """A PostgreSQL server that a test may stop; the same one for the whole run."""
    server = services.postgres_server()
    services.require(**{"PostgreSQL to start": server})
    assert server
    yield server
    if not server.is_running:
        server.start()


@pytest.fixture
def broker() -> Iterator[services.PrivateRedis]:
    """A Redis server that a test may stop; the same one for the whole run."""
    server = services.redis_server()
    services.require(**{"Redis to start": server})
    assert server
    yield server
    if server.process is None:
        server.start()


@pytest.fixture
def make_stack(sendgrid: StandIn, twilio: StandIn) -> Iterator[Callable[..., Stack]]:
    """Start installations whose providers are the stand-ins, with quick leases and retries."""
    environment = {**sendgrid.environment(), **twilio.environment(), **QUICK}
    with ExitStack() as running:
        yield lambda kind, **options: running.enter_context(
            running_stack(kind, **(environment | options))
        )


@pytest.fixture
def stack(
    make_stack: Callable[..., Stack],
    database: services.PrivatePostgres,
    broker: services.PrivateRedis,
) -> Stack:
    """An installation on PostgreSQL and Redis that are its own."""
    return make_stack("postgresql", postgres_url=database.url, redis_url=broker.url)
