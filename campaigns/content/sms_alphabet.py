"""The characters that a text message's short alphabet lacks, and what to write instead (M-6)."""

import unicodedata
from dataclasses import dataclass

from campaigns.content.sms_length import GSM_BASIC

# What says the same in the short alphabet. An accent is not here: without it a word may mean
# something else.
REPLACEMENTS = {
    **dict.fromkeys("‘’‚‛′´`ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("\t\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f", " "),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", ""),
    "…": "...",
    "•": "-",
    "·": "-",
    "⁄": "/",
    "×": "x",
}
_NAMES = {
    "‘": "curly quotation mark",
    "’": "curly apostrophe",
    "“": "curly quotation mark",
    "”": "curly quotation mark",
    "„": "curly quotation mark",
    "–": "long dash",
    "—": "long dash",
    "…": "three dots in one character",
    "\u00a0": "unbreakable space",
    "\t": "tab",
    "\u200b": "invisible space",
    "•": "bullet",
}
_EMOJI = frozenset({"So", "Sk", "Cs", "Cn", "Mn", "Me"})


@dataclass(frozen=True, slots=True)
class DearCharacter:
    """One character that makes a text dearer.

    ``replacement`` says the same in the short alphabet, None when nothing does. ``advice`` says
    what to do about it.
    """

    character: str
    name: str
    replacement: str | None
    advice: str


def explain_character(character: str) -> DearCharacter:
    """Return what a character outside the short alphabet is, and what to do about it."""
    name = _name_of(character)
    replacement = REPLACEMENTS.get(character)
    if replacement is not None:
        written = replacement if replacement.strip() else "a plain space"
        advice = f"write {written} instead" if replacement else "take it out"
    elif (plain := _without_accent(character)) is not None:
        advice = f"write {plain} instead, or leave it and pay"
    else:
        advice = "take it out, or leave it and pay"
    return DearCharacter(character, name, replacement, advice)


def _name_of(character: str) -> str:
    if character in _NAMES:
        return _NAMES[character]
    if unicodedata.category(character) in _EMOJI:
        return "emoji or symbol"
    return unicodedata.name(character, "unknown character").lower()


def _without_accent(character: str) -> str | None:
    plain = unicodedata.normalize("NFD", character)[0]
    return plain if plain != character and plain in GSM_BASIC else None
