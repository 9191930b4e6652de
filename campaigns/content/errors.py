"""The error that every part of the content raises: a place in what somebody wrote, and why."""

from config.errors import DomainError

FIELD_LABELS = {
    "subject": "Subject",
    "email_content": "Email",
    "email_text": "Plain text",
    "sms_content": "Text message",
}


class ContentError(DomainError):
    """Something in a campaign's content cannot be used.

    ``field`` is the campaign's field it is in, ``line`` the line there, from 1, where known; the
    message begins with both. It never quotes a customer's data.
    """

    def __init__(self, code: str, message: str, *, field: str, line: int | None = None) -> None:
        place = FIELD_LABELS[field] + (f", line {line}" if line else "")
        super().__init__(code, f"{place}: {message}")
        self.field = field
        self.line = line
