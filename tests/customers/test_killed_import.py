"""A SIGKILL in the middle of an import, with real processes: a worker finishes it (C-5)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import services
from tests.stack import Stack, running_stack

pytestmark = pytest.mark.stack

ROWS = 6_000


@pytest.fixture(params=["sqlite", "postgresql"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    if request.param == "postgresql":
        services.require(PostgreSQL=services.postgres_url(), Redis=services.redis_url())
    with running_stack(request.param) as running:
        yield running


@pytest.fixture
def list_file(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    with path.open("w") as file:
        file.write("email,phone,first_name,tags\n")
        for number in range(ROWS):
            email = "nonsense" if number % 100 == 0 else f"killed{number}@example.com"
            file.write(f"{email},0151 {20_000_000 + number},C{number},tag{number % 3}\n")
    return path


def test_a_killed_import_is_finished_by_a_worker(stack: Stack, list_file: Path) -> None:
    progress = "SELECT rows_done, created, rejected, status FROM customers_customerimport"
    process = stack.start("import", "manage", "import_customers", str(list_file))
    done = "SELECT coalesce(max(rows_done), 0) FROM customers_customerimport"
    stack.wait_for(lambda: 2_000 <= stack.value(done) < ROWS, 60, "two batches are in")
    stack.kill(process)

    rows_done, created, rejected, status = stack.rows(progress)[0]
    assert status == "running"
    assert rows_done % 1_000 == 0
    assert created + rejected == rows_done < ROWS
    assert stack.value("SELECT count(*) FROM customers_customer") == created
    assert stack.value("SELECT count(*) FROM customers_customertag") == created
    dump = stack.dump()
    assert b"killed1@example.com" not in dump
    assert b"20000001" not in dump

    stack.execute("UPDATE customers_customerimport SET lease_until = '2020-01-01 00:00:00+00:00'")
    stack.start_worker()
    stack.start("call", "celery", "-A", "config", "call", "customers.tend_imports")
    stack.wait_for(lambda: stack.rows(progress)[0][3] == "done", 60, "the worker is done")
    assert stack.rows(progress)[0][:3] == (ROWS, ROWS - 60, 60)
    assert stack.value("SELECT count(*) FROM customers_customer") == ROWS - 60
    kinds = stack.rows("SELECT DISTINCT kind FROM customers_importpart")
    assert kinds == [("rejects",)]
    assert "killed1@" not in stack.log("worker")

    again = stack.json("import_customers", list_file)
    assert again == {
        "rows": ROWS,
        "created": 0,
        "updated": 0,
        "unchanged": ROWS - 60,
        "rejected": 60,
    }
