"""Groups made by an earlier release get the rights to series with the migration."""

import importlib
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.migrations.loader import MigrationLoader

pytestmark = pytest.mark.django_db


def grant() -> None:
    """Run the data migration on the tables as they are."""
    (name,) = [
        name
        for app, name in MigrationLoader(connection).disk_migrations
        if app == "campaigns" and name.endswith("_series")
    ]
    migration = importlib.import_module(f"campaigns.migrations.{name}")
    state = MigrationLoader(connection).project_state(("campaigns", name))
    migration.grant_series(state.apps, SimpleNamespace(connection=connection))


def rights_of(name: str) -> set[str]:
    held = Group.objects.get(name=name).permissions.filter(codename__endswith="_series")
    return set(held.values_list("codename", flat=True))


@pytest.fixture(autouse=True)
def older(db) -> None:
    """The groups as they were before there were series."""
    Permission.objects.filter(codename__endswith="_series").delete()


def test_whoever_sends_may_repeat_and_whoever_looks_may_look() -> None:
    grant()
    grant()
    assert rights_of("Marketing") == {"view_series", "add_series", "change_series"}
    assert rights_of("Analyst") == {"view_series"}
    assert rights_of("Till staff") == set()


def test_a_group_that_may_not_send_gets_nothing() -> None:
    marketing = Group.objects.get(name="Marketing")
    marketing.permissions.remove(Permission.objects.get(codename="send_campaign"))
    Group.objects.get(name="Analyst").delete()
    grant()
    assert rights_of("Marketing") == set()
