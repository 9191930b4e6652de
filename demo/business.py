"""The sample business: a pizzeria with a real-looking list and two campaigns, made by commands."""

import io
import json
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management import call_command

from campaigns.models import Campaign
from qrcodes.models import Location

FOLDER = Path(__file__).parent
PASSWORD = "vesuvio"
PEOPLE = {"admin": "", "marketing": "Marketing", "till": "Till staff", "analyst": "Analyst"}
LOCATIONS = ("Hanover Street", "Harborwalk")
CAMPAIGN_FILES = ("pizza_20_percent.toml", "we_miss_you.toml")


def run_json(command: str, *arguments: Any, **options: Any) -> Any:
    """Run a command with --json and return what it printed."""
    out = io.StringIO()
    call_command(command, *arguments, "--json", stdout=out, **options)
    return json.loads(out.getvalue())


def prepare_database() -> None:
    """Create or update the tables."""
    call_command("migrate", verbosity=0)


def create_people() -> None:
    """Create the people who sign in, and the two shops."""
    for name, group in PEOPLE.items():
        if User.objects.filter(username=name).exists():
            continue
        user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
        if group:
            user.groups.add(Group.objects.get(name=group))
        else:
            User.objects.filter(pk=user.pk).update(is_superuser=True)
    for location in LOCATIONS:
        Location.objects.get_or_create(name=location)


def import_customers() -> dict[str, int]:
    """Import the list; the second time nothing changes."""
    figures: dict[str, int] = run_json("import_customers", str(FOLDER / "customers.csv"))
    return figures


def create_campaigns() -> list[int]:
    """Create the two drafts, unless there are campaigns already; return their ids."""
    existing = list(Campaign.objects.order_by("pk").values_list("pk", flat=True)[:2])
    if existing:
        return existing
    return [run_json("create_campaign", str(FOLDER / name))["id"] for name in CAMPAIGN_FILES]
