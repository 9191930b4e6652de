"""Settling what may or may not have arrived: on the campaign's page and from the list (D-6)."""

import json
import threading

import pytest
from django.db import connection

from campaigns import lifecycle
from campaigns.delivery.outbox import Decision
from campaigns.models import Campaign, Delivery
from config.errors import DomainError
from tests.campaigns.admin.conftest import signed_in
from tests.campaigns.admin.forms import said
from tests.factories import CampaignFactory, DeliveryFactory

LIST = "/admin/campaigns/delivery/"
NOBODY_KNOWS = "None of these messages is unconfirmed any more"


def unconfirmed(count: int = 2, channel: str = "sms", status: str = "completed") -> Campaign:
    campaign = CampaignFactory(status=status)
    DeliveryFactory.create_batch(
        count, campaign=campaign, channel=channel, status="unconfirmed", code="no_answer"
    )
    return campaign


def page(campaign: Campaign) -> str:
    return f"/admin/campaigns/campaign/{campaign.pk}/unconfirmed/"


def states(campaign: Campaign) -> list[str]:
    return list(
        Delivery.objects.filter(campaign=campaign).order_by("pk").values_list("status", flat=True)
    )


def press(client, campaign: Campaign, decision: str, **changes: object):
    post = {"decision": decision, "channel": "sms", "shown": len(states(campaign)), **changes}
    return client.post(page(campaign), post, follow=True)


# --- the campaign's page --------------------------------------------------------------------------


def test_the_page_of_a_campaign_offers_three_decisions(marketing) -> None:
    campaign = unconfirmed()
    html = marketing.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").content.decode()
    assert "May or may not have arrived" in html
    assert "2 texts" in html
    for decision in Decision:
        assert f"{page(campaign)}?channel=sms&amp;decision={decision.value}" in html


def test_nothing_is_offered_where_nothing_is_unconfirmed(marketing) -> None:
    campaign = CampaignFactory(status="completed")
    html = marketing.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").content.decode()
    assert "May or may not have arrived" not in html


def test_who_may_not_send_sees_it_and_gets_no_buttons(analyst) -> None:
    campaign = unconfirmed()
    html = analyst.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").content.decode()
    assert "May or may not have arrived" in html
    assert page(campaign) not in html
    assert analyst.get(f"{page(campaign)}?channel=sms&decision=again").status_code == 403
    assert press(analyst, campaign, "sent").status_code == 403
    assert states(campaign) == ["unconfirmed"] * 2


@pytest.mark.parametrize(
    ("decision", "title", "means"),
    [
        ("again", "Send 2 texts again?", "each text costs money"),
        ("sent", "Count 2 texts as sent?", "stays without it"),
        ("failed", "Give up 2 texts?", "nobody is written to again"),
    ],
)
def test_looking_says_what_a_decision_means_and_changes_nothing(
    marketing, decision, title, means
) -> None:
    campaign = unconfirmed()
    html = marketing.get(f"{page(campaign)}?channel=sms&decision={decision}").content.decode()
    assert title in html
    assert means in html
    assert states(campaign) == ["unconfirmed"] * 2


@pytest.mark.parametrize(
    ("decision", "state", "told", "column"),
    [
        ("again", "pending", "2 texts are sent again.", None),
        ("sent", "sent", "2 texts are counted as sent.", "sms_sent"),
        ("failed", "failed", "2 texts are given up.", "sms_failed"),
    ],
)
def test_a_decision_is_carried_out_and_told(marketing, decision, state, told, column) -> None:
    campaign = unconfirmed()
    email = DeliveryFactory(campaign=campaign, status="unconfirmed")
    assert said(press(marketing, campaign, decision, shown=2)) == [told]
    assert states(campaign) == [state, state, "unconfirmed"]
    email.refresh_from_db()
    campaign.refresh_from_db()
    assert campaign.status == ("sending" if decision == "again" else "completed")
    if column:
        assert getattr(campaign, column) == 2


def test_one_that_became_unconfirmed_meanwhile_is_shown_first(marketing) -> None:
    campaign = unconfirmed(3)
    response = press(marketing, campaign, "again", shown=2)
    assert said(response) == ["Their number has changed meanwhile: look at it again first."]
    assert "Send 3 texts again?" in response.content.decode()
    assert states(campaign) == ["unconfirmed"] * 3


def test_the_second_of_two_people_is_told_that_it_is_done(marketing) -> None:
    campaign = unconfirmed()
    press(marketing, campaign, "sent")
    colleague = signed_in("Marketing")
    for response in (
        press(colleague, campaign, "again", shown=2),
        colleague.get(f"{page(campaign)}?channel=sms&decision=again", follow=True),
    ):
        assert said(response)[0].startswith(NOBODY_KNOWS)
    assert states(campaign) == ["sent"] * 2


@pytest.mark.django_db(transaction=True)
def test_of_two_people_at_the_same_instant_one_decides() -> None:
    campaign = unconfirmed(5)
    barrier, results = threading.Barrier(4), []

    def decide(decision: Decision) -> None:
        barrier.wait()
        try:
            results.append(
                (decision, lifecycle.decide_unconfirmed(campaign_id=campaign.pk, decision=decision))
            )
        except DomainError as refused:
            results.append((refused.code, 0))
        finally:
            connection.close()

    threads = [
        threading.Thread(target=decide, args=[decision])
        for decision in (Decision.COUNT_AS_SENT, Decision.GIVE_UP) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(count for _, count in results) == [0, 0, 0, 5]
    campaign.refresh_from_db()
    assert campaign.sms_sent + campaign.sms_failed == 5
    assert [code for code, count in results if not count] == ["nothing_unconfirmed"] * 3


def test_a_cancelled_campaign_sends_nothing_again(marketing) -> None:
    campaign = unconfirmed(status="cancelled")
    html = marketing.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").content.decode()
    assert "decision=again" not in html
    assert "decision=sent" in html
    assert said(press(marketing, campaign, "again")) == [
        "This campaign is cancelled: it cannot be sent again now."
    ]
    assert states(campaign) == ["unconfirmed"] * 2


@pytest.mark.parametrize(
    "query", ["", "?channel=sms", "?channel=sms&decision=x", "?decision=again", "?channel=fax"]
)
def test_nonsense_gets_a_sentence(marketing, query) -> None:
    campaign = unconfirmed()
    response = marketing.get(page(campaign) + query, follow=True)
    assert response.status_code == 200
    assert len(said(response)) == 1
    assert states(campaign) == ["unconfirmed"] * 2


def test_a_campaign_that_is_not_there_gets_a_sentence(marketing) -> None:
    response = marketing.post(
        "/admin/campaigns/campaign/999/unconfirmed/", {"decision": "sent"}, follow=True
    )
    assert said(response) == ["There is no such campaign: it may have been deleted."]


def test_the_poll_carries_the_notices_and_when_the_panel_is_out_of_date(marketing) -> None:
    campaign = unconfirmed()
    address = f"/admin/campaigns/campaign/live/?ids={campaign.pk}"
    (before,) = json.loads(marketing.get(address).content)["campaigns"]
    assert [notice["severity"] for notice in before["notices"]] == ["decide"]
    assert before["poll_seconds"] == 10
    assert before["notices"][0]["sentence"].startswith("2 texts may or may not have arrived.")
    press(marketing, campaign, "sent")
    (after,) = json.loads(marketing.get(address).content)["campaigns"]
    assert (after["notices"], after["poll_seconds"]) == ([], None)
    assert after["panel_key"] != before["panel_key"]


# --- the list of deliveries -----------------------------------------------------------------------


def act(client, action: str, rows: list[Delivery], **changes: object):
    post = {"action": action, "_selected_action": [row.pk for row in rows], **changes}
    return client.post(LIST, post, follow=True)


def rows_of(*campaigns: Campaign) -> list[Delivery]:
    return list(Delivery.objects.filter(campaign__in=campaigns))


def test_the_list_asks_first_and_then_settles_what_was_selected(marketing) -> None:
    first, second = unconfirmed(1, "email"), unconfirmed(2)
    sent = DeliveryFactory(campaign=first, status="sent")
    left = DeliveryFactory(campaign=first, status="unconfirmed")
    rows = [row for row in rows_of(first, second) if row.pk != left.pk]
    asked = act(marketing, "count_as_sent", rows).content.decode()
    assert "Count 1 email and 2 texts as sent?" in asked
    assert "1 more was selected" in asked
    assert states(second) == ["unconfirmed"] * 2
    assert said(act(marketing, "count_as_sent", rows, shown=3)) == [
        "3 messages are counted as sent."
    ]
    assert states(second) == ["sent"] * 2
    assert states(first) == ["sent", "sent", "unconfirmed"]
    sent.refresh_from_db()
    assert sent.sent_at is None


def test_all_that_match_the_filter_are_settled(marketing) -> None:
    campaign, other = unconfirmed(3), unconfirmed(1)
    query = f"?campaign={campaign.pk}"
    post = {"action": "give_up", "select_across": 1, "_selected_action": [rows_of(campaign)[0].pk]}
    asked = marketing.post(LIST + query, post)
    assert "Give up 3 texts?" in asked.content.decode()
    assert asked.context["kept"]["select_across"] == ["1"]
    told = marketing.post(LIST + query, {**post, "shown": 3}, follow=True)
    assert said(told) == ["3 messages are given up."]
    assert states(campaign) == ["failed"] * 3
    assert states(other) == ["unconfirmed"]


def test_a_campaign_that_sends_no_more_does_not_stop_the_others(marketing) -> None:
    cancelled, going = unconfirmed(1, status="cancelled"), unconfirmed(1)
    cancelled.name = "Old"
    cancelled.save(update_fields=["name"])
    told = said(act(marketing, "send_again", rows_of(cancelled, going), shown=2))
    assert told == [
        "“Old”: This campaign is cancelled: it cannot be sent again now.",
        "1 message is sent again.",
    ]
    assert (states(cancelled), states(going)) == (["unconfirmed"], ["pending"])


def test_selecting_what_is_settled_gets_a_sentence(marketing) -> None:
    sent = DeliveryFactory(status="sent")
    assert said(act(marketing, "give_up", [sent])) == [
        "None of the selected messages is unconfirmed."
    ]
    assert said(act(marketing, "give_up", [sent], shown=1))[0].startswith(NOBODY_KNOWS)


def test_the_list_shows_it_again_when_their_number_has_changed(marketing) -> None:
    campaign = unconfirmed(2)
    response = act(marketing, "send_again", rows_of(campaign), shown=1)
    assert said(response) == ["Their number has changed meanwhile: look at it again first."]
    assert states(campaign) == ["unconfirmed"] * 2


def test_who_may_not_send_has_no_actions(db) -> None:
    from tests.campaigns.admin.test_rights import given

    reader = given("campaigns.view_delivery")
    campaign = unconfirmed(1)
    response = reader.get(LIST)
    assert response.status_code == 200
    assert response.context["action_form"] is None
    act(reader, "give_up", rows_of(campaign), shown=1)
    assert states(campaign) == ["unconfirmed"]


def test_the_list_does_not_name_a_number_that_nobody_counted(marketing) -> None:
    DeliveryFactory()
    html = marketing.get(LIST).content.decode()
    assert "Select all that match" in html
    assert "9999999999" not in html
