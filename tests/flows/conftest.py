from collections.abc import Iterator

import pytest

from tests import services
from tests.stack import Stack, running_stack
from tests.standins.client import StandIn


def require_services() -> None:
    """Skip, by name, what needs PostgreSQL and Redis where there are none; fail in CI."""
    services.require(PostgreSQL=services.postgres_url(), Redis=services.redis_url())


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "postgresql":
        require_services()
    return str(request.param)


@pytest.fixture
def stack(kind: str, sendgrid: StandIn, twilio: StandIn) -> Iterator[Stack]:
    """An installation whose providers are the stand-ins; quick retries, no limits but its own."""
    environment = {
        **sendgrid.environment(),
        **twilio.environment(),
        "RETRY_BACKOFF_SECONDS": "0.5,1,1.5",
        "PROVIDER_TIMEOUT_SECONDS": "3",
        "LEASE_SECONDS": "12",
        "UNCONFIRMED_GRACE_SECONDS": "4",
    }
    with running_stack(kind, **environment) as running:
        yield running
