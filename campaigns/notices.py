"""What a person should know about a campaign: one thing in one sentence."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

# A sweep every few seconds starts what is due: a minute later something is wrong.
LATE = timedelta(seconds=60)
TELL = "Tell whoever runs Handbill"
_HOLDING = frozenset({"quiet_hours", "provider_asked_to_wait"})


class Severity(StrEnum):
    """What a notice asks of a person."""

    CALM = "calm"  # nothing: it goes on by itself
    TROUBLE = "trouble"  # whoever runs Handbill has to look
    DECIDE = "decide"  # it goes no further until somebody decides


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing a person should know: a stable code, a sentence, and a few words for lists."""

    code: str
    severity: Severity
    sentence: str
    short: str
    channel: str = ""

    @property
    def key(self) -> str:
        """What tells the notices of one campaign apart."""
        return f"{self.code}:{self.channel}" if self.channel else self.code

    @property
    def holds_back(self) -> bool:
        """Whether messages that could leave now do not."""
        return self.severity is Severity.TROUBLE or self.code in _HOLDING

    def as_dict(self) -> dict[str, str]:
        """Return what a poll answers."""
        return {"key": self.key, "severity": self.severity, "sentence": self.sentence}
