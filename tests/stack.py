"""A Handbill of its own for one test: a fresh database, a broker, and real processes.

Nothing here shares memory with the test: commands, workers and beat are started as ops start them.
"""

import atexit
import contextlib
import functools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis

from tests import services, wrong_clock

ROOT = Path(__file__).resolve().parent.parent


def _run_on(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


def _migrate(database_url: str, folder: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(folder), **services.KEYS}
    environment |= {"DATABASE_URL": database_url, "PUBLIC_BASE_URL": "http://127.0.0.1:8000"}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


@functools.cache
def _migrated_database(server: str) -> str:
    """The name of a database with every table and no rows, to copy from; migrating takes long."""
    name = f"handbill_template_{os.getpid()}"
    _run_on(server, f'CREATE DATABASE "{name}"')
    atexit.register(_run_on, server, f'DROP DATABASE "{name}" WITH (FORCE)')
    with tempfile.TemporaryDirectory() as folder:
        _migrate(server.rsplit("/", 1)[0] + "/" + name, Path(folder))
    return name


@functools.cache
def _migrated_file() -> Path:
    """A SQLite file with every table and no rows, to copy from."""
    folder = Path(tempfile.mkdtemp(prefix="handbill-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _migrate(f"sqlite:///{folder}/template.sqlite3", folder)
    with contextlib.closing(sqlite3.connect(folder / "template.sqlite3")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder / "template.sqlite3"


class Stack:
    """One installation. ``kind`` is sqlite (with the file broker) or postgresql (with Redis)."""

    def __init__(
        self,
        kind: str,
        *,
        redis_url: str | None = None,
        postgres_url: str | None = None,
        **environment: str,
    ) -> None:
        self.kind = kind
        self.folder = Path(tempfile.mkdtemp(prefix="handbill-stack-"))
        self.processes: list[subprocess.Popen[bytes]] = []
        self._database = f"handbill_{uuid.uuid4().hex[:12]}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            **services.KEYS,
            "PUBLIC_BASE_URL": "http://127.0.0.1:8000",
            "BUSINESS_NAME": "Pizzeria Vesuvio",
            "DEFAULT_FROM_EMAIL": "hello@pizzeria.example",
            "DEFAULT_PHONE_REGION": "DE",
            "TIME_ZONE": "Europe/Berlin",
            "CURRENCY": "EUR",
            "SMS_SENDING_HOURS": "always",  # the tests run at night too
            "DATA_DIR": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if kind == "postgresql":
            server = postgres_url or services.postgres_url()
            assert server, "no PostgreSQL was found"
            self._admin_url = server
            template = _migrated_database(server)
            self._run_on_server(f'CREATE DATABASE "{self._database}" TEMPLATE "{template}"')
            self.database_url = server.rsplit("/", 1)[0] + "/" + self._database
            self.redis_url = redis_url or services.redis_url()
            assert self.redis_url, "no Redis was found"
            redis.Redis.from_url(self.redis_url).flushdb()
            self.environment |= {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        else:
            shutil.copy(_migrated_file(), self.folder / "handbill.sqlite3")
            self.database_url = f"sqlite:///{self.folder}/handbill.sqlite3"
            self.environment["DATABASE_URL"] = self.database_url
        self.environment |= environment

    def _run_on_server(self, statement: str) -> None:
        _run_on(self._admin_url, statement)

    def manage(
        self, *arguments: str | Path | int, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; with ``check`` a non-zero exit fails the test and shows why."""
        result = subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and result.returncode:
            raise AssertionError(
                f"manage.py {' '.join(map(str, arguments))} ended with {result.returncode}:\n"
                f"{result.stdout}\n{result.stderr}"
            )
        return result

    def json(self, *arguments: str | Path | int) -> Any:
        """Run a command with --json and return what it printed."""
        return json.loads(self.manage(*arguments, "--json").stdout)

    def start(self, name: str, *command: str, clock: str = "") -> subprocess.Popen[bytes]:
        """Start a process in a group of its own, logging to ``<name>.log``.

        ``clock`` is how wrong its clock is, such as ``+10m``.
        """
        log = (self.folder / f"{name}.log").open("ab")
        python = wrong_clock.command_prefix(clock) if clock else [sys.executable, "-m"]
        process = subprocess.Popen(
            [*python, *command],
            cwd=ROOT,
            env=self.environment | (wrong_clock.WITHOUT_MONOTONIC if clock else {}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        self.processes.append(process)
        return process

    def start_worker(self, name: str = "worker", concurrency: int = 1) -> subprocess.Popen[bytes]:
        """Start ``celery worker`` and wait until it is ready."""
        return self.start_workers(name, concurrency=concurrency)[0]

    def start_workers(
        self, *names: str, concurrency: int = 1, clocks: dict[str, str] | None = None
    ) -> list[subprocess.Popen[bytes]]:
        """Start several at once, some with a wrong clock, and wait until all are ready."""
        ready_before = self._count_ready(names)
        processes = [
            self.start(
                name,
                *("celery", "-A", "config", "worker", "--loglevel", "INFO"),
                *("--concurrency", str(concurrency), "--hostname", f"{name}@test"),
                clock=(clocks or {}).get(name, ""),
            )
            for name in names
        ]
        self.wait_for(
            lambda: all(
                now > before
                for now, before in zip(self._count_ready(names), ready_before, strict=True)
            ),
            60,
            f"{', '.join(names)} ready",
        )
        return processes

    def _count_ready(self, names: tuple[str, ...]) -> list[int]:
        return [self.log(name).count(" ready.") for name in names]

    def start_beat(self, name: str = "beat") -> subprocess.Popen[bytes]:
        """Start ``celery beat``."""
        return self.start(name, "celery", "-A", "config", "beat", "--pidfile=", "--loglevel=INFO")

    def log(self, name: str) -> str:
        """Return what a process has written so far."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def kill(self, process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
        """Send a signal to a process and all it started; wait for SIGKILL to take effect."""
        os.killpg(process.pid, number)
        if number == signal.SIGKILL:
            process.wait(10)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query on the database, outside of Django."""
        if self.kind == "postgresql":
            with psycopg.connect(self.database_url) as connection:
                return connection.execute(query).fetchall()
        path = self.database_url.removeprefix("sqlite:///")
        connection = sqlite3.connect(path, timeout=20)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def value(self, query: str) -> Any:
        """Return the first column of the first row."""
        return self.rows(query)[0][0]

    def execute(self, statement: str) -> None:
        """Change the database behind Handbill's back."""
        if self.kind == "postgresql":
            with psycopg.connect(self.database_url, autocommit=True) as connection:
                connection.execute(statement)
            return
        connection = sqlite3.connect(self.database_url.removeprefix("sqlite:///"), timeout=20)
        with connection:
            connection.execute(statement)
        connection.close()

    def dump(self) -> bytes:
        """Return everything the database holds, as bytes to search in."""
        if self.kind == "postgresql":
            dumped = b""
            with psycopg.connect(self.database_url) as connection:
                tables = connection.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                ).fetchall()
                for (table,) in tables:
                    for row in connection.execute(f'SELECT * FROM "{table}"'):
                        dumped += repr(row).encode()
            return dumped
        path = Path(self.database_url.removeprefix("sqlite:///"))
        wal = path.with_name(path.name + "-wal")
        return path.read_bytes() + (wal.read_bytes() if wal.exists() else b"")

    def wait_for(self, condition: Any, seconds: float, what: str) -> float:
        """Wait until ``condition()`` is true; return how long that took."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            if condition():
                return time.monotonic() - started
            time.sleep(0.1)
        logs = "\n".join(
            f"--- {p.name}\n{p.read_text()[-3000:]}" for p in self.folder.glob("*.log")
        )
        raise AssertionError(f"not within {seconds} s: {what}\n{logs}")

    def wait_for_status(self, campaign_id: int, status: str, seconds: float) -> float:
        """Wait until a campaign has a status."""
        query = f"SELECT status FROM campaigns_campaign WHERE id = {campaign_id}"
        return self.wait_for(lambda: self.value(query) == status, seconds, f"campaign is {status}")

    def close(self) -> None:
        """End every process and remove everything."""
        for process in self.processes:
            if process.poll() is None:
                self.kill(process, signal.SIGCONT)
                self.kill(process)
        if self.kind == "postgresql":
            self._run_on_server(f'DROP DATABASE "{self._database}" WITH (FORCE)')
            if self.redis_url:
                with contextlib.suppress(redis.RedisError):  # a test has stopped its own server
                    redis.Redis.from_url(self.redis_url, socket_timeout=2).flushdb()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running_stack(kind: str, **options: Any) -> Iterator[Stack]:
    """Yield a stack and take it down afterwards."""
    stack = Stack(kind, **options)
    try:
        yield stack
    finally:
        stack.close()
