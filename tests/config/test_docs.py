"""The documents name what is there."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from campaigns.health import check_everything

OURS = ("customers", "qrcodes", "campaigns", "analytics")


@pytest.mark.django_db
def test_every_check_of_doctor_has_an_operators_page() -> None:
    names = {check.name for check in check_everything()}
    assert len(names) >= 10
    pages = {page.stem for page in Path("docs/alarms").glob("*.md")}
    assert sorted(names - pages) == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for document in [Path("README.md"), *Path("docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            if not (document.parent / link).exists():
                broken.append(f"{document}: {link}")
    assert broken == []


def test_the_readme_names_every_command() -> None:
    readme = Path("README.md").read_text()
    ours = {name for name, app in get_commands().items() if app in OURS}
    assert len(ours) >= 15
    assert sorted(name for name in ours if name not in readme) == []
