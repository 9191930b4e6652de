"""Email backends that fail as told, for the tests of the email channel."""

from collections.abc import Sequence
from typing import ClassVar

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class ScriptedBackend(BaseEmailBackend):
    """Raises ``opening`` when opened and ``sending`` when sending; counts what it was given."""

    opening: Exception | None = None
    sending: Exception | None = None
    accepts = True
    opened = 0
    closed = 0
    given: ClassVar[list[EmailMessage]] = []

    @classmethod
    def script(
        cls,
        *,
        opening: Exception | None = None,
        sending: Exception | None = None,
        accepts: bool = True,
    ) -> None:
        cls.opening, cls.sending, cls.accepts = opening, sending, accepts
        cls.opened = cls.closed = 0
        cls.given = []

    def open(self) -> bool:
        type(self).opened += 1
        if self.opening:
            raise self.opening
        return True

    def close(self) -> None:
        type(self).closed += 1

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        self.given.extend(email_messages)
        if self.sending:
            raise self.sending
        return len(email_messages) if self.accepts else 0
