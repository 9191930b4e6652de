"""The one exception class that every part of Handbill shows to people."""


class DomainError(Exception):
    """Something a person asked for cannot be done.

    ``code`` is stable, for programs; ``message`` is a sentence that says what to do, for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
