import pytest

from tests import services
from tests.settings import TEST_DATABASE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if TEST_DATABASE == "postgresql" and not services.postgres_url():
        if services.CI:
            raise pytest.UsageError("CI=true, and no PostgreSQL was found")
        for item in items:
            item.add_marker(pytest.mark.skip(reason="no PostgreSQL was found"))
