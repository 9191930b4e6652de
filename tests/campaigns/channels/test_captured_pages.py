"""The pages that show captured messages."""

from html import unescape
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from campaigns.channels import open_email_channel, open_sms_channel
from campaigns.views import captured
from tests.contract.messages import a_text, an_email
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
LIST = "/captured/"


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.CAPTURE_DIR = tmp_path / "captured"
    # Django's test runner puts its own backend in place of ours.
    settings.EMAIL_BACKEND = "campaigns.channels.capture.CaptureEmailBackend"
    return settings.CAPTURE_DIR


@pytest.fixture
def reader() -> Client:
    user = UserFactory()
    user.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    client = Client()
    client.force_login(user)
    return client


def page_of(name: str) -> str:
    return reverse("captured-message", args=[name])


def test_it_lists_emails_and_texts(reader: Client) -> None:
    open_email_channel().send(an_email())
    open_sms_channel().send(a_text())
    page = reader.get(LIST).content.decode()
    assert "Ada Lovelace" in page
    assert "20% off every pizza" in page
    assert "+4915112345678" in page


def test_it_filters_by_kind(reader: Client) -> None:
    open_email_channel().send(an_email())
    open_sms_channel().send(a_text())
    emails = reader.get(LIST, {"kind": "email"}).content.decode()
    texts = reader.get(LIST, {"kind": "sms"}).content.decode()
    assert "Ada Lovelace" in emails
    assert "+4915112345678" not in emails
    assert "+4915112345678" in texts
    assert "Ada Lovelace" not in texts


@pytest.mark.parametrize("query", [{"kind": "fax"}, {"page": "x"}, {"page": "99"}])
def test_a_strange_query_still_shows_the_list(reader: Client, query: dict[str, str]) -> None:
    open_sms_channel().send(a_text())
    assert "+4915112345678" in reader.get(LIST, query).content.decode()


def test_it_shows_a_page_at_a_time(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured, "PER_PAGE", 2)
    for number in range(5):
        open_sms_channel().send(a_text(to=f"+49151123456{number:02d}"))
    first, last = (reader.get(LIST, {"page": n}).content.decode() for n in (1, 3))
    assert "+4915112345604" in first
    assert "+4915112345600" not in first
    assert "Page 3 of 3" in last
    assert "+4915112345600" in last


def test_it_says_so_when_nothing_was_captured(reader: Client) -> None:
    assert "Nothing here yet." in reader.get(LIST).content.decode()


def test_an_email_is_shown_in_a_frame_that_runs_nothing(reader: Client) -> None:
    html = (
        "<!DOCTYPE html><html><head><title>x</title></head><body><script>alert(1)</script>"
        '<img src="cid:qr-code"></body></html>'
    )
    name = open_email_channel().send(an_email(html=html)).provider_id
    page = reader.get(page_of(name)).content.decode()
    assert "<script>alert(1)" not in page
    frame = page[page.index("<iframe") : page.index("</iframe>")]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame
    document = unescape(frame[frame.index('srcdoc="') + 8 : frame.index('" title=')])
    assert document.startswith('<!DOCTYPE html><html><head><base target="_blank">')
    assert 'src="data:image/png;base64,iVBOR' in document


def test_an_email_shows_its_text_and_its_headers(reader: Client) -> None:
    name = open_email_channel().send(an_email(text="The words alone")).provider_id
    page = reader.get(page_of(name)).content.decode()
    assert "The words alone" in page
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in page


def test_a_text_is_shown_with_its_length_and_a_link(reader: Client) -> None:
    name = open_sms_channel().send(a_text()).provider_id
    page = reader.get(page_of(name)).content.decode()
    assert "1 segment, 49 characters, GSM-7" in page
    assert 'href="https://coupons.example.com/c/ABCDE23456"' in page


def test_a_message_links_to_its_neighbours_of_the_same_kind(reader: Client) -> None:
    oldest = open_email_channel().send(an_email()).provider_id
    open_sms_channel().send(a_text())
    middle = open_email_channel().send(an_email()).provider_id
    newest = open_email_channel().send(an_email()).provider_id
    page = reader.get(page_of(middle)).content.decode()
    assert page_of(oldest) in page
    assert page_of(newest) in page


@pytest.mark.parametrize("name", ["nothing", "0" * 20 + "-email-" + "a" * 16])
def test_an_unknown_message_is_not_found(reader: Client, name: str) -> None:
    assert reader.get(page_of(name)).status_code == 404


def test_a_message_whose_key_is_gone_says_so_on_both_pages(
    reader: Client, settings: Settings
) -> None:
    name = open_sms_channel().send(a_text()).provider_id
    settings.FIELD_ENCRYPTION_KEYS = {"other": b"x" * 32}
    for address in (LIST, page_of(name)):
        response = reader.get(address)
        assert response.status_code == 200
        assert "no longer in FIELD_ENCRYPTION_KEYS" in response.content.decode()


def test_only_staff_who_may_see_deliveries_see_them() -> None:
    name = open_sms_channel().send(a_text()).provider_id
    analyst = UserFactory()
    analyst.user_permissions.add(Permission.objects.get(codename="view_campaign"))
    outsider = UserFactory(is_staff=False)
    outsider.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    for address in (LIST, page_of(name)):
        assert Client().get(address).status_code == 302
        for user, status in ((analyst, 403), (outsider, 302)):
            client = Client()
            client.force_login(user)
            response = client.get(address)
            assert response.status_code == status
            assert b"+49151" not in response.content


def test_the_pages_only_show(reader: Client) -> None:
    assert reader.post(LIST).status_code == 405


def test_the_pages_are_kept_by_no_cache(reader: Client) -> None:
    assert "no-store" in reader.get(LIST)["Cache-Control"]
