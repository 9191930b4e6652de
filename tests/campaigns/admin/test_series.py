"""Series in the admin (M-10)."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign, Series
from campaigns.series.change_series import pause_series
from campaigns.series.run_series import run_due_series
from config.clock import database_now
from customers.models import Customer
from qrcodes.models import Offer
from tests.campaigns.admin.conftest import signed_in
from tests.campaigns.admin.forms import campaign_post, said
from tests.campaigns.series.repeating import draft, series_of, set_due
from tests.factories import CampaignFactory, OfferFactory, QRCodeFactory, RedemptionFactory

LIST = "/admin/campaigns/series/"
MOVES = ("rule", "pause", "resume", "end", "seen")


def of_campaign(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def of_series(name: str, series: Series) -> str:
    return reverse(f"admin:campaigns_series_{name}", args=[series.pk])


def rule_post(**changes) -> dict:
    post = {
        "name": "Monday special",
        "frequency": "weekly",
        "weekdays": ["1", "4"],
        "month_day": "15",
        "at": "10:00",
        "starts_on": timezone.localdate().isoformat(),
        "ends_on": "",
        "most_runs": "",
    }
    return post | changes


@pytest.fixture
def campaign(db) -> Campaign:
    return draft(name="Lunch")


# --- making one -----------------------------------------------------------------------------------


def test_the_form_suggests_a_rule_and_shows_its_next_runs_before_anything_is_made(
    marketing, campaign
) -> None:
    html = marketing.get(of_campaign("repeat", campaign)).content.decode()
    assert "Start the series" in html
    assert "at 10:00, Europe/Berlin" in html
    assert html.count("<li>") >= 5
    response = marketing.post(of_campaign("repeat", campaign), rule_post(look="1"))
    assert "Every Monday and Thursday at 10:00, Europe/Berlin" in response.content.decode()
    assert not Series.objects.exists()


def test_a_draft_becomes_a_series(marketing, campaign) -> None:
    response = marketing.post(of_campaign("repeat", campaign), rule_post(), follow=True)
    series = Series.objects.get()
    assert response.redirect_chain == [(of_series("change", series), 302)]
    assert "“Monday special” repeats: the first run is on" in said(response)[0]
    assert "(Europe/Berlin)" in said(response)[0]
    assert series.original == campaign
    assert series.created_by is not None
    assert timezone.localtime(series.next_run_at).strftime("%H:%M") == "10:00"


def test_a_monthly_series_takes_no_notice_of_weekdays_left_over(marketing, campaign) -> None:
    marketing.post(of_campaign("repeat", campaign), rule_post(frequency="monthly", month_day="31"))
    series = Series.objects.get()
    assert (series.frequency, series.weekdays, series.month_day) == ("monthly", "", 31)


def test_a_campaign_that_was_sent_is_copied(marketing, campaign) -> None:
    Campaign.objects.update(status="completed")
    assert (
        "A copy of “Lunch” becomes"
        in marketing.get(of_campaign("repeat", campaign)).content.decode()
    )
    marketing.post(of_campaign("repeat", campaign), rule_post())
    assert Series.objects.get().original != campaign


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "Give the series a name."),
        ({"weekdays": []}, "Choose at least one day of the week."),
        ({"frequency": "monthly", "month_day": ""}, "Choose the day of the month."),
        ({"at": ""}, "Choose the time of day."),
        ({"starts_on": ""}, "Choose the first day."),
        ({"ends_on": "2020-01-01"}, "The last day comes before the first one."),
        ({"starts_on": "2020-01-01", "ends_on": "2020-02-01"}, "there is no run to come"),
        ({"starts_on": "9999-12-31"}, "choose one in the next ten years"),
        ({"weekdays": ["9"]}, "Select a valid choice."),
        ({"most_runs": "0"}, "greater than or equal to 1"),
        ({"name": "a\x00b"}, "Null characters are not allowed."),
    ],
)
def test_it_names_what_is_wrong_and_makes_nothing(marketing, campaign, changes, sentence) -> None:
    response = marketing.post(of_campaign("repeat", campaign), rule_post(**changes))
    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert not Series.objects.exists()


def test_the_next_runs_alone_follow_what_is_typed(marketing) -> None:
    html = marketing.get(f"{LIST}next-runs/", rule_post(most_runs="2")).content.decode()
    assert html.count("<li>") == 2
    html = marketing.get(f"{LIST}next-runs/", rule_post(weekdays=[])).content.decode()
    assert "Choose at least one day of the week." in html
    for number in ("x", "999999999999999999999", "7"):
        assert marketing.get(f"{LIST}next-runs/", rule_post(series=number)).status_code == 200


def test_the_next_runs_say_where_clocks_change(marketing) -> None:
    spring = rule_post(weekdays=["7"], at="02:30", starts_on="2027-03-22")
    html = marketing.get(f"{LIST}next-runs/", spring).content.decode()
    assert "Sunday, 28 March 2027, 03:00" in html
    assert "there is no 02:30 then: clocks are put forward" in html
    autumn = spring | {"starts_on": "2027-10-25"}
    html = marketing.get(f"{LIST}next-runs/", autumn).content.decode()
    assert "Sunday, 31 October 2027, 02:30" in html
    assert "the first 02:30 of that day, on which clocks are put back" in html


# --- the original ---------------------------------------------------------------------------------


def test_the_original_shows_its_series_and_cannot_be_sent(marketing, campaign) -> None:
    series_of(campaign)
    html = marketing.get(of_campaign("change", campaign)).content.decode()
    for text in (
        "Every Monday and Thursday at 10:00, Europe/Berlin",
        "This draft is the original of the series",
        "a change takes effect on the next run",
        "Pause the series",
        "End the series…",
        "Change the rule…",
    ):
        assert text in html
    for text in ("Check and send…", "Save, check and send…", ">Delete<", "Repeat…"):
        assert text not in html
    panel = marketing.get(of_campaign("panel", campaign)).content.decode()
    assert "Check and send…" not in panel
    for name in ("send", "schedule"):
        response = marketing.post(
            of_campaign(name, campaign), {"at_0": "2030-01-01", "at_1": "10:00"}, follow=True
        )
        assert "This is the original of the series" in said(response)[0]
    response = marketing.get(of_campaign("send", campaign), follow=True)
    assert "so it cannot be sent itself" in said(response)[0]
    response = marketing.post(of_campaign("delete", campaign), {"post": "yes"}, follow=True)
    assert "so it cannot be deleted itself" in said(response)[0]
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_an_original_can_be_edited_and_repeating_it_again_leads_to_its_series(
    marketing, campaign
) -> None:
    series = series_of(campaign)
    marketing.post(of_campaign("change", campaign), campaign_post(campaign, subject="30% off"))
    campaign.refresh_from_db()
    assert campaign.subject == "30% off"
    response = marketing.get(of_campaign("repeat", campaign))
    assert response.url == of_series("change", series)


def test_the_panel_warns_of_what_would_keep_the_next_run_from_being_sent(
    marketing, campaign
) -> None:
    series_of(campaign)
    Customer.objects.all().delete()
    Offer.objects.update(starts_at=database_now() + timedelta(days=365))
    html = marketing.get(of_campaign("change", campaign)).content.decode()
    assert "As it is now, the next run would not be sent: Nobody is in this audience" in html
    assert "until then the codes of earlier runs are not accepted" in html


# --- the series -----------------------------------------------------------------------------------


def test_its_page_shows_past_runs_with_figures(marketing, campaign) -> None:
    series = series_of(campaign)
    set_due(series)
    run_due_series()
    run = series.runs.get()
    Campaign.objects.filter(pk=run.pk).update(emails_sent=4990, sms_sent=10, status="completed")
    RedemptionFactory(qr_code=QRCodeFactory(offer=Offer.objects.get(campaign_id=run.pk)))
    html = marketing.get(of_series("change", series)).content.decode()
    for text in (run.name, "5,000", '<td class="hb-number">1</td>', "Completed"):
        assert text in html
    html = marketing.get(of_campaign("change", run)).content.decode()
    assert "This is a run of the series" in html


def test_a_run_that_was_not_sent_says_why_on_every_page(marketing, campaign) -> None:
    series = series_of(campaign)
    Customer.objects.all().delete()
    set_due(series)
    run_due_series()
    run = series.runs.get()
    for address in (
        of_series("change", series),
        of_campaign("change", campaign),
        of_campaign("change", run),
        "/admin/",
        "/admin/campaigns/campaign/",
    ):
        assert "Nobody is in this audience" in marketing.get(address).content.decode()
    response = marketing.post(of_series("seen", series), follow=True)
    assert said(response) == ["Noted: this is not shown any more."]
    assert "was not sent" not in marketing.get(of_campaign("change", campaign)).content.decode()


def test_pausing_resuming_changing_and_ending(marketing, campaign) -> None:
    series = series_of(campaign)
    response = marketing.post(of_series("pause", series), follow=True)
    assert said(response)[0].startswith("Paused:")
    assert "if it is resumed now" in response.content.decode()
    assert "Paused by user" in response.content.decode()
    response = marketing.post(of_series("pause", series), follow=True)
    assert said(response) == ["This series is paused: it cannot be paused now."]
    response = marketing.post(of_series("resume", series), follow=True)
    assert said(response)[0].startswith("Resumed: the next run is on")
    html = marketing.get(of_series("rule", series)).content.decode()
    assert 'value="10:00"' in html
    response = marketing.post(
        of_series("rule", series),
        rule_post(name="Fridays", weekdays=["5"], at="18:30"),
        follow=True,
    )
    assert said(response) == ["Changed: Every Friday at 18:30, Europe/Berlin."]
    assert "cannot be undone" in marketing.get(of_series("end", series)).content.decode()
    marketing.post(of_series("end", series))
    series.refresh_from_db()
    assert (series.name, series.state) == ("Fridays", "ended")
    response = marketing.get(of_series("rule", series), follow=True)
    assert "has ended" in said(response)[-1]
    assert "Pause the series" not in response.content.decode()


def test_looking_changes_nothing(marketing, campaign) -> None:
    series = series_of(campaign)
    before = Series.objects.values().get()
    for name in MOVES:
        marketing.get(of_series(name, series))
    assert Series.objects.values().get() == before


def test_a_series_that_is_not_there_is_said(marketing) -> None:
    for address in (f"{LIST}99/change/", f"{LIST}99/pause/"):
        assert marketing.post(address).status_code == 302


# --- the list -------------------------------------------------------------------------------------


def test_the_list_shows_rule_next_run_last_run_and_state(marketing, campaign) -> None:
    assert "No series yet" in marketing.get(LIST).content.decode()
    series = series_of(campaign)
    Series.objects.update(last_run_at=database_now(), trouble="missed", last_error="…")
    pause_series(series_id=series_of(name="Old").pk, reason="")
    html = marketing.get(LIST).content.decode()
    for text in ("Monday special", "Every Monday and Thursday", "missed", "Active", "Paused"):
        assert text in html
    assert str(timezone.localtime(series.next_run_at).year) in html


def test_the_number_of_queries_does_not_grow_with_rows(marketing) -> None:
    def count(address: str) -> int:
        marketing.get(address)
        with CaptureQueriesContext(connection) as asked:
            marketing.get(address)
        return len(asked)

    series = series_of()
    CampaignFactory(series=series, run_at=database_now())
    few = count(LIST), count(of_series("change", series))
    for n in range(8):
        series_of()
        OfferFactory(campaign__series=series, campaign__run_at=database_now() + timedelta(n))
    assert (count(LIST), count(of_series("change", series))) == few


# --- rights ---------------------------------------------------------------------------------------


def given(*permissions: str) -> Client:
    client = signed_in()
    user = client.get("/admin/").wsgi_request.user
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    return client


def test_an_analyst_looks_and_changes_nothing(analyst, campaign) -> None:
    series = series_of(campaign)
    for address in (LIST, of_series("change", series), of_campaign("change", campaign)):
        response = analyst.get(address)
        assert response.status_code == 200
        html = response.content.decode()
        assert "Every Monday and Thursday" in html
        for button in ("Pause the series", "Change the rule…", "End the series…", "Repeat…"):
            assert button not in html
    for name in MOVES:
        assert analyst.post(of_series(name, series)).status_code == 403, name
    assert analyst.get(of_campaign("repeat", campaign)).status_code == 403
    assert analyst.get(f"{LIST}next-runs/").status_code == 403
    series.refresh_from_db()
    assert series.state == "active"


def test_till_staff_see_nothing_of_it(till, campaign) -> None:
    series = series_of(campaign)
    for address in (LIST, of_series("change", series), of_campaign("repeat", campaign)):
        assert till.get(address).status_code == 403


def test_making_and_moving_one_takes_the_right_to_send(campaign) -> None:
    series = series_of()
    rights = ("view_campaign", "view_series", "add_series", "change_series")
    editor = given(*rights)
    assert editor.post(of_campaign("repeat", campaign), rule_post()).status_code == 403
    assert editor.post(of_series("pause", series)).status_code == 403
    sender = given(*rights, "send_campaign")
    assert sender.post(of_campaign("repeat", campaign), rule_post()).status_code == 302
    assert sender.post(of_series("pause", series)).status_code == 302
    # What has been sent is copied, which takes the right to add campaigns.
    sent = draft(status="completed")
    assert sender.post(of_campaign("repeat", sent), rule_post()).status_code == 403
    alone = given("view_campaign", "view_series", "send_campaign")
    assert alone.post(of_campaign("repeat", sent), rule_post()).status_code == 403
    assert alone.post(of_series("resume", series)).status_code == 403
