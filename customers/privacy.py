"""What Handbill holds about a person, over all apps (C-8).

Apps above this one register what they hold in ``AppConfig.ready()``; erasing and exporting a person
go through the register, so nothing is forgotten and nobody imports upwards.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import models


@dataclass(frozen=True, slots=True)
class Holding:
    """What one app holds about a customer.

    ``export`` returns it as JSON values under ``name``; ``erase`` removes what is personal in it
    and runs inside the transaction that erases the customer. Both get the customer's id.
    """

    name: str
    export: Callable[[int], Any]
    erase: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class EncryptedColumn:
    """A column of ciphertexts that follows the rotation of keys.

    ``place`` is what its values are bound to, or a function of the row for values that are bound
    to their row.
    """

    model: type[models.Model]
    column: str
    place: str | Callable[[Any], str]


_holdings: dict[str, Holding] = {}
_columns: dict[tuple[type[models.Model], str], EncryptedColumn] = {}
_rotations: dict[str, Callable[[], int]] = {}


def register_holding(holding: Holding) -> None:
    """Have ``holding`` exported and erased with each person."""
    _holdings[holding.name] = holding


def register_encrypted_column(column: EncryptedColumn) -> None:
    """Have ``column`` re-encrypted when keys rotate."""
    _columns[(column.model, column.column)] = column


def register_rotation(rotate: Callable[[], int]) -> None:
    """Have ``rotate`` re-encrypt what is not in a column; it returns how many values it renewed."""
    _rotations[f"{rotate.__module__}.{rotate.__qualname__}"] = rotate


def holdings() -> list[Holding]:
    """Return what was registered, by name."""
    return [_holdings[name] for name in sorted(_holdings)]


def encrypted_columns() -> list[EncryptedColumn]:
    """Return the columns that were registered."""
    return list(_columns.values())


def rotations() -> list[Callable[[], int]]:
    """Return the functions that re-encrypt what is not in a column."""
    return list(_rotations.values())
