"""Handbill's own settings under a fixed environment, on the database that TEST_DATABASE names."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from tests import services

TEST_DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
# One for each process: pytest-xdist starts several.
_scratch = Path(tempfile.gettempdir()) / f"handbill-tests-{os.getpid()}"
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)

for _name in ("EMAIL_BACKEND", "SMS_BACKEND", "REDIS_URL", "DATABASE_URL"):
    os.environ.pop(_name, None)
os.environ.update(
    services.KEYS,
    DEBUG="false",
    PUBLIC_BASE_URL="https://coupons.example.com",
    ALLOWED_HOSTS="coupons.example.com,testserver,localhost,127.0.0.1",
    DEFAULT_FROM_EMAIL="Pizzeria <hello@pizzeria.example>",
    BUSINESS_NAME="Pizzeria Vesuvio",
    BUSINESS_ADDRESS="1 Harbour Street, Hamburg",
    DEFAULT_PHONE_REGION="DE",
    TIME_ZONE="Europe/Berlin",
    CURRENCY="EUR",
    SMS_SENDING_HOURS="always",  # the tests run at night too
    DATA_DIR=str(_scratch),
    CAPTURE_DIR=str(_scratch / "captured"),
)
if TEST_DATABASE == "postgresql":
    os.environ["DATABASE_URL"] = services.postgres_url() or "postgres://unreachable/none"

from config.settings import *  # noqa: E402, F403

# On SQLite a real file: threads of one test share an in-memory database's locks, people do not.
_name = str(_scratch / "test.sqlite3") if TEST_DATABASE == "sqlite" else _scratch.name
DATABASES["default"]["TEST"] = {"NAME": _name}  # noqa: F405

# The tests speak plain HTTP to Django's test client.
SECURE_SSL_REDIRECT = False
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {  # noqa: F405
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
WHITENOISE_AUTOREFRESH = True
