"""What is worth a second look in a message that can be sent as it is: remarks only (M-7).

Only what is right nearly always: a check that cries wolf is worse than none.
"""

import re
from collections.abc import Iterator

from campaigns.content.preheader import words_of
from campaigns.content.problems import Problem

# What a mail program on a desk shows of a subject; a phone shows half of it.
SUBJECT_SHOWN = 70
# Fewer letters in capitals are a name or an abbreviation.
SHOUTED_LETTERS = 10
# What the inbox shows of the beginning is about this long.
QUOTED = 60
_NOISE = re.compile(r"!{2,}|\?{2,}|!\?|\?!|[$€£]{2,}")
_FALSE_REPLY = re.compile(r"\s*(re|fwd?|aw|wg)\s*:", re.IGNORECASE)
_STOP = re.compile(r"\bstopp?\b|\bopt[- ]?out\b|\bunsubscribe\b", re.IGNORECASE)


def check_subject(subject: str) -> Iterator[Problem]:
    """Yield remarks on a filled-in subject."""
    if len(subject) > SUBJECT_SHOWN:
        yield _remark(
            "subject_long",
            f"The subject has {len(subject)} characters and is cut off at about {SUBJECT_SHOWN}, "
            "on phones earlier: say the most important thing first, or shorten it.",
            "subject",
        )
    letters = [
        letter for letter in subject if letter.isalpha() and letter.lower() != letter.upper()
    ]
    if len(letters) >= SHOUTED_LETTERS and all(letter.isupper() for letter in letters):
        yield _remark(
            "subject_shouts",
            "The subject is all in capitals, as spam often is: write it as a sentence.",
            "subject",
        )
    if _NOISE.search(subject):
        yield _remark(
            "subject_noisy",
            "The subject has rows of !, ? or currency signs, as spam often has: one will do.",
            "subject",
        )
    if _FALSE_REPLY.match(subject):
        yield _remark(
            "subject_false_reply",
            "The subject looks like an answer to the customer, which many countries forbid in "
            "advertising: leave out what stands before the colon.",
            "subject",
        )


def check_preheader(html: str) -> Iterator[Problem]:
    """Yield a remark when nothing is written for the line that an inbox shows after the subject."""
    first, is_hidden = next(words_of(html), ("", False))
    if first and not is_hidden:
        quoted = first.strip()[:QUOTED]
        yield _remark(
            "preheader_missing",
            f"After the subject, inboxes show how the email begins: “{quoted}”. To choose "
            'that line yourself, begin with <div style="display:none">…</div>.',
            "email_content",
        )


def check_stop_hint(text: str, ways_out: set[str]) -> Iterator[Problem]:
    """Yield a remark when a text does not say how to get no more; ``ways_out`` are addresses."""
    if text and not _STOP.search(text) and not any(address in text for address in ways_out):
        yield _remark(
            "sms_no_stop",
            "The text message does not say how to get no more of them: end it with “STOP to opt "
            "out”.",
            "sms_content",
        )


def _remark(code: str, message: str, field: str) -> Problem:
    return Problem(code, message, field, blocking=False)
