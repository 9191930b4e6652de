"""Typed readers for environment variables: each fails with a sentence that names the variable."""

import base64
import binascii
import os
import secrets
import zoneinfo
from datetime import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

import environ
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()


def read_text(name: str, default: str = "") -> str:
    """Return the variable without surrounding spaces, or ``default`` when it is unset or empty."""
    return env.str(name, default="").strip() or default


def read_flag(name: str, *, default: bool) -> bool:
    """Return a yes/no variable.

    Raises ImproperlyConfigured for anything but true/false, yes/no, on/off, 1/0.
    """
    raw = read_text(name).lower()
    if not raw:
        return default
    if raw in {"true", "yes", "on", "1"}:
        return True
    if raw in {"false", "no", "off", "0"}:
        return False
    raise ImproperlyConfigured(f"{name} is {raw!r}: set it to true or false.")


def read_number(
    name: str, default: float, *, minimum: float = 0, maximum: float = 10_000_000
) -> float:
    """Return a number between ``minimum`` and ``maximum``, both included.

    Raises ImproperlyConfigured when it is not a number or out of range.
    """
    raw = read_text(name)
    if not raw:
        return default
    try:
        value = float(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {raw!r}: set it to a number.") from None
    if not minimum <= value <= maximum:
        raise ImproperlyConfigured(
            f"{name} is {raw}: set it to a number from {minimum:g} to {maximum:g}."
        )
    return value


def read_integer(name: str, default: int, *, minimum: int = 0, maximum: int = 10_000_000) -> int:
    """Return a whole number between ``minimum`` and ``maximum``, both included.

    Raises ImproperlyConfigured when it is not a whole number or out of range.
    """
    value = read_number(name, default, minimum=minimum, maximum=maximum)
    if value != int(value):
        raise ImproperlyConfigured(f"{name} is {value:g}: set it to a whole number.")
    return int(value)


def read_decimal(name: str) -> Decimal | None:
    """Return an exact number that is not negative, such as a price; unset is None.

    Raises ImproperlyConfigured when it is something else.
    """
    raw = read_text(name)
    if not raw:
        return None
    try:
        value = Decimal(raw)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or not 0 <= value < 1_000_000:
        raise ImproperlyConfigured(f"{name} is {raw!r}: set it to a number such as 0.0079.")
    return value


def read_numbers(name: str, default: list[float]) -> list[float]:
    """Return a comma-separated list of numbers, none of them negative.

    Raises ImproperlyConfigured when an entry is not such a number.
    """
    raw = read_text(name)
    if not raw:
        return default
    try:
        values = [float(part) for part in raw.split(",")]
    except ValueError:
        values = [-1.0]
    if any(not 0 <= value < 10_000_000 for value in values):
        raise ImproperlyConfigured(
            f"{name} is {raw!r}: set it to numbers separated by commas, such as 60,240,960."
        )
    return values


def read_hours(name: str, default: str) -> tuple[time, time] | None:
    """Return the first and the last moment of a span within one day; ``always`` is None.

    Raises ImproperlyConfigured for anything but ``HH:MM-HH:MM`` with the earlier time first.
    """
    raw = read_text(name, default)
    if raw.lower() == "always":
        return None
    first, dash, last = raw.partition("-")
    try:
        span = time.fromisoformat(first.strip()), time.fromisoformat(last.strip())
        if not dash or any(end.tzinfo for end in span) or span[0] >= span[1]:
            raise ValueError
    except (ValueError, TypeError):
        raise ImproperlyConfigured(
            f"{name} is {raw!r}: set it to hours of one day such as 08:00-21:00, or to always."
        ) from None
    return span


def read_frequency(name: str) -> tuple[int, int] | None:
    """Return (times, days) from ``times/days``, such as 3/7; unset is None.

    Raises ImproperlyConfigured for anything else.
    """
    raw = read_text(name)
    if not raw:
        return None
    times, _, days = raw.partition("/")
    if not (times.isdecimal() and days.isdecimal() and int(times) and 0 < int(days) <= 3650):
        raise ImproperlyConfigured(
            f"{name} is {raw!r}: set it to times/days, such as 3/7 for three campaigns in seven "
            "days, or leave it out."
        )
    return int(times), int(days)


def read_choice(name: str, default: str, choices: list[str]) -> str:
    """Return one of ``choices``. Raises ImproperlyConfigured for anything else."""
    value = read_text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}: set it to one of {', '.join(choices)}.")
    return value


def read_web_address(name: str, default: str = "") -> str:
    """Return an http(s) address without a trailing slash.

    Raises ImproperlyConfigured when it is something else.
    """
    raw = read_text(name, default)
    if not raw:
        return ""
    parts = urlsplit(raw)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ImproperlyConfigured(
            f"{name} is {raw!r}: set it to a full address such as https://coupons.example.com."
        )
    return raw.rstrip("/")


def require_redis_address(name: str, address: str) -> None:
    """Raise ImproperlyConfigured, without the address, unless it is one of a Redis server."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises for anything but a number
        sound = parts.scheme in {"redis", "rediss", "unix"}
    except ValueError:
        sound = False
    if not sound:
        raise ImproperlyConfigured(
            f"{name} cannot be read: set it to an address such as redis://localhost:6379/0."
        )


def read_time_zone(name: str, default: str) -> str:
    """Return an IANA time zone name. Raises ImproperlyConfigured when it is unknown."""
    value = read_text(name, default)
    if value not in zoneinfo.available_timezones():
        raise ImproperlyConfigured(
            f"{name} is {value!r}: set it to a time zone name such as Europe/Berlin."
        )
    return value


def read_database(default_path: Path) -> dict[str, object]:
    """Return Django's database settings from DATABASE_URL: SQLite in ``default_path`` without it.

    Raises ImproperlyConfigured for anything but PostgreSQL and SQLite.
    """
    raw = read_text("DATABASE_URL") or f"sqlite:///{default_path}"
    try:
        database = dict(env.db_url_config(raw))
    except Exception:
        database = {}
    engine = database.get("ENGINE")
    if engine not in {"django.db.backends.postgresql", "django.db.backends.sqlite3"}:
        raise ImproperlyConfigured(
            "DATABASE_URL cannot be read: set it to postgres://user:password@host:5432/name "
            "or sqlite:////path/to/file."
        )
    return database


def decode_key(name: str, encoded: str) -> bytes:
    """Return the 32 bytes of a key in URL-safe base64.

    Raises ImproperlyConfigured, without the key in the message, when it is not that.
    """
    try:
        key = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ImproperlyConfigured(
            f"{name} holds a key that is not 32 bytes in URL-safe base64. Make one with: "
            'python -c "import base64,os;print(base64.urlsafe_b64encode(os.urandom(32)).decode())"'
        )
    return key


def read_encryption_keys(name: str, raw: str) -> dict[str, bytes]:
    """Return key id → key, in order: the first encrypts, all decrypt.

    Raises ImproperlyConfigured when an entry is not ``id:key`` or an id comes twice.
    """
    keys: dict[str, bytes] = {}
    for entry in raw.split(","):
        key_id, colon, encoded = entry.strip().partition(":")
        valid_id = key_id.isascii() and key_id.isalnum() and len(key_id) <= 16
        if not colon or not valid_id or key_id in keys:
            raise ImproperlyConfigured(
                f"{name} must be a comma-separated list of id:key, each id once, of 1 to 16 letters"
                " and digits, such as k2:…,k1:…"
            )
        keys[key_id] = decode_key(name, encoded)
    return keys


def read_verification_key(name: str) -> str:
    """Return a public key as anymail takes it: base64 in one line; empty when it is not set.

    Raises ImproperlyConfigured when it is not the key of a P-256 or other ECDSA signature.
    """
    lines = read_text(name).replace("\\n", "\n").splitlines()
    encoded = "".join(line.strip() for line in lines if not line.startswith("-----"))
    try:
        key = load_der_public_key(base64.b64decode(encoded, validate=True)) if encoded else None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if encoded and not isinstance(key, EllipticCurvePublicKey):
        raise ImproperlyConfigured(
            f"{name} is not a public key: copy the whole verification key that SendGrid shows "
            "under Mail Settings, Event Webhooks, Signature Verification."
        )
    return encoded


def make_key() -> str:
    """Return a new random 32-byte key in URL-safe base64."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def own_keys(path: Path) -> dict[str, str]:
    """Return the keys that debug mode made for itself, making them in ``path`` the first time."""
    made = (
        f"SECRET_KEY={secrets.token_urlsafe(50)}\n"
        f"FIELD_ENCRYPTION_KEYS=k1:{make_key()}\n"
        f"BLIND_INDEX_KEY={make_key()}\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    scratch.touch(mode=0o600)
    scratch.write_text(made)
    try:
        # link() fails where the file exists, so two processes starting at once agree on one file.
        os.link(scratch, path)
    except FileExistsError:
        pass
    finally:
        scratch.unlink()
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
