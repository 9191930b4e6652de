"""The one exception class that people see, and how all others are logged."""

import logging
import traceback

logger = logging.getLogger(__name__)


class DomainError(Exception):
    """Something a person asked for cannot be done.

    ``code`` is stable, for programs; ``message`` is a sentence that says what to do, for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def log_unforeseen(doing: str, error: Exception) -> None:
    """Log that ``doing`` something failed: where, and the exception's type.

    Never its words: those of databases and providers hold addresses.
    """
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-5:]))
    logger.error("%s: unexpected %s in %s", doing, type(error).__name__, where)
