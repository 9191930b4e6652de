import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign
from customers.segments import ensure_segments
from tests.campaigns.admin.forms import said
from tests.factories import (
    CampaignFactory,
    CustomerFactory,
    DeliveryFactory,
    OfferFactory,
    QRCodeFactory,
    RedemptionFactory,
    now,
)

LIST = "/admin/campaigns/campaign/"
LIVE = "/admin/campaigns/campaign/live/"


def make_row() -> None:
    offer = OfferFactory(
        campaign__status="sending", campaign__sent_at=now(), campaign__target_all=False
    )
    offer.campaign.target_segments.set(ensure_segments(["vip", "lunch", "students"]).values())
    code = QRCodeFactory(offer=offer)
    RedemptionFactory(qr_code=code)
    for status in ("sent", "failed", "pending"):
        DeliveryFactory(campaign=offer.campaign, customer=CustomerFactory(), status=status)


def test_the_list_shows_how_far_each_campaign_is(marketing) -> None:
    campaign = CampaignFactory(
        name="Pizza week",
        status="completed",
        sent_at=now(),
        total_targeted=5000,
        emails_sent=4990,
        emails_failed=10,
        sms_sent=1200,
    )
    code = QRCodeFactory(offer=OfferFactory(campaign=campaign))
    RedemptionFactory(qr_code=code)
    html = marketing.get(LIST).content.decode()
    for text in ("Pizza week", "Completed", "6,190 sent", "4,990 sent", "10 failed", "Everyone"):
        assert text in html


def test_the_number_of_queries_does_not_grow_with_rows(marketing) -> None:
    make_row()
    marketing.get(LIST)
    with CaptureQueriesContext(connection) as few:
        marketing.get(LIST)
    for _ in range(9):
        make_row()
    with CaptureQueriesContext(connection) as many:
        response = marketing.get(LIST)
    assert len(response.context["cl"].result_list) == 10
    assert len(many) == len(few) < 30


def test_the_poll_needs_as_many_queries_for_many_as_for_one(marketing) -> None:
    make_row()
    ids = _all_ids()
    marketing.get(LIVE, {"ids": ids})
    with CaptureQueriesContext(connection) as few:
        assert len(_poll(marketing, ids)) == 1
    for _ in range(5):
        make_row()
    ids = _all_ids()
    with CaptureQueriesContext(connection) as many:
        assert len(_poll(marketing, ids)) == 6
    assert len(many) == len(few)


def _all_ids() -> str:
    return ",".join(str(pk) for pk in Campaign.objects.values_list("pk", flat=True))


def _poll(client, ids: str) -> list[dict]:
    response = client.get(LIVE, {"ids": ids})
    assert response.status_code == 200
    return json.loads(response.content)["campaigns"]


def test_the_poll_says_how_far_a_campaign_is(marketing) -> None:
    campaign = CampaignFactory(status="sending", sent_at=now(), emails_sent=2)
    for status in ("sent", "sent", "failed", "pending"):
        DeliveryFactory(campaign=campaign, status=status)
    DeliveryFactory(campaign=campaign, status="skipped", code="no_address")
    (answer,) = _poll(marketing, str(campaign.pk))
    assert answer["status"] == "sending"
    assert (answer["done"], answer["total"]) == (3, 4)
    assert answer["poll_seconds"] == 2
    assert answer["parts"]["label"] == "Sending"
    assert answer["parts"]["text"] == "2 / 4 sent"
    assert "1 failed" in answer["parts"]["detail"]
    assert answer["parts"]["email.pending"] == "1"
    assert answer["parts"]["emails"] == "2 sent"


@pytest.mark.parametrize(
    ("status", "seconds"),
    [("queued", 2), ("sending", 2), ("paused", 10), ("completed", None), ("draft", None)],
)
def test_the_poll_says_when_it_is_worth_asking_again(marketing, status, seconds) -> None:
    campaign = CampaignFactory(status=status, sent_at=now())
    assert _poll(marketing, str(campaign.pk))[0]["poll_seconds"] == seconds


@pytest.mark.parametrize("ids", ["", "x", "1;DROP", "٣", "9" * 30, "-1", ",,,"])
def test_the_poll_takes_any_nonsense_calmly(marketing, ids) -> None:
    assert _poll(marketing, ids) == []


def test_the_list_filters_by_state_and_searches_by_name(marketing) -> None:
    CampaignFactory(name="Alpha", status="completed")
    CampaignFactory(name="Beta")
    assert _names(marketing.get(LIST, {"status__exact": "completed"})) == ["Alpha"]
    assert _names(marketing.get(LIST, {"q": "bet"})) == ["Beta"]


def _names(response) -> list[str]:
    return [campaign.name for campaign in response.context["cl"].result_list]


def test_an_empty_list_says_what_to_do_next(marketing, analyst) -> None:
    html = marketing.get(LIST).content.decode()
    assert "No campaign yet" in html
    assert "New campaign" in html
    html = analyst.get(LIST).content.decode()
    assert "No campaign yet" in html
    assert "New campaign" not in html


def test_the_list_action_leads_to_the_confirm_page_of_one_draft(marketing) -> None:
    first, second = CampaignFactory(), CampaignFactory()
    post = {"action": "confirm_sending", "_selected_action": [first.pk]}
    assert marketing.post(LIST, post).url == f"/admin/campaigns/campaign/{first.pk}/send/"
    post["_selected_action"] = [first.pk, second.pk]
    response = marketing.post(LIST, post, follow=True)
    assert said(response) == ["Choose one campaign: each is confirmed by itself."]
    actions = dict(response.context["action_form"].fields["action"].choices)
    assert "delete_selected" not in actions


def test_a_waiting_campaign_says_that_a_worker_may_be_missing(marketing) -> None:
    campaign = CampaignFactory(status="queued", sent_at=now() - timedelta(minutes=2))
    (answer,) = _poll(marketing, str(campaign.pk))
    assert answer["parts"]["detail"] == "sending is not running"
