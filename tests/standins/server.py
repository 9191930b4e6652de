"""The HTTP server under every stand-in: keep-alive, scripted misbehaviour, a ledger, a control API.

One asyncio loop and a hand-written reader, because it must outrun several worker processes. The
control API answers on a port of its own, so that the provider's can be closed, and on both by hand:

    GET  /_ledger?since=0   what arrived        POST /_behave   a rule, as JSON
    GET  /_stats            counts              POST /_reset    forget ledger and rules
    POST /_obey             forget the rules
    POST /_listen           {"open": false} refuses connections until {"open": true}
"""

import abc
import argparse
import asyncio
import contextlib
import json
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.standins.ledger import LedgerEntry

ACTIONS = {"answer", "slow", "hang", "close", "drop", "drop_unread", "drip", "garble"}
LEDGER_PAGE = 2000
# An answer drips in as many pieces at most.
DROPS = 100
# linger on, for zero seconds: close() sends a reset.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, status: int, content: Any) -> "Reply":
        return cls(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def encoded(self) -> bytes:
        phrase = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass
class Rule:
    """What to do with messages instead of accepting them; see ``StandIn.behave``."""

    action: str
    recipients: list[str] = field(default_factory=list)  # none: everybody
    times: int | None = None  # none: until reset
    seconds: float = 0
    accept: bool = False
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    code: int | str | None = None

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"{self.action} is none of {sorted(ACTIONS)}")

    def take(self, recipients: list[str] | None = None) -> bool:
        """Tell whether the rule applies, and count that it did."""
        if self.times == 0 or (
            self.recipients and not set(self.recipients) & set(recipients or ())
        ):
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Provider(abc.ABC):
    """What tells one provider from another: its addresses, checks and words."""

    channel = ""

    @abc.abstractmethod
    def accepted(self, provider_id: str) -> Reply:
        """The answer to a message that was taken."""

    @abc.abstractmethod
    def refusal(self, status: int) -> Reply:
        """The answer to a message that was not, in the provider's own shape."""

    @abc.abstractmethod
    def read(self, request: Request) -> tuple[Reply | None, list[LedgerEntry]]:
        """Check a request: a refusal with entries of its violations, or an entry per message."""

    def entry(self, **facts: Any) -> LedgerEntry:
        return LedgerEntry(
            channel=self.channel,
            arrived_at=time.time(),
            monotonic=time.monotonic(),
            accepted=False,
            status=0,
            **facts,
        )

    def violation(
        self, reply: Reply, words: list[str] | None = None
    ) -> tuple[Reply, list[LedgerEntry]]:
        words = words or [f"HTTP {reply.status}"]
        return reply, [self.entry(recipient="", delivery_id="", violations=words)]


class Server:
    """One provider's stand-in: its rules, its ledger, its two ports."""

    def __init__(self, provider: Provider, *, keep_raw: bool = False) -> None:
        self.provider = provider
        self.keep_raw = keep_raw
        self.ledger: list[LedgerEntry] = []
        self.rules: list[Rule] = []
        self.connections = 0
        self.requests = 0
        self.open: set[Connection] = set()
        self.port = 0
        self.control_port = 0
        self._listener: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        control = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0)
        self.control_port = control.sockets[0].getsockname()[1]
        await self.listen(port)

    async def listen(self, port: int) -> None:
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), "127.0.0.1", port, backlog=512
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Close the provider's port and every connection to it."""
        if self._listener:
            self._listener.close()
            self._listener = None
        for connection in list(self.open):
            connection.transport.abort()
        while self.open:
            await asyncio.sleep(0)

    def reset(self) -> None:
        self.ledger.clear()
        self.rules.clear()
        self.connections, self.requests = len(self.open), 0

    def rule_for(self, entries: list[LedgerEntry]) -> Rule | None:
        recipients = [entry.recipient for entry in entries]
        rules = (rule for rule in self.rules if rule.action != "drop_unread")
        return next((rule for rule in rules if rule.take(recipients)), None)

    def drops_unread(self) -> bool:
        return any(rule.action == "drop_unread" and rule.take() for rule in self.rules)

    def record(self, entries: list[LedgerEntry], *, accepted: bool, status: int, raw: str) -> None:
        for entry in entries:
            entry.accepted, entry.status, entry.raw = accepted, status, raw
        self.ledger.extend(entries)

    def refusal_of(self, rule: Rule) -> Reply:
        reply = self.provider.refusal(rule.status)
        if rule.code is not None:
            reply.body = json.dumps({**json.loads(reply.body), "code": rule.code}).encode()
        if rule.body is not None:
            reply.body = (
                rule.body.encode() if isinstance(rule.body, str) else json.dumps(rule.body).encode()
            )
        reply.headers.update(rule.headers)
        return reply

    async def control(self, request: Request) -> Reply:
        if request.path == "/_ledger":
            since = int(request.query.get("since", ["0"])[0])
            page = self.ledger[since : since + LEDGER_PAGE]
            return Reply.of_json(200, [vars(entry) for entry in page])
        if request.path == "/_stats":
            counts = {"requests": self.requests, "connections": self.connections}
            counts["arrived"] = len(self.ledger)
            counts["accepted"] = sum(entry.accepted for entry in self.ledger)
            return Reply.of_json(200, counts)
        content = json.loads(request.body or b"{}")
        if request.path == "/_reset":
            self.reset()
        elif request.path == "/_obey":
            self.rules.clear()
        elif request.path == "/_behave":
            self.rules.append(Rule(**content))
        elif request.path == "/_listen" and content["open"]:
            await self.listen(self.port)
        elif request.path == "/_listen":
            await self.refuse()
        else:
            return Reply(404, b"")
        return Reply.of_json(200, {"ok": True})


class Connection(asyncio.Protocol):
    """One connection: reads requests, one at a time, and answers or misbehaves."""

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = bytearray()
        self.counted = False
        self.busy = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, error: Exception | None) -> None:
        self.server.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._next()

    def _next(self) -> None:
        while not self.busy and not self.transport.is_closing():
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            request = self._request(end)
            if request is None:
                return
            if request.path.startswith("/_"):
                self.busy = True
                task = asyncio.ensure_future(self._control(request))
                task.add_done_callback(lambda _: None)
            else:
                self._message(request)

    def _request(self, end: int) -> Request | None:
        """Take the next whole request off the buffer, or None when some of it is still coming."""
        head = self.buffer[:end].decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        if not self.counted and not target.startswith("/_"):
            self.counted = True
            self.server.connections += 1
            self.server.open.add(self)
        if not target.startswith("/_") and self.server.drops_unread():
            self._abort()
            return None
        if len(self.buffer) < end + 4 + length:
            return None
        body = bytes(self.buffer[end + 4 : end + 4 + length])
        del self.buffer[: end + 4 + length]
        url = urlsplit(target)
        return Request(method, url.path, parse_qs(url.query), headers, body)

    async def _control(self, request: Request) -> None:
        try:
            reply = await self.server.control(request)
        except (ValueError, TypeError, KeyError, OSError) as error:
            reply = Reply.of_json(400, {"error": f"{type(error).__name__}: {error}"})
        self._finish(reply.encoded())

    def _message(self, request: Request) -> None:
        server = self.server
        server.requests += 1
        raw = request.body.decode("latin-1") if server.keep_raw else ""
        reply, entries = server.provider.read(request)
        if reply is not None:
            server.record(entries, accepted=False, status=reply.status, raw=raw)
            self.transport.write(reply.encoded())
            return
        rule = server.rule_for(entries)
        accepted = rule is None or rule.accept or rule.action in {"slow", "drip", "garble"}
        reply = server.provider.accepted(entries[0].provider_id)
        if rule is not None and rule.action == "answer":
            reply = server.refusal_of(rule)
        answered = rule is None or rule.action in {"answer", "slow", "drip"}
        server.record(entries, accepted=accepted, status=reply.status if answered else 0, raw=raw)
        if rule is None or rule.action == "answer":
            self.transport.write(reply.encoded())
        else:
            self._misbehave(rule, reply)

    def _misbehave(self, rule: Rule, reply: Reply) -> None:
        later = asyncio.get_running_loop().call_later
        self.busy = True
        if rule.action == "drop":
            self._abort()
        elif rule.action == "close":
            self.transport.close()
        elif rule.action == "hang":
            later(rule.seconds, self.transport.close)
        elif rule.action == "slow":
            later(rule.seconds, self._finish, reply.encoded())
        elif rule.action == "garble":
            head = f"HTTP/1.1 {reply.status} OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            self.transport.write(head.encode() + b"40\r\n{")
            self.transport.close()
        else:
            content = reply.encoded()
            size = -(-len(content) // DROPS)
            drops = [content[start : start + size] for start in range(0, len(content), size)]
            self._drip(drops, rule.seconds / DROPS)

    def _drip(self, drops: list[bytes], pause: float) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(drops[0])
        if drops[1:]:
            asyncio.get_running_loop().call_later(pause, self._drip, drops[1:], pause)
        else:
            self._finish(b"")

    def _abort(self) -> None:
        link = self.transport.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.transport.abort()

    def _finish(self, content: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(content)
        self.busy = False
        self._next()


def run(provider: Callable[[], Provider]) -> None:
    """Serve until interrupted: ``python -m tests.standins.sendgrid --port 8025``."""
    parser = argparse.ArgumentParser(description=provider.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--keep-raw", action="store_true", help="keep whole requests in the ledger")
    arguments = parser.parse_args()
    server = Server(provider(), keep_raw=arguments.keep_raw)

    async def serve() -> None:
        await server.start(arguments.port)
        print(f"listening on http://127.0.0.1:{server.port}, control on {server.control_port}")
        sys.stdout.flush()
        await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
