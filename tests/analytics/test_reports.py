import csv
import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics.reports import (
    campaign_report,
    csv_lines,
    json_lines,
    recipient_rows,
    recipients,
    summary_rows,
)
from campaigns.reasons import reason_sentence
from tests.analytics.business import Story, tell_story
from tests.factories import CampaignFactory, DeliveryFactory, LocationFactory, RedemptionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def story() -> Story:
    return tell_story()


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("campaign_report", *arguments, stdout=out)
    return out.getvalue()


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_it_reports_under_the_names_of_the_command_contract(story: Story) -> None:
    report = campaign_report(story.campaign)
    assert report["id"] == story.campaign.pk
    assert report["status"] == "sending"
    assert report["total_targeted"] == 10
    assert (report["emails_sent"], report["emails_failed"], report["emails_skipped"]) == (6, 1, 1)
    assert (report["emails_pending"], report["emails_unconfirmed"]) == (1, 1)
    assert (report["sms_sent"], report["sms_skipped"]) == (2, 8)
    assert report["emails_per_minute"] == 0.5
    assert report["redemption_rate"] == 0.5
    assert (report["revenue"], report["discount"], report["currency"]) == ("60.50", "12.00", "EUR")
    assert report["seconds_to_redemption_median"] == 7200
    assert report["sent_at"] == "2026-11-16T12:00:00+01:00"
    assert report["target_segments"] == ["ALL"]


def test_it_says_in_words_why_a_message_failed(story: Story) -> None:
    reasons = campaign_report(story.campaign)["reasons"]
    assert {
        "channel": "email",
        "status": "failed",
        "code": "invalid_address",
        "reason": reason_sentence("invalid_address"),
        "messages": 1,
    } in reasons


def test_csv_and_json_show_the_same_figures(story: Story) -> None:
    report = json.loads(run(str(story.campaign.pk), "--format", "json"))
    assert report == campaign_report(story.campaign)
    rows = table(run(str(story.campaign.pk)))
    shown = {(row["section"], row["item"], row["figure"]): row["value"] for row in rows}
    assert len(shown) == len(rows)
    expected = {}
    for key, value in report.items():
        if not isinstance(value, list):
            expected["campaign", "", key] = "" if value is None else str(value)
        elif key in {"target_segments", "excluded_segments"}:
            expected["campaign", "", key] = ", ".join(value)
        for entry in value if isinstance(value, list) and value and type(value[0]) is dict else []:
            named = 3 if key == "reasons" else 1
            item = " ".join("" if v is None else str(v) for v in list(entry.values())[:named])
            for figure, number in list(entry.items())[named:]:
                expected[key, item, figure] = "" if number is None else str(number)
    assert shown == expected
    assert shown["campaign", "", "emails_sent"] == "6"
    assert shown["segments", "regulars", "redeemed"] == "2"


def test_it_lists_every_message_with_its_fate(story: Story) -> None:
    rows = table(run(str(story.campaign.pk), "--recipients"))
    assert len(rows) == 20
    first = rows[0]
    assert first == {
        "customer": str(story.customers[0].pk),
        "name": "C0 Test",
        "channel": "email",
        "status": "sent",
        "reason": "",
        "attempts": "1",
        "sent_at": "2026-11-16T12:00:00+01:00",
        "redeemed_at": "2026-11-16T12:30:00+01:00",
        "location": "Harbour",
        "amount": "30.50",
    }
    failed = next(row for row in rows if row["status"] == "failed")
    assert failed["reason"] == reason_sentence("invalid_address")
    # The test code of C8 was used, and counts for nothing.
    assert not any(row["redeemed_at"] for row in rows if row["name"] == "C8 Test")


def test_it_lists_the_same_recipients_as_json(story: Story) -> None:
    entries = json.loads(run(str(story.campaign.pk), "--recipients", "--format", "json"))
    assert entries == list(recipients(story.campaign))
    assert entries[0]["attempts"] == 1
    assert entries[-1]["redeemed_at"] is None


def test_it_lists_no_address(story: Story) -> None:
    text = "".join(csv_lines(recipient_rows(story.campaign)))
    assert "@example.com" not in text
    assert "+4915" not in text


def test_it_neutralises_what_a_spreadsheet_would_run() -> None:
    campaign = CampaignFactory(name="=HYPERLINK(1)")
    delivery = DeliveryFactory(campaign=campaign, customer__first_name="@SUM(1)", status="sent")
    RedemptionFactory(
        qr_code__campaign=campaign,
        qr_code__offer__campaign=campaign,
        qr_code__customer=delivery.customer,
        location=LocationFactory(name="+1"),
    )
    (row,) = table("".join(csv_lines(recipient_rows(campaign))))
    assert (row["name"], row["location"]) == ("'@SUM(1) Lovelace", "'+1")
    summary = table("".join(csv_lines(summary_rows(campaign_report(campaign)))))
    values = {row["figure"]: row["value"] for row in summary if row["section"] == "campaign"}
    assert values["name"] == "'=HYPERLINK(1)"
    assert any(row["item"] == "'+1" for row in summary)


def test_it_reads_recipients_in_two_queries_however_many(story: Story) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert len(list(recipients(story.campaign))) == 20
    assert len(queries) == 2


def test_it_writes_an_empty_list_of_recipients() -> None:
    assert json.loads("".join(json_lines([]))) == []


def test_it_refuses_an_unknown_campaign() -> None:
    with pytest.raises(CommandError, match="There is no campaign 4711") as refused:
        run("4711")
    assert refused.value.returncode == 1


def test_it_writes_to_a_file(story: Story, tmp_path: Path) -> None:
    target = tmp_path / "report.csv"
    assert run(str(story.campaign.pk), "--output", str(target)) == ""
    with target.open(newline="") as file:
        assert file.read() == run(str(story.campaign.pk))


def test_it_says_when_the_file_cannot_be_written(story: Story, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        run(str(story.campaign.pk), "--output", str(tmp_path / "none" / "report.csv"))


def test_it_reports_a_campaign_that_has_not_begun() -> None:
    report = campaign_report(CampaignFactory())
    assert report["redemption_rate"] is None
    assert report["emails_per_minute"] is None
    assert report["revenue"] == "0.00"
    assert report["reasons"] == report["segments"] == report["redemptions_by_day"] == []
