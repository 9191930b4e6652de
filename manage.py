#!/usr/bin/env python
"""Run a Handbill command: ``manage.py help`` lists them."""

import os
import sys


def main() -> None:
    """Set up Django and hand the arguments over."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] == ["demo"]:
        # The demo runs with nothing configured: debug mode makes its own keys.
        os.environ.setdefault("DEBUG", "true")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
