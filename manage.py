#!/usr/bin/env python
"""Run a Handbill command: ``manage.py help`` lists them."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

# The demo is a business of its own: whatever is configured here for a real one stays untouched.
DEMO_ENVIRONMENT = {
    "DEBUG": "true",
    "DATA_DIR": str(Path(__file__).resolve().parent / "var" / "demo"),
    "BUSINESS_NAME": "Pizzeria Vesuvio",
    "BUSINESS_ADDRESS": "12 Hanover Street, Boston, MA 02113",
    "DEFAULT_FROM_EMAIL": "Pizzeria Vesuvio <hello@vesuvio.example>",
    "DEFAULT_PHONE_REGION": "US",
    "TIME_ZONE": "America/New_York",
    "CURRENCY": "USD",
    "SMS_SENDING_HOURS": "always",  # people try things out at night too
    "FREQUENCY_CAP": "",
    "DATABASE_URL": "",
    "REDIS_URL": "",
    "EMAIL_BACKEND": "",
    "SMS_BACKEND": "",
    "CAPTURE_DIR": "",
    "SECRET_KEY": "",
    "FIELD_ENCRYPTION_KEYS": "",
    "BLIND_INDEX_KEY": "",
    "PUBLIC_BASE_URL": "",
    "ALLOWED_HOSTS": "",
}


def main() -> None:
    """Set up Django and hand the arguments over."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] == ["demo"]:
        os.environ.update(DEMO_ENVIRONMENT)
        if "--once" in sys.argv:
            # Every run starts from nothing and leaves nothing behind.
            folder = tempfile.mkdtemp(prefix="handbill-demo-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            os.environ["DATA_DIR"] = folder
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
