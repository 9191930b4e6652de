"""What a check of the content finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a stable code, a sentence, the field and, where known, the line.

    A problem that is not ``blocking`` is worth knowing and does not stop the campaign.
    """

    code: str
    message: str
    field: str
    line: int | None = None
    blocking: bool = True
