"""The processes of an installation on the embedded default: web, worker and beat."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent
FIRST_PORT = 8000


def find_free_port(first: int = FIRST_PORT) -> int:
    """Return the first port from ``first`` on that nobody listens on."""
    for port in range(first, first + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise OSError(f"No free port from {first} to {first + 99}.")


class Processes:
    """Child processes that log to files in the data directory and end with their parent."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self._environment = {**os.environ, **(environment or {})}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        """Start ``python -m command``, logging to ``<name>.log``."""
        with self.log_path(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def start_worker_and_beat(self) -> None:
        """Start one worker with two processes, and beat."""
        celery = ("celery", "-A", "config")
        self.start("worker", *celery, "worker", "--concurrency", "2", "--loglevel", "INFO")
        self.start("beat", *celery, "beat", "--pidfile=", "--loglevel", "INFO")

    def start_web(self, port: int) -> None:
        """Start the web server on the loopback address."""
        bind = f"127.0.0.1:{port}"
        self.start("web", "gunicorn", "config.wsgi", "--bind", bind, "--threads", "8")

    def log_path(self, name: str) -> Path:
        """Return where a process writes its log."""
        return Path(settings.DATA_DIR) / f"{name}.log"

    def died(self) -> list[str]:
        """Return the names of processes that have ended by themselves."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    def stop(self) -> None:
        """Ask every process to end, and wait for it."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for_web(port: int, seconds: float = 30) -> bool:
    """Tell whether the web server answers within ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    return False
