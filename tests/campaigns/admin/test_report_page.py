import csv
import io
import json
import re

import pytest
from django.urls import reverse

from analytics.reports import campaign_report
from tests.analytics.business import Story, tell_story
from tests.factories import CampaignFactory


@pytest.fixture
def story(db) -> Story:
    return tell_story()


def page(name: str, campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def shown_figures(html: str) -> dict[str, str]:
    found = re.findall(r'<data value="([^"]*)" data-figure="([^"]*)">', html)
    figures = {}
    for value, name in found:
        assert figures.setdefault(name, value) == value
    return figures


def test_page_json_and_csv_show_the_same_figures(marketing, story) -> None:
    shown = shown_figures(marketing.get(page("report", story.campaign)).content.decode())
    report = json.loads(marketing.get(page("report.json", story.campaign)).content)
    assert report == campaign_report(story.campaign)
    figures = {
        name: "" if value is None else str(value)
        for name, value in report.items()
        if isinstance(value, int | float | str | None)
    }
    not_figures = {"id", "name", "status", "sent_at", "completed_at", "currency"}
    assert {name: shown[name] for name in figures.keys() - not_figures} == {
        name: value for name, value in figures.items() if name not in not_figures
    }
    for row in report["reasons"]:
        name = f"reasons {row['channel']} {row['status']} {row['code']}"
        assert shown[name] == str(row["messages"])
    for row in report["segments"]:
        assert shown[f"segments {row['segment']} sent"] == str(row["sent"])
    download = _download(marketing, "report.csv", story)
    values = {r["figure"]: r["value"] for r in download if r["section"] == "campaign"}
    assert {name: values[name] for name in figures} == figures


def _download(client, name: str, story: Story) -> list[dict[str, str]]:
    response = client.get(page(name, story.campaign))
    assert response.streaming
    assert response["Content-Disposition"].startswith('attachment; filename="campaign-')
    text = b"".join(response).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_it_downloads_one_row_per_message(marketing, story) -> None:
    rows = _download(marketing, "recipients.csv", story)
    assert len(rows) == 20
    assert rows[0]["name"] == "C0 Test"


def test_the_page_draws_what_the_tables_say(marketing, story) -> None:
    response = marketing.get(page("report", story.campaign))
    assert [bar.count for bar in response.context["days"]] == [2, 0, 1, 1]
    hours = {bar.label: bar.count for bar in response.context["hours"] if bar.count}
    assert hours == {"12:00": 3, "14:00": 1}
    assert response.context["days"][0].height == "100.000"
    assert response.context["days"][2].height == "50.000"
    html = response.content.decode()
    for text in ("Harbour", "Ada Till", "60.50 EUR", "within 1 hour", "Unreliable"):
        assert text in html


def test_a_campaign_without_a_redemption_says_so(marketing) -> None:
    html = marketing.get(page("report", CampaignFactory())).content.decode()
    assert "Nobody has redeemed a code yet" in html
