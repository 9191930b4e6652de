"""What tests use: start a stand-in, script it, read its ledger."""

import asyncio
import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.standins import sendgrid, twilio
from tests.standins.ledger import LedgerEntry
from tests.standins.server import Provider, Server

PROVIDERS: dict[str, type[Provider]] = {"sendgrid": sendgrid.SendGrid, "twilio": twilio.Twilio}
ROOT = Path(__file__).resolve().parents[2]


class StandIn:
    """A provider on loopback; the same for SendGrid and Twilio.

    A process of its own by default, so that it shares no GIL with the tests; ``in_process=True``
    runs it in a thread. ``keep_raw`` keeps every request's body in ``LedgerEntry.raw``.
    """

    def __init__(self, name: str, *, in_process: bool = False, keep_raw: bool = False) -> None:
        self.name = name
        self._in_process = in_process
        self._keep_raw = keep_raw
        self._process: subprocess.Popen[str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._entries: list[LedgerEntry] = []
        self.port = 0
        self._control_port = 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> Self:
        if self._in_process:
            self._start_thread()
        else:
            self._start_process()
        return self

    def _start_thread(self) -> None:
        server = Server(PROVIDERS[self.name](), keep_raw=self._keep_raw)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(server.start(), self._loop).result(10)
        self.port, self._control_port = server.port, server.control_port

    def _start_process(self) -> None:
        options = ["--keep-raw"] if self._keep_raw else []
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.standins.{self.name}", *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+), control on (\d+)\n", line)
        if not found:
            raise RuntimeError(f"the {self.name} stand-in did not start")
        self.port, self._control_port = int(found[1]), int(found[2])

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout
            self._process.stdout.close()
            self._process = None
        if self._loop and self._thread:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()
            self._loop = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> dict[str, Any]:
        """Django settings that point the product at this stand-in, for ``override_settings``."""
        if self.name == "twilio":
            return {
                "SMS_BACKEND": "twilio",
                "TWILIO_ACCOUNT_SID": twilio.ACCOUNT_SID,
                "TWILIO_AUTH_TOKEN": twilio.AUTH_TOKEN,
                "TWILIO_FROM_NUMBER": twilio.FROM_NUMBER,
                "TWILIO_MESSAGING_SERVICE_SID": "",
                "TWILIO_API_BASE_URL": self.url,
            }
        return {
            "EMAIL_BACKEND": "anymail.backends.sendgrid.EmailBackend",
            "ANYMAIL": {
                "SENDGRID_API_KEY": sendgrid.API_KEY,
                "SENDGRID_API_URL": f"{self.url}/v3/",
            },
        }

    def environment(self) -> dict[str, str]:
        """Environment variables that point another process at this stand-in."""
        if self.name == "twilio":
            return {name: text for name, text in self.settings().items() if text}
        return {
            "EMAIL_BACKEND": "sendgrid",
            "SENDGRID_API_KEY": sendgrid.API_KEY,
            "SENDGRID_API_URL": f"{self.url}/v3",
        }

    def behave(
        self,
        action: str = "answer",
        *,
        recipients: list[str] | None = None,
        times: int | None = None,
        **details: Any,
    ) -> None:
        """Script what happens to coming messages; the first rule that applies wins.

        ``recipients`` limits it to those, ``times`` to so many requests. Actions:

        - ``answer``: refuse with ``status`` (500), ``headers``, Twilio's ``code``, a whole ``body``
        - ``slow``: accept, answer after ``seconds``
        - ``hang``: after ``seconds`` close without an answer
        - ``close``, ``drop``: end the connection without an answer, orderly or by a reset
        - ``drop_unread``: reset it before the body is read, whoever it is for
        - ``drip``: accept, and let the answer trickle, a piece every hundredth of ``seconds``
        - ``garble``: accept, and break off in the middle of the answer

        With ``accept=True``, ``hang``, ``close`` and ``drop`` accept the message first.
        """
        self._control("POST", "/_behave", action=action, recipients=recipients or [], times=times,
                      **details)  # fmt: skip

    def refuse_connections(self) -> None:
        """Be down: the port is closed, and so are all connections."""
        self._control("POST", "/_listen", open=False)

    def accept_connections(self) -> None:
        """Be up again, on the same port."""
        self._control("POST", "/_listen", open=True)

    def reset(self) -> None:
        """Forget the ledger and every rule."""
        self._control("POST", "/_reset")
        self._entries.clear()

    def obey(self) -> None:
        """Forget every rule, and keep the ledger."""
        self._control("POST", "/_obey")

    def stats(self) -> dict[str, int]:
        """Counts: requests, connections, arrived and accepted messages."""
        return self._control("GET", "/_stats")

    def arrivals(self) -> list[LedgerEntry]:
        """Every message that reached the provider, refused ones included, in order."""
        while page := self._control("GET", f"/_ledger?since={len(self._entries)}"):
            self._entries += [LedgerEntry(**facts) for facts in page]
        return list(self._entries)

    def ledger(self) -> list[LedgerEntry]:
        """Every message that the provider accepted, in order."""
        return [entry for entry in self.arrivals() if entry.accepted]

    def violations(self) -> list[str]:
        """What was wrong with requests, by the provider's published schema."""
        return [words for entry in self.arrivals() for words in entry.violations]

    def wait_for(self, condition: Callable[[Self], bool], *, seconds: float = 30) -> None:
        """Wait until ``condition`` holds; raises AssertionError when it never does."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            assert time.monotonic() < deadline, f"still waiting after {seconds:g} s: {self.stats()}"
            time.sleep(0.02)

    def _control(self, method: str, path: str, **content: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._control_port, timeout=60)
        try:
            connection.request(method, path, json.dumps(content) if content else None)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer)
        return answer
