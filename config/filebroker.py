"""A file-based Celery broker for one machine: kombu's filesystem transport made safe.

Kombu's own writes messages in place and moves them across directories, which loses messages that
two processes touch at once, and one empty file ends a worker. Here every file appears by a rename
and is claimed by a rename in the same directory.
"""

import contextlib
import fcntl
import json
import logging
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem

logger = logging.getLogger(__name__)


def transport_options(folder: Path) -> dict[str, object]:
    """Return Celery's transport options for a broker that lives in ``folder``."""
    return {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.1,
    }


def prepare(folder: Path) -> None:
    """Create the broker's directories."""
    (folder / "messages").mkdir(parents=True, exist_ok=True)
    (folder / "control").mkdir(parents=True, exist_ok=True)


def write_whole(path: Path, content: str) -> None:
    """Write a file that others see either not at all or complete."""
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    scratch.write_text(content)
    scratch.replace(path)


class Channel(filesystem.Channel):
    """A channel whose messages are files ``<queue>.<time>.<id>.msg``."""

    def _messages(self, queue: str) -> list[Path]:
        folder = Path(self.data_folder_in)
        prefix = f"{queue}."
        names = sorted(
            entry
            for entry in os.listdir(folder)
            if entry.startswith(prefix) and entry.endswith(".msg")
        )
        return [folder / name for name in names]

    @contextlib.contextmanager
    def _bindings_locked(self) -> Iterator[None]:
        with (self.control_folder / "bindings.lock").open("w") as lock_file:
            fcntl.flock(lock_file, fcntl.LOCK_EX)
            yield

    def get_table(self, exchange: str) -> list[Any]:
        """Return the queues bound to ``exchange``: none when its file is missing or broken."""
        try:
            rows = json.loads((self.control_folder / f"{exchange}.exchange").read_text())
        except (FileNotFoundError, ValueError):
            return []
        return [filesystem.exchange_queue_t(*row) for row in rows]

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        binding = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._bindings_locked():
            rows = self.get_table(exchange)
            if binding not in rows:
                write_whole(
                    self.control_folder / f"{exchange}.exchange", json.dumps([binding, *rows])
                )

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:
        name = f"{queue}.{time.time_ns():020d}.{uuid.uuid4().hex}.msg"
        write_whole(Path(self.data_folder_out) / name, json.dumps(payload))

    def _get(self, queue: str) -> dict[str, Any]:
        for path in self._messages(queue):
            claimed = path.with_name(f".claimed.{path.name}.{uuid.uuid4().hex}")
            try:
                path.rename(claimed)
            except FileNotFoundError:
                continue
            content = claimed.read_text(errors="replace")
            claimed.unlink()
            try:
                payload: dict[str, Any] = json.loads(content)
                payload["properties"]["delivery_tag"]
            except (ValueError, KeyError, TypeError):
                logger.warning("dropped a broken message file of queue %s", queue)
                continue
            return payload
        raise Empty()

    def _size(self, queue: str) -> int:
        return len(self._messages(queue))

    def _purge(self, queue: str) -> int:
        removed = 0
        for path in self._messages(queue):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                removed += 1
        return removed


class Transport(filesystem.Transport):
    """The transport that CELERY_BROKER_TRANSPORT names."""

    Channel = Channel
