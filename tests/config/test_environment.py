import os
import re
import subprocess
import sys
from datetime import time
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment as read
from tests.services import KEYS


def start(**variables: str) -> subprocess.CompletedProcess[str]:
    base = {"PATH": os.environ["PATH"], "PUBLIC_BASE_URL": "https://x.example", **KEYS}
    base |= {"DATABASE_URL": "sqlite:///:memory:"}
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=base | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("FIELD_ENCRYPTION_KEYS", "k1:tooshort"),
        ("FIELD_ENCRYPTION_KEYS", "nokey"),
        ("BLIND_INDEX_KEY", "abc"),
        ("PUBLIC_BASE_URL", ""),
        ("PUBLIC_BASE_URL", "coupons.example.com"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("REDIS_URL", "http://localhost"),
        ("DEBUG", "maybe"),
        ("EMAIL_BACKEND", "carrier-pigeon"),
        ("SMS_BACKEND", "fax"),
        ("QR_IMAGE_STRATEGY", "attached"),
        ("LEASE_SECONDS", "30"),
        ("PACING_WINDOW_SECONDS", "soon"),
        ("RETRY_BACKOFF_SECONDS", "60,-1"),
        ("REDIS_URL", "redis://localhost:port/0"),
        ("UNCONFIRMED_SMS", "perhaps"),
        ("FAILURES_BEFORE_PAUSE", "-1"),
        ("SMS_SENDING_HOURS", "21:00-08:00"),
        ("SMS_SENDING_HOURS", "8-21"),
        ("SMS_SENDING_HOURS", "by day"),
        ("SMS_SENDING_HOURS", "08:00Z-21:00Z"),
        ("SMS_SENDING_HOURS", "08:00+02:00-21:00"),
        ("FREQUENCY_CAP", "3"),
        ("FREQUENCY_CAP", "0/7"),
        ("FREQUENCY_CAP", "3/0"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("CURRENCY", "euros"),
        ("DEFAULT_PHONE_REGION", "DEU"),
    ],
)
def test_it_refuses_a_wrong_setting_by_name(name: str, value: str) -> None:
    result = start(**{name: value})
    last_line = result.stderr.strip().splitlines()[-1]
    assert result.returncode != 0
    assert last_line.startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert name in last_line


def test_it_starts_with_a_sound_environment() -> None:
    result = start()
    assert result.returncode == 0, result.stderr


def test_hours_and_frequency_are_read(monkeypatch) -> None:
    monkeypatch.setenv("HOURS", "09:30 - 20:00")
    monkeypatch.setenv("ALWAYS", "always")
    monkeypatch.setenv("CAP", "3/7")
    assert read.read_hours("HOURS", "always") == (time(9, 30), time(20))
    assert read.read_hours("ALWAYS", "08:00-21:00") is None
    assert read.read_hours("UNSET", "08:00-21:00") == (time(8), time(21))
    assert read.read_frequency("CAP") == (3, 7)
    assert read.read_frequency("UNSET") is None


@pytest.mark.parametrize("name", ["SENDGRID_API_KEY", "TWILIO_ACCOUNT_SID"])
def test_it_names_the_missing_credential(name: str) -> None:
    result = start(EMAIL_BACKEND="sendgrid", SMS_BACKEND="twilio", SENDGRID_API_KEY="")
    assert result.returncode != 0
    result = start(SMS_BACKEND="twilio") if name.startswith("TWILIO") else result
    assert name in result.stderr


def test_it_does_not_print_a_key_that_it_refuses() -> None:
    secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
    with pytest.raises(ImproperlyConfigured) as caught:
        read.read_encryption_keys("FIELD_ENCRYPTION_KEYS", f"k1:{secret}")
    assert secret not in str(caught.value)


def test_two_processes_agree_on_the_keys_they_make(tmp_path) -> None:
    first = read.own_keys(tmp_path / "keys.env")
    second = read.own_keys(tmp_path / "keys.env")
    assert first == second
    assert (tmp_path / "keys.env").stat().st_mode & 0o077 == 0


def test_the_example_names_every_variable() -> None:
    settings = Path("config/settings.py").read_text()
    names = set(re.findall(r'(?:read\.read_\w+|_key)\(\s*"([A-Z_]+)"', settings)) | {"DATABASE_URL"}
    example = Path(".env.example").read_text()
    assert len(names) > 30
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", example)] == []


def test_a_filled_in_example_works_with_the_keys_that_new_keys_adds(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "config.new_keys"], capture_output=True, text=True, check=True
    ).stdout
    lines = Path(".env.example").read_text().splitlines() + made.splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    given |= {"SENDGRID_API_KEY": "x", "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "x"}
    given |= {"TWILIO_FROM_NUMBER": "+15005550006", "DATABASE_URL": "sqlite:///:memory:"}
    environment = {"PATH": os.environ["PATH"]} | given
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
