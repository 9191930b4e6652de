import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections


class AtOnce:
    """Runs jobs in many threads, each with a database connection of its own.

    The SQLite of the tests lives in memory and cannot be shared like that: threads get a copy of it
    in a file, made when they first run, so what they stored is looked at with ``look``.
    """

    def __init__(self, path) -> None:
        self.path = path
        self.in_file = connection.vendor == "sqlite"

    def _use_database(self) -> None:
        if self.in_file:
            own = connections["default"]
            own.settings_dict = {**own.settings_dict, "NAME": str(self.path)}

    def __call__(self, job: Callable[[int], Any], *, times: int, threads: int) -> list[Any]:
        """Return what ``job(0)`` to ``job(times - 1)`` returned, or the exception of each."""
        if self.in_file and not self.path.exists():
            with connection.cursor() as cursor:
                cursor.execute("VACUUM INTO %s", [str(self.path)])
        answers: list[Any] = [None] * times
        together = threading.Barrier(threads)

        def work(first: int) -> None:
            self._use_database()
            try:
                connections["default"].ensure_connection()
                together.wait(30)
                for number in range(first, times, threads):
                    try:
                        answers[number] = job(number)
                    except Exception as error:
                        answers[number] = error
            finally:
                connections["default"].close()

        workers = [threading.Thread(target=work, args=[first]) for first in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(120)
        return answers

    def look(self, question: Callable[[], Any]) -> Any:
        """Return what ``question()`` finds in the database that the threads wrote to."""
        return self(lambda _: question(), times=1, threads=1)[0]


@pytest.fixture
def at_once(transactional_db, tmp_path) -> AtOnce:
    return AtOnce(tmp_path / "copy.sqlite3")
