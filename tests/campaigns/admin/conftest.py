import pytest
from django.test import Client

from tests.factories import UserFactory


def signed_in(*groups: str, **columns) -> Client:
    client = Client()
    client.force_login(UserFactory(groups=groups, **columns))
    return client


@pytest.fixture
def marketing(db) -> Client:
    return signed_in("Marketing")


@pytest.fixture
def analyst(db) -> Client:
    return signed_in("Analyst")


@pytest.fixture
def till(db) -> Client:
    return signed_in("Till staff")
