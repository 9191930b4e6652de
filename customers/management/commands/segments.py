"""Show the segments with how many customers each channel reaches."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from customers.count_segments import count_segments


class Command(BaseCommand):
    help = "Show every segment: customers, and how many of them email and SMS reach."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        counts = count_segments()
        if options["json"]:
            self.stdout.write(json.dumps([count.as_dict() for count in counts]))
            return
        width = max(len(count.name) for count in counts)
        self.stdout.write(f"{'':{width}}  {'customers':>10}  {'email':>10}  {'sms':>10}")
        for count in counts:
            figures = f"{count.customers:>10,}  {count.email:>10,}  {count.sms:>10,}"
            self.stdout.write(f"{count.name:{width}}  {figures}")
