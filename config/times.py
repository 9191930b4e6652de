"""Times that people type."""

from datetime import UTC, datetime, timedelta

from config.errors import DomainError

# Beyond these a database holds what Python cannot read back (psycopg and the year 10000).
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
FARTHEST = timedelta(days=3660)


def require_sensible_time(moment: datetime, *, now: datetime) -> None:
    """Raise DomainError ``time_out_of_range`` before 2000 or more than ten years after ``now``."""
    if not EARLIEST <= moment <= now + FARTHEST:
        raise DomainError(
            "time_out_of_range",
            "This time is not possible: choose one within the next ten years.",
        )
