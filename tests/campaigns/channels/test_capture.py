"""Captured messages: encrypted on disk, readable again, found quickly."""

import time
from pathlib import Path

import pytest
from django.core.mail import EmailMessage, send_mail
from pytest_django import Settings

from campaigns.channels import capture, open_email_channel, open_sms_channel
from campaigns.channels.base import Answer, AnswerKind
from campaigns.channels.capture import captured_names, list_captured, read_captured
from config.errors import DomainError
from tests.contract.messages import a_text, an_email


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.CAPTURE_DIR = tmp_path / "captured"
    settings.EMAIL_BACKEND = "campaigns.channels.capture.CaptureEmailBackend"
    settings.SMS_BACKEND = "capture"
    return settings.CAPTURE_DIR


def test_an_email_comes_back_as_it_would_have_left() -> None:
    message = an_email(to_name="Müller, Jürgen", subject="Pizza 🍕")
    answer = open_email_channel().send(message)
    captured = read_captured(answer.provider_id)
    assert answer.kind is AnswerKind.ACCEPTED
    assert (captured.kind, captured.subject) == ("email", "Pizza 🍕")
    assert captured.receiver == ("Müller, Jürgen", "ada@example.com")
    assert captured.sender == "Pizzeria <hello@pizzeria.example>"
    assert (captured.html, captured.text) == (message.html, message.text)
    assert captured.headers == {
        "List-Unsubscribe": "<https://coupons.example.com/u/abc.def>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert abs(captured.captured_at.timestamp() - time.time()) < 5


def test_a_text_comes_back_as_it_would_have_left() -> None:
    message = a_text(body="Grüße 🍕")
    answer = open_sms_channel().send(message)
    captured = read_captured(answer.provider_id)
    assert answer.kind is AnswerKind.ACCEPTED
    assert (captured.kind, captured.text) == ("sms", "Grüße 🍕")
    assert captured.receiver == ("", message.to)


def test_images_are_shown_where_the_html_names_them() -> None:
    html = '<img src="cid:qr-code"><img src=cid:qr-code-2><div style="background:url(cid:qr-code)">'
    answer = open_email_channel().send(an_email(html=html))
    shown = read_captured(answer.provider_id).shown_html
    assert shown.count("data:image/png;base64,iVBOR") == 2
    assert "cid:qr-code-2>" in shown


def test_files_hold_nothing_in_clear(folder: Path) -> None:
    open_email_channel().send(an_email())
    open_sms_channel().send(a_text())
    files = list(folder.iterdir())
    assert len(files) == 2
    for file in files:
        content = file.name.encode() + file.read_bytes()
        for secret in (b"ada", b"Lovelace", b"example.com", b"4915112345678", b"20%", b"ABCDE"):
            assert secret not in content
    assert folder.stat().st_mode & 0o077 == 0


def test_the_newest_comes_first_and_kinds_can_be_told_apart() -> None:
    emails = [open_email_channel().send(an_email()).provider_id for _ in range(3)]
    texts = [open_sms_channel().send(a_text()).provider_id for _ in range(2)]
    assert captured_names() == [*reversed(texts), *reversed(emails)]
    assert captured_names("email") == emails[::-1]
    assert captured_names("sms") == texts[::-1]
    assert [message.name for message in list_captured(limit=4)] == captured_names()[:4]
    assert [message.name for message in list_captured(limit=1, kind="email")] == emails[-1:]


def test_nothing_is_listed_before_the_first_message() -> None:
    assert captured_names() == []
    assert list_captured(limit=10) == []


def test_half_written_and_foreign_files_are_not_listed(folder: Path) -> None:
    name = open_sms_channel().send(a_text()).provider_id
    (folder / f".{name}").write_bytes(b"half")
    (folder / "notes.sealed").write_bytes(b"foreign")
    assert captured_names() == [name]


def test_listing_reads_only_the_files_that_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(20):
        open_sms_channel().send(a_text())
    read = []
    decrypt = capture.decrypt_bytes
    monkeypatch.setattr(
        capture,
        "decrypt_bytes",
        lambda *args, **options: read.append(1) or decrypt(*args, **options),
    )
    list_captured(limit=5)
    assert len(read) == 5


@pytest.mark.parametrize(
    "name",
    ["", "..", "../secret", "notes", "/etc/passwd", "0" * 20 + "-email-" + "a" * 16, "\0"],
)
def test_only_names_of_captured_messages_are_read(folder: Path, name: str) -> None:
    open_sms_channel().send(a_text())
    (folder.parent / "secret.sealed").write_bytes(b"secret")
    (folder / "notes.sealed").write_bytes(b"foreign")
    with pytest.raises(DomainError) as failure:
        read_captured(name)
    assert failure.value.code == "no_captured_message"


def test_a_message_whose_key_is_gone_says_so(settings: Settings) -> None:
    name = open_sms_channel().send(a_text()).provider_id
    settings.FIELD_ENCRYPTION_KEYS = {"other": b"x" * 32}
    with pytest.raises(DomainError) as failure:
        read_captured(name)
    assert failure.value.code == "captured_message_unreadable"


def test_other_mail_of_django_is_captured_too() -> None:
    send_mail("Plain", "Words", "shop@example.com", ["ada@example.com"])
    EmailMessage("", "<p>only html</p>", to=["ada@example.com"]).send()
    html = EmailMessage("Html", "<p>Words</p>", to=["ada@example.com"])
    html.content_subtype = "html"
    html.send()
    newest, _, oldest = list_captured(limit=3)
    assert (oldest.subject, oldest.text, oldest.html) == ("Plain", "Words", "")
    assert (newest.text, newest.html) == ("", "<p>Words</p>")


def test_a_folder_that_cannot_be_made_takes_no_message(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings.CAPTURE_DIR = tmp_path / "file" / "captured"
    assert open_email_channel().send(an_email()) == Answer(AnswerKind.UNREACHABLE)
    assert open_sms_channel().send(a_text()) == Answer(AnswerKind.UNREACHABLE)


def test_a_message_is_forgotten_by_name_and_nothing_else_is(folder: Path) -> None:
    keep, forget = (open_sms_channel().send(a_text()).provider_id for _ in range(2))
    (folder.parent / "other.sealed").touch()
    assert capture.forget_captured([forget, forget, "../other", "", "SM0123"]) == 1
    assert captured_names() == [keep]
    assert (folder.parent / "other.sealed").exists()


def test_old_messages_are_forgotten_and_broken_off_writes_with_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert capture.forget_old_captured() == 0
    now = time.time_ns()
    monkeypatch.setattr(capture.time, "time_ns", lambda: now - 31 * 86_400 * 10**9)
    old = open_sms_channel().send(a_text()).provider_id
    (folder / f".{old}").write_bytes(b"half")
    (folder / "notes.txt").touch()
    monkeypatch.setattr(capture.time, "time_ns", lambda: now - 29 * 86_400 * 10**9)
    young = open_sms_channel().send(a_text()).provider_id
    monkeypatch.setattr(capture.time, "time_ns", lambda: now)
    assert capture.forget_old_captured() == 2
    assert sorted(entry.name for entry in folder.iterdir()) == [f"{young}.sealed", "notes.txt"]


def test_messages_follow_the_rotation_of_keys(settings: Settings) -> None:
    name = open_sms_channel().send(a_text(body="Grüße")).provider_id
    keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = {"lost": b"l" * 32}
    open_sms_channel().send(a_text())
    settings.FIELD_ENCRYPTION_KEYS = {"new": b"n" * 32, **keys}
    assert capture.rotate_captured() == 1
    assert capture.rotate_captured() == 0
    settings.FIELD_ENCRYPTION_KEYS = {"new": b"n" * 32}
    assert read_captured(name).text == "Grüße"
