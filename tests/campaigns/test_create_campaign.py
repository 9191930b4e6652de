import json
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from campaigns.create_campaign import create_campaign, read_campaign_file
from campaigns.models import Campaign
from config.errors import DomainError
from customers.segments import ensure_segments
from qrcodes.models import Offer

pytestmark = pytest.mark.django_db
FIELDS = {"name": "Pizza", "subject": "Hello", "email_content": "<p>Hello</p>"}


def write(folder: Path, text: str) -> Path:
    path = folder / "campaign.toml"
    path.write_text(text)
    return path


def test_it_makes_a_draft_with_its_offer_and_segments() -> None:
    ensure_segments(["regulars", "staff"])
    campaign = create_campaign(
        fields=FIELDS,
        offer={"title": "20% off", "minimum_amount": Decimal("12.50")},
        target_segments=["Regulars"],
        excluded_segments=["staff"],
    )
    assert campaign.status == Campaign.Status.DRAFT
    assert [segment.name for segment in campaign.target_segments.all()] == ["regulars"]
    assert [segment.name for segment in campaign.excluded_segments.all()] == ["staff"]
    assert not campaign.target_all
    assert (campaign.qr_expiration_days, campaign.max_usage) == (30, 1)
    assert (campaign.send_rate_limit_emails, campaign.send_rate_limit_sms) == (100, 10)
    offer = Offer.objects.get(campaign=campaign)
    assert (offer.title, offer.minimum_amount) == ("20% off", Decimal("12.50"))


def test_everyone_is_written_all() -> None:
    assert create_campaign(fields=FIELDS, target_segments="ALL").target_all


def test_a_campaign_without_codes_has_no_offer() -> None:
    create_campaign(fields=FIELDS | {"has_qr_code": False}, target_segments="ALL")
    assert not Offer.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ({"fields": FIELDS | {"nmae": "x"}}, "unknown_field", "nmae"),
        ({"fields": FIELDS | {"status": "sending"}}, "unknown_field", "status"),
        ({"fields": FIELDS | {"name": ""}}, "invalid_field", "name"),
        ({"fields": FIELDS | {"qr_expiration_days": 0}}, "invalid_field", "qr_expiration_days"),
        ({"fields": FIELDS | {"max_usage": "many"}}, "invalid_field", "max_usage"),
        ({"fields": FIELDS | {"name": "a\x00"}}, "invalid_field", "name"),
        ({"fields": FIELDS | {"sms_content": []}}, "invalid_field", "sms_content"),
        ({"fields": FIELDS | {"max_usage": float("inf")}}, "invalid_field", "numbers or times"),
        ({"fields": FIELDS | {"scheduled_for": 1}}, "invalid_field", "numbers or times"),
        ({"fields": {"name": "Empty"}}, "no_content", "says nothing"),
        ({"fields": FIELDS, "target_segments": ["nobody"]}, "unknown_segment", "nobody"),
        ({"fields": FIELDS, "target_segments": "everyone"}, "invalid_field", "ALL"),
        ({"fields": FIELDS, "excluded_segments": ["no good"]}, "invalid_tag", "no good"),
        ({"fields": FIELDS, "offer": {"price": 1}}, "unknown_field", "price"),
        ({"fields": FIELDS, "offer": {"title": ""}}, "invalid_offer", "title"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_created(
    arguments: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(DomainError) as refused:
        create_campaign(**arguments)
    assert refused.value.code == code
    assert words in refused.value.message
    assert not Campaign.objects.exists()
    assert not Offer.objects.exists()


def test_the_file_names_its_html_beside_itself(tmp_path: Path) -> None:
    (tmp_path / "mail.html").write_text("<p>Grüße</p>")
    path = write(tmp_path, 'name = "A"\nsubject = "B"\nemail_content_file = "mail.html"\n')
    assert read_campaign_file(path)["fields"]["email_content"] == "<p>Grüße</p>"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not valid TOML"),
        ('email_content_file = "missing.html"', "missing.html"),
        ('email_content_file = "x"\nemail_content = "y"', "not both"),
        ('offer = "free"', "[offer]"),
        ("target_segments = 7", "target_segments"),
        ("excluded_segments = 'regulars'", "excluded_segments"),
        ("[offer]\nminimum_amount = 'ten'", "minimum_amount"),
        ("scheduled_for = 2030-03-31T02:30:00", "there is no 02:30 in Europe/Berlin"),
    ],
)
def test_a_broken_file_is_refused_with_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("create_campaign", str(write(tmp_path, text)))
    assert words in str(refused.value)
    assert not Campaign.objects.exists()


def test_the_command_prints_id_and_status(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "A"\nsms_content = "Hi"\ntarget_segments = "ALL"\n')
    out = StringIO()
    call_command("create_campaign", str(path), "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"id": Campaign.objects.get().pk, "status": "draft"}


def test_a_missing_file_is_an_error_with_exit_code_1(tmp_path: Path) -> None:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("create_campaign", str(tmp_path / "none.toml"), "--json", stdout=out)
    assert ended.value.code == 1
    assert json.loads(out.getvalue())["errors"][0]["code"] == "unreadable_file"


@pytest.mark.parametrize("field", ["subject", "email_content", "sms_content"])
def test_a_template_that_is_refused_makes_no_draft(field: str) -> None:
    with pytest.raises(DomainError, match="line 2"):
        create_campaign(fields=FIELDS | {field: "Hello\n{{ 'a' * 10 ** 8 }}"})
    assert not Campaign.objects.exists()
