import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from tests.factories import UserFactory


def user_with(*codenames: str):
    user = UserFactory()
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="customers", codename__in=codenames)
    )
    return user


@pytest.fixture
def login(client: Client):
    """Sign in someone with these permissions of the customers app."""

    def sign_in(*codenames: str):
        user = user_with(*codenames)
        client.force_login(user)
        return user

    return sign_in


@pytest.fixture
def marketing(client: Client):
    """Sign in someone of the group Marketing."""
    user = UserFactory(groups=["Marketing"])
    client.force_login(user)
    return user


@pytest.fixture
def boss(client: Client):
    """Sign in someone who may do everything."""
    user = UserFactory(is_superuser=True)
    client.force_login(user)
    return user
