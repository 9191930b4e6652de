"""Each hostile template is refused or bounded, in under a second and 100 MB."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaigns.content.hostile import EMAILS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results() -> dict[str, dict]:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.campaigns.content.hostile"],
        check=False,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stderr
    return {row["name"]: row for row in map(json.loads, ran.stdout.splitlines())}


def test_every_template_ended_by_itself(results):
    assert results.keys() == EMAILS.keys()


@pytest.mark.parametrize("name", EMAILS)
def test_it_is_refused_or_bounded(results, name):
    result = results[name]
    assert result["outcome"] == EMAILS[name][1]
    assert result["seconds"] < 1
    assert result["megabytes"] < 100
