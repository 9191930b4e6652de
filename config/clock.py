"""The database's clock: leases, due times and paces are decided by it, not by a worker's own."""

from datetime import UTC, datetime

from django.db import connection


def database_now() -> datetime:
    """Return the database server's time, in UTC, read now rather than at the transaction's start.

    SQLite lives on this machine, so there it is this machine's time.
    """
    if connection.vendor != "postgresql":
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now.astimezone(UTC)
