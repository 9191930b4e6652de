"""Messages kept on disk instead of sent: the embedded default and the demo (E-5).

One encrypted file per message, which appears by a rename, under a name that sorts by time and says
nothing about anybody.
"""

import json
import logging
import re
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from email.mime.image import MIMEImage
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from campaigns.channels.base import Answer, AnswerKind, OutgoingSms
from config.errors import DomainError
from customers.encryption import DecryptionError, are_current, decrypt_bytes, encrypt_bytes
from customers.models import Channel

logger = logging.getLogger(__name__)

PLACE = "capture"
SUFFIX = ".sealed"
# Captured messages hold addresses and live coupons, and nobody reads old ones.
KEPT = timedelta(days=30)
_CID = re.compile(r"""cid:([^"'\s)>]+)""")
_FILE = re.compile(rf"(\d{{20}})-(email|sms)-[0-9a-f]{{16}}{re.escape(SUFFIX)}")


@dataclass(frozen=True, slots=True)
class CapturedImage:
    """An image part: shown where the HTML says ``cid:content_id``."""

    content_id: str
    content_type: str
    content_base64: str

    @property
    def data_uri(self) -> str:
        """The image as an address of its own."""
        return f"data:{self.content_type};base64,{self.content_base64}"


@dataclass(frozen=True, slots=True)
class CapturedMessage:
    """One email or text as it would have left. ``name`` finds it again."""

    name: str
    kind: str
    captured_at: datetime
    to: str
    text: str
    sender: str = ""
    subject: str = ""
    html: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    images: tuple[CapturedImage, ...] = ()

    @property
    def receiver(self) -> tuple[str, str]:
        """The receiver's name, empty where it is unknown, and address or number."""
        name, address = parseaddr(self.to)
        return name, address or self.to

    @property
    def shown_html(self) -> str:
        """The HTML with its image parts as data URIs, as a browser can show it."""
        addresses = {image.content_id: image.data_uri for image in self.images}
        return _CID.sub(lambda found: addresses.get(found[1], found[0]), self.html)


def _folder() -> Path:
    return Path(settings.CAPTURE_DIR)


def _capture(kind: str, content: dict[str, Any]) -> str:
    """Write one message and return its name. Raises OSError."""
    name = f"{time.time_ns():020d}-{kind}-{secrets.token_hex(8)}"
    sealed = encrypt_bytes(json.dumps(content).encode(), place=PLACE)
    folder = _folder()
    scratch = folder / f".{name}"
    try:
        scratch.write_bytes(sealed)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch.write_bytes(sealed)
    scratch.replace(folder / f"{name}{SUFFIX}")
    return name


def _images_of(message: EmailMessage) -> list[CapturedImage]:
    return [
        CapturedImage(
            content_id=part["Content-ID"].strip("<>"),
            content_type=part.get_content_type(),
            content_base64="".join(str(part.get_payload()).split()),
        )
        for part in message.attachments
        if isinstance(part, MIMEImage) and part["Content-ID"]
    ]


def _html_of(message: EmailMessage) -> str:
    if message.content_subtype == "html":
        return str(message.body)
    alternatives = message.alternatives if isinstance(message, EmailMultiAlternatives) else []
    return next((str(content) for content, mimetype in alternatives if mimetype == "text/html"), "")


class CaptureEmailBackend(BaseEmailBackend):
    """Django's email backend that keeps every message on disk."""

    def open(self) -> bool:
        """Make the folder, so that one that cannot be made is noticed before a message is."""
        _folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        return False

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Keep every message; return how many."""
        for message in email_messages:
            name = _capture(
                Channel.EMAIL,
                {
                    "to": ", ".join(message.recipients()),
                    "sender": message.from_email,
                    "subject": str(message.subject),
                    "text": "" if message.content_subtype == "html" else str(message.body),
                    "html": _html_of(message),
                    "headers": {key: str(text) for key, text in message.extra_headers.items()},
                    "images": [asdict(image) for image in _images_of(message)],
                },
            )
            message.captured_as = name  # type: ignore[attr-defined]
        return len(email_messages)


class CaptureSmsChannel:
    """The SMS channel that keeps every text on disk."""

    def send(self, message: OutgoingSms) -> Answer:
        """Keep one text; never raises."""
        content = {"to": message.to, "sender": settings.TWILIO_FROM_NUMBER, "text": message.body}
        try:
            return Answer(AnswerKind.ACCEPTED, provider_id=_capture(Channel.SMS, content))
        except OSError as error:
            logger.error("a text was not captured: %s", type(error).__name__)
            return Answer(AnswerKind.UNREACHABLE)

    def close(self) -> None:
        """Nothing is kept open."""


def captured_names(kind: str = "") -> list[str]:
    """Return the names of all captured messages of ``kind`` (email, sms, or both), newest first."""
    try:
        files = sorted((entry.name for entry in _folder().iterdir()), reverse=True)
    except FileNotFoundError:
        return []
    found = ((file, _FILE.fullmatch(file)) for file in files)
    return [file.removesuffix(SUFFIX) for file, match in found if match and kind in {"", match[2]}]


def read_captured(name: str) -> CapturedMessage:
    """Return one captured message.

    Raises DomainError ``no_captured_message`` when there is none of this name, and
    ``captured_message_unreadable`` when its key is gone.
    """
    match = _FILE.fullmatch(f"{name}{SUFFIX}")
    path = _folder() / f"{name}{SUFFIX}"
    if not match or not path.is_file():
        raise DomainError(
            "no_captured_message", "There is no such message: it may have been deleted."
        )
    try:
        content = json.loads(decrypt_bytes(path.read_bytes(), place=PLACE))
    except DecryptionError:
        raise DomainError(
            "captured_message_unreadable",
            "This message cannot be read: the key it was encrypted with is no longer in "
            "FIELD_ENCRYPTION_KEYS.",
        ) from None
    images = tuple(CapturedImage(**image) for image in content.pop("images", ()))
    return CapturedMessage(
        name=name,
        kind=match[2],
        captured_at=datetime.fromtimestamp(int(match[1]) / 1e9, UTC),
        images=images,
        **content,
    )


def list_captured(*, limit: int, kind: str = "") -> list[CapturedMessage]:
    """Return the newest ``limit`` captured messages of ``kind``, newest first.

    Raises DomainError ``captured_message_unreadable`` when the key of one is gone.
    """
    return [read_captured(name) for name in captured_names(kind)[:limit]]


def forget_captured(names: Iterable[str]) -> int:
    """Delete captured messages by name; return how many there were. Other names are passed over."""
    paths = [_folder() / f"{name}{SUFFIX}" for name in names if _FILE.fullmatch(f"{name}{SUFFIX}")]
    return sum(_delete(path) for path in paths)


def forget_old_captured() -> int:
    """Delete what was captured more than KEPT ago; return how many. A broken-off write goes too."""
    oldest = f"{time.time_ns() - int(KEPT.total_seconds() * 1e9):020d}"
    try:
        entries = list(_folder().iterdir())
    except FileNotFoundError:
        return 0
    # Names begin with the time, behind a dot while they are being written.
    old = [entry for entry in entries if _is_ours(entry.name) and entry.name.lstrip(".") < oldest]
    return sum(_delete(entry) for entry in old)


def _is_ours(name: str) -> bool:
    return bool(_FILE.fullmatch(f"{name.removeprefix('.').removesuffix(SUFFIX)}{SUFFIX}"))


def _delete(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def rotate_captured() -> int:
    """Encrypt captured messages with the first key; return how many were with another.

    What no key opens is left as it is: it cannot be read with or without its old neighbours.
    """
    rotated = 0
    for name in captured_names():
        path = _folder() / f"{name}{SUFFIX}"
        try:
            sealed = path.read_bytes()
            if are_current(sealed):
                continue
            plain = decrypt_bytes(sealed, place=PLACE)
        except (FileNotFoundError, DecryptionError):
            continue
        scratch = path.with_name(f".{name}")
        scratch.write_bytes(encrypt_bytes(plain, place=PLACE))
        scratch.replace(path)
        rotated += 1
    return rotated
