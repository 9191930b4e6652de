"""A form that remembers what it was loaded with, so that nobody takes back a colleague's change.

Each field's value is remembered as a digest, in a hidden field. What this person left alone keeps
what a colleague wrote meanwhile; what both changed is a conflict: it is named, both are shown, and
nothing is saved until this person saves again. The row must be locked while the form is checked.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django import forms
from django.db.models import Model

LOADED = "loaded"
LONGEST_LOADED = 5_000


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that somebody else changed meanwhile, and what they wrote."""

    field: str
    label: str
    theirs: str


class RemembersWhatWasLoaded(forms.Form):
    """Adds the hidden field ``loaded`` to a form about a saved row; a form for a new row has none.

    After ``is_valid``, ``conflicts`` lists the fields both people changed, ``kept`` the names of
    those that a colleague changed and this person left alone.
    """

    loaded = forms.CharField(required=False, max_length=LONGEST_LOADED, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conflicts: list[Conflict] = []
        self.kept: list[str] = []

    @property
    def loaded_now(self) -> str:
        """What the hidden field holds on the page that is shown now."""
        if self.is_bound and not self.conflicts:
            return str(self.data.get(LOADED, ""))
        return json.dumps(self._current(), separators=(",", ":"))

    @property
    def kept_sentence(self) -> str:
        """What to say about a colleague's changes that were kept; empty when there are none."""
        if not self.kept:
            return ""
        names = _listed([str(self[name].label) for name in self.kept])
        return f"Meanwhile somebody else changed {names}: their version is kept."

    @cached_property
    def changed_data(self) -> list[str]:
        """The names of the fields this person changed."""
        changed: list[str] = super().changed_data
        return [name for name in changed if name not in {LOADED, *self.kept}]

    def clean(self) -> dict[str, Any]:
        """Keep a colleague's changes, and refuse to save where both changed the same field."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        loaded = _read(cleaned.get(LOADED, ""))
        for name, digest in self._current().items():
            if name not in cleaned or name not in loaded or digest == loaded[name]:
                continue
            mine = _digest(cleaned[name])
            if mine == loaded[name]:
                cleaned[name] = self.get_initial_for_field(self.fields[name], name)
                self.kept.append(name)
            elif mine != digest:
                self._add_conflict(name)
        if self.conflicts:
            names = _listed([conflict.label for conflict in self.conflicts])
            self.add_error(
                None,
                f"Nothing was saved: meanwhile somebody else changed {names}. Your words are in "
                "the form and theirs are shown below. Take over what you need from theirs, then "
                "save again to replace them.",
            )
        self.__dict__.pop("changed_data", None)
        return cleaned

    def _add_conflict(self, name: str) -> None:
        label = str(self[name].label)
        theirs = self.get_initial_for_field(self.fields[name], name)
        self.conflicts.append(Conflict(name, label, _shown(theirs)))

    def _current(self) -> dict[str, str]:
        if not getattr(getattr(self, "instance", None), "pk", None):
            return {}
        return {
            name: _digest(self.get_initial_for_field(field, name))
            for name, field in self.fields.items()
            if name != LOADED
        }


def _read(text: str) -> Mapping[str, str]:
    try:
        loaded = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _plain(value: Any) -> Any:
    """Return a value as something that is equal whenever a person sees the same."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, Model):
        return value.pk
    if hasattr(value, "__iter__"):
        return sorted(str(_plain(item)) for item in value)
    return "" if value is None else value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(_plain(value)).encode()).hexdigest()[:16]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "On" if value else "Off"
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        return ", ".join(str(item) for item in value) or "None"
    return "" if value is None else str(value)


def _listed(labels: list[str]) -> str:
    quoted = [f"“{label}”" for label in labels]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
