"""``demo``: a sample business on the embedded default, to try everything."""

import signal
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from demo import business, once
from demo.processes import FIRST_PORT, Processes, find_free_port, wait_for_web


class Command(BaseCommand):
    help = "Start a sample pizzeria: web, worker and beat, nothing to install, nothing really sent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="Import, send, redeem and report by itself, check every figure, and end.",
        )
        parser.add_argument("--port", type=int, default=FIRST_PORT, help="Where the web listens.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo runs as: python manage.py demo")
        if options["once"]:
            self._run_once()
        else:
            self._serve(options["port"])

    def _run_once(self) -> None:
        started = time.monotonic()
        try:
            once.run_once(self.stdout.write)
        except once.DemoFailed as problem:
            raise CommandError(f"The demo failed: {problem}.") from None
        self.stdout.write(
            f"Everything is as it should be, after {time.monotonic() - started:.0f} s."
        )

    def _serve(self, first_port: int) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            # Also where a shell started us with interrupts ignored: the children must end with us.
            signal.signal(number, signal.default_int_handler)
        business.prepare_database()
        business.create_people()
        figures = business.import_customers()
        business.create_campaigns()
        port = find_free_port(first_port)
        address = f"http://127.0.0.1:{port}"
        processes = Processes({"PUBLIC_BASE_URL": address})
        processes.start_worker_and_beat()
        processes.start_web(port)
        try:
            if not wait_for_web(port):
                log = processes.log_path("web").read_text()[-2000:]
                raise CommandError(f"The web server did not start:\n{log}")
            self._welcome(address, figures["rows"])
            while not processes.died():
                time.sleep(1)
            name = processes.died()[0]
            raise CommandError(f"{name} ended: see {processes.log_path(name)}.")
        except KeyboardInterrupt:
            self.stdout.write("\nGood-bye. The business stays in var/demo until you delete it.")
        finally:
            processes.stop()

    def _welcome(self, address: str, customers: int) -> None:
        self.stdout.write(
            f"""
{settings.BUSINESS_NAME} is open, with {customers} rows of customers and two campaigns to send.

  {address}/admin/     marketing: sign in as marketing, password {business.PASSWORD}
  {address}/scan/      the till:  sign in as till, password {business.PASSWORD}
  {address}/captured/  the emails and texts that would have been sent

Everything else: sign in as admin, password {business.PASSWORD}. Ctrl-C ends it."""
        )
