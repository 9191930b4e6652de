"""The rights to the library reach the groups of an earlier release (M-4)."""

import importlib
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.migrations.loader import MigrationLoader

pytestmark = pytest.mark.django_db


def grant() -> None:
    """Run the data migration on the tables as they are."""
    name = "0008_image"
    migration = importlib.import_module(f"campaigns.migrations.{name}")
    state = MigrationLoader(connection).project_state(("campaigns", name))
    migration.grant_images(state.apps, SimpleNamespace(connection=connection))


def rights_of(group: str) -> set[str]:
    held = Permission.objects.filter(group__name=group, codename__endswith="_image")
    return set(held.values_list("codename", flat=True))


@pytest.fixture(autouse=True)
def before_there_were_images() -> None:
    Permission.objects.filter(codename__endswith="_image").delete()


def test_older_groups_get_their_rights_once() -> None:
    grant()
    grant()
    assert rights_of("Marketing") == {"view_image", "add_image", "change_image", "delete_image"}
    assert rights_of("Analyst") == {"view_image"}
    assert rights_of("Till staff") == set()


def test_a_group_that_was_made_smaller_gets_nothing() -> None:
    for name, codename in (("Marketing", "add_campaign"), ("Analyst", "view_campaign")):
        Group.objects.get(name=name).permissions.remove(Permission.objects.get(codename=codename))
    grant()
    assert rights_of("Marketing") == rights_of("Analyst") == set()


def test_without_the_groups_the_migration_does_nothing() -> None:
    Group.objects.all().delete()
    grant()
    assert not Permission.objects.filter(codename="view_image").exists()


def test_the_two_tables_behind_the_library_have_no_rights_of_their_own() -> None:
    assert not Permission.objects.filter(
        content_type__model__in=["imagecontent", "campaignimage"]
    ).exists()
