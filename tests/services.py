"""Finds PostgreSQL and Redis for the tests; whatever is started is stopped again.

PostgreSQL: DATABASE_URL, else the usual local port, else a private server. Databases have names of
their own, so any server will do. Redis: REDIS_URL, else a private server, else the usual local
port. Tests flush it, so each pytest process gets a database of its own.
"""

import atexit
import contextlib
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

CI = os.environ.get("CI") == "true"

# Fixed keys: 32 bytes each, for tests only.
KEYS = {
    "SECRET_KEY": "test-secret-key-" + "x" * 50,
    "FIELD_ENCRYPTION_KEYS": "t1:" + "dGVzdC1rZXktMS0" + "A" * 28,
    "BLIND_INDEX_KEY": "dGVzdC1rZXktMi0" + "A" * 28,
}


def _read_given(name: str) -> str:
    # The settings take these out of the environment, which workers of pytest-xdist inherit.
    return os.environ.setdefault(f"TESTS_{name}", os.environ.get(name, ""))


_given_database = _read_given("DATABASE_URL")
_given_redis = _read_given("REDIS_URL")
# 0 for the first of several pytest processes, and for one alone.
_process_number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def require(**found: object) -> None:
    """Skip the test, by name, when something it needs was not found; fail it in CI.

    Use as ``require(PostgreSQL=postgres_url())``.
    """
    for name, thing in found.items():
        if not thing:
            if CI:
                pytest.fail(f"CI=true, and no {name} was found")
            pytest.skip(f"no {name} was found")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_binary(name: str) -> str | None:
    """Return where a program of PostgreSQL, Redis or the system is, or None."""
    found = shutil.which(name)
    if found:
        return found
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else None


def _postgres_answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False


class PrivatePostgres:
    """A PostgreSQL server of its own, on a free port and in a temporary directory."""

    def __init__(self) -> None:
        self.bin = Path(find_binary("initdb")).parent
        self.folder = Path(tempfile.mkdtemp(prefix="handbill-pg-"))
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        # PostgreSQL refuses to run as root.
        self.as_user = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
        if self.as_user:
            shutil.chown(self.folder, "nobody")
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust")
        self.is_running = False
        self.start()
        atexit.register(self.remove)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self.as_user, str(self.bin / program), *arguments],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off"
        data, log = str(self.folder / "data"), str(self.folder / "log")
        self._run("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")
        self.is_running = True

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "-w", "stop")
        self.is_running = False

    def remove(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # a test stopped it already
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class PrivateRedis:
    """A Redis server of its own, on a free port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.folder = tempfile.mkdtemp(prefix="handbill-redis-")
        self.process: subprocess.Popen[bytes] | None = None
        self.start()
        atexit.register(self.remove)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                find_binary("redis-server"),
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder),
                *("--save", "", "--appendonly", "yes"),
            ],
            stdout=subprocess.DEVNULL,
        )
        client = redis.Redis(port=self.port)
        for _ in range(100):
            try:
                client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.05)
        raise RuntimeError("the private Redis did not start")

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def postgres_url() -> str | None:
    """The address of a PostgreSQL whose user may create databases, or None."""
    usual = "postgresql://postgres@127.0.0.1:5432/postgres"
    for url in filter(None, [_given_database, usual]):
        if url.startswith("postgres") and _postgres_answers(url):
            return url
    server = postgres_server()
    return server.url if server else None


@functools.cache
def postgres_server() -> PrivatePostgres | None:
    """A private PostgreSQL where the binaries are at hand, or None."""
    return PrivatePostgres() if find_binary("initdb") else None


@functools.cache
def redis_server() -> PrivateRedis | None:
    """A private Redis where the binary is at hand, or None."""
    return PrivateRedis() if find_binary("redis-server") else None


@functools.cache
def redis_url() -> str | None:
    """The address of a Redis database that this process may fill and flush, or None.

    In the database that REDIS_URL names, or in those that follow it where pytest-xdist has workers.
    """
    if _given_redis:
        return _following(_given_redis, _process_number)
    if server := redis_server():
        return server.url
    try:
        redis.Redis(port=6379, socket_timeout=2).ping()
    except redis.RedisError:
        return None
    return f"redis://127.0.0.1:6379/{13 + _process_number}"


def _following(url: str, number: int) -> str:
    """Return ``url`` with its database's number raised by ``number``."""
    if not number:
        return url
    parts = urlsplit(url)
    database = int(parts.path.strip("/") or 0) + number
    return parts._replace(path=f"/{database}").geturl()
