from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.audience import freeze_next_batch
from campaigns.explain import Answer, explain, explain_campaigns, explain_recent
from campaigns.health import BEAT, SWEEPER, beat_heart
from campaigns.models import Campaign, Delivery, Pace
from campaigns.moments import readable_moment
from config.clock import database_now
from customers.erase_customer import erase_customer
from customers.models import Customer, CustomerTag
from customers.segments import ensure_segments
from tests.factories import CampaignFactory, CustomerFactory, DeliveryFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_work(db) -> None:
    beat_heart(SWEEPER)
    beat_heart(BEAT)


def in_minutes(minutes: float) -> datetime:
    return database_now() + timedelta(minutes=minutes)


def clock(moment: datetime) -> str:
    return readable_moment(moment, now=database_now())


def campaign_of(status: str = "sending", **fields: object) -> Campaign:
    """One without texts, queued an hour from now so that every customer was there before it."""
    fields = {"sms_content": "", "sent_at": in_minutes(60), **fields}
    return CampaignFactory(status=status, **fields)


def answer_about(delivery: Delivery) -> Answer:
    return explain(delivery.campaign, delivery.customer)[0]


def why(campaign: Campaign, customer: Customer) -> str:
    (answer,) = explain(campaign, customer)
    assert answer.channel == ""
    return answer.sentence


# --- there is a message ---------------------------------------------------------------------------


def test_it_says_when_a_message_was_sent_and_that_no_more_is_known() -> None:
    sent = in_minutes(-10)
    answer = answer_about(
        DeliveryFactory(campaign=campaign_of(), status="sent", sent_at=sent, attempts=1)
    )
    assert answer == Answer(
        "email",
        "sent",
        f"Sent {clock(sent)}. The provider has not reported whether it arrived.",
    )


def test_it_says_that_a_message_arrived_and_was_followed() -> None:
    at = in_minutes(-5)
    answer = answer_about(
        DeliveryFactory(
            campaign=campaign_of(),
            status="sent",
            sent_at=at,
            delivered_at=at,
            opened_at=at,
            clicked_at=at,
        )
    )
    assert answer.code == "delivered"
    assert answer.sentence.endswith(
        f"It arrived {clock(at)}. A link in it was followed {clock(at)}."
    )


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("invalid_address", "The provider says that this address is not valid."),
        ("", "The provider did not say why."),
    ],
)
def test_it_says_why_a_message_came_back(code, why) -> None:
    at = in_minutes(-5)
    answer = answer_about(
        DeliveryFactory(
            campaign=campaign_of(), status="sent", sent_at=at, bounced_at=at, bounce_code=code
        )
    )
    assert answer.code == "bounced"
    assert answer.sentence.endswith(f"It came back {clock(at)}. {why}")


def test_it_says_why_a_message_failed_and_after_how_many_tries() -> None:
    campaign = campaign_of()
    once = DeliveryFactory(campaign=campaign, status="failed", code="invalid_address", attempts=1)
    often = DeliveryFactory(campaign=campaign, status="failed", code="provider_error", attempts=4)
    assert answer_about(once).sentence == (
        "Failed for good. The provider says that this address is not valid."
    )
    assert answer_about(often) == Answer(
        "email",
        "failed:provider_error",
        "Failed for good after 4 tries. The provider reported an error of its own.",
    )


def test_it_says_why_a_message_was_skipped_or_cancelled() -> None:
    skipped = DeliveryFactory(campaign=campaign_of(), status="skipped", code="contacted_recently")
    cancelled = DeliveryFactory(
        campaign=campaign_of("cancelled"), status="cancelled", code="campaign_cancelled"
    )
    assert answer_about(skipped).sentence.startswith("Nothing was sent. Has had enough messages")
    between_tries = DeliveryFactory(
        campaign=campaign_of(), status="skipped", code="unsubscribed", attempts=1
    )
    assert answer_about(between_tries).sentence.startswith("Was not tried again. Unsubscribed")
    assert answer_about(cancelled).sentence == (
        "Was not sent. The campaign was cancelled before this message left."
    )


def test_it_says_whether_a_person_has_to_decide_about_a_message() -> None:
    campaign = CampaignFactory(status="sending", sent_at=in_minutes(-9))
    customer = CustomerFactory()
    for channel in ("email", "sms"):
        DeliveryFactory(
            campaign=campaign,
            customer=customer,
            channel=channel,
            status="unconfirmed",
            code="no_answer",
            not_before=in_minutes(15),
        )
    email, sms = explain(campaign, customer)
    assert email.sentence.endswith(f"It is tried again by itself {clock(in_minutes(15))}.")
    assert sms.sentence.endswith(
        "A person decides on the campaign's page whether it is sent again."
    )
    assert "it may have arrived" in sms.sentence


def test_it_says_what_a_message_waits_for() -> None:
    campaign = campaign_of()
    turn = DeliveryFactory(campaign=campaign)
    quiet = DeliveryFactory(campaign=campaign, code="quiet_hours", not_before=in_minutes(60))
    later = DeliveryFactory(
        campaign=campaign, code="provider_error", attempts=1, not_before=in_minutes(4)
    )
    assert answer_about(turn).sentence == "Waits for its turn."
    assert answer_about(quiet).sentence.endswith(
        f"It leaves {clock(in_minutes(60))} at the earliest."
    )
    assert answer_about(later).sentence == (
        "Waits. The provider reported an error of its own. "
        f"It is tried again {clock(in_minutes(4))}, as try 2 of 4."
    )


def test_it_says_what_holds_the_whole_campaign_up() -> None:
    paused = DeliveryFactory(campaign=campaign_of("paused", status_reason="Paused by mia."))
    assert answer_about(paused) == Answer(
        "email",
        "waits:paused",
        "Waits. Paused by mia. Nothing leaves until somebody resumes it.",
    )
    asked = DeliveryFactory(campaign=campaign_of())
    Pace.objects.create(campaign=asked.campaign, channel="email")
    Pace.objects.create(campaign=None, channel="email", not_before=in_minutes(10))
    assert answer_about(asked).code == "waits:provider_asked_to_wait"
    assert clock(in_minutes(10)) in answer_about(asked).sentence


def test_it_says_that_a_campaign_has_no_message_of_the_other_kind() -> None:
    delivery = DeliveryFactory(campaign=campaign_of(), status="sent", sent_at=database_now())
    _, sms = explain(delivery.campaign, delivery.customer)
    assert sms == Answer("sms", "no_message", "This campaign has no text.")


# --- there is none --------------------------------------------------------------------------------


def tagged(**fields: object) -> Campaign:
    campaign = campaign_of(target_all=False, **fields)
    campaign.target_segments.set(ensure_segments(["vip", "lunch"]).values())
    campaign.excluded_segments.set(ensure_segments(["staff"]).values())
    return campaign


def test_it_names_the_tags_that_are_missing() -> None:
    sentence = why(tagged(), CustomerFactory(tags=["students"]))
    assert sentence == "Not in the audience: has none of the tags “lunch”, “vip”."


def test_it_names_the_tag_that_is_excluded() -> None:
    sentence = why(tagged(), CustomerFactory(tags=["vip", "staff"]))
    assert sentence == "Left out: has the tag “staff”, which this campaign excludes."


def test_it_says_that_somebody_came_later() -> None:
    customer = CustomerFactory(tags=["vip"])
    campaign = tagged(sent_at=in_minutes(-60))
    assert why(campaign, customer).startswith("Came to the list at ")
    assert clock(in_minutes(-60)) in why(campaign, customer)


def test_it_says_that_tags_have_changed_since() -> None:
    customer, other = CustomerFactory(tags=["lunch"]), CustomerFactory(tags=["vip"])
    CustomerTag.objects.filter(customer=customer).delete()
    campaign = tagged(status="queued")
    while freeze_next_batch(campaign_id=campaign.pk):
        pass
    Campaign.objects.update(status="completed")
    campaign.refresh_from_db()
    CustomerTag.objects.create(customer=customer, segment=ensure_segments(["vip"])["vip"])
    assert "their tags have changed since" in why(campaign, customer)
    assert explain(campaign, other)[0].code == "waits:turn"


def test_it_says_that_somebody_was_erased_before() -> None:
    customer = CustomerFactory()
    erase_customer(customer_id=customer.pk, source="test")
    customer.refresh_from_db()
    assert why(campaign_of(), customer).startswith("Was erased at ")


def test_it_says_that_the_audience_is_still_being_written_down() -> None:
    customer = CustomerFactory()
    assert why(campaign_of("queued"), customer).startswith("The audience is still being written")
    assert why(campaign_of("cancelled"), customer).startswith("The campaign ended before")


def test_it_says_what_a_campaign_would_do_that_is_not_sent_yet() -> None:
    campaign = CampaignFactory(status="draft")
    customer = CustomerFactory(sms_subscribed=False)
    assert why(campaign, customer) == (
        "This campaign has not been sent yet. The email would be sent. "
        "No text: Unsubscribed, or never agreed to messages of this kind."
    )
    campaign.target_all = False
    campaign.save()
    assert "Not in the audience" in why(campaign, customer)


# --- many campaigns -------------------------------------------------------------------------------


def test_it_explains_the_campaigns_that_were_sent_last() -> None:
    customer = CustomerFactory()
    old, new = (campaign_of("completed", sent_at=in_minutes(m)) for m in (60, 90))
    CampaignFactory(status="draft")
    CampaignFactory(status="scheduled", scheduled_for=in_minutes(9))
    assert [e.campaign for e in explain_recent(customer, most=5)] == [new, old]
    assert [e.campaign for e in explain_recent(customer, most=1)] == [new]


def test_the_number_of_queries_does_not_grow_with_campaigns() -> None:
    customer = CustomerFactory(tags=["vip"])

    def campaigns() -> list[Campaign]:
        listed = [campaign_of(), tagged(), campaign_of("paused"), tagged(status="completed")]
        for campaign in listed[:2]:
            Pace.objects.create(campaign=campaign, channel="email")
            DeliveryFactory(campaign=campaign, customer=customer)
        return listed

    first = campaigns()
    with CaptureQueriesContext(connection) as few:
        explain_campaigns(first, customer)
    many = first + [campaign for _ in range(4) for campaign in campaigns()]
    with CaptureQueriesContext(connection) as more:
        assert len(explain_campaigns(many, customer)) == 20
    assert len(more) == len(few)
