from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import health
from campaigns.delivery import outbox
from campaigns.health import BEAT, SWEEPER, beat_heart
from campaigns.live import live_states
from campaigns.models import Campaign, Heartbeat, Pace
from campaigns.moments import readable_moment
from campaigns.standstill import Notice, Severity, notices_for
from config.clock import database_now
from tests.factories import CampaignFactory, DeliveryFactory

pytestmark = pytest.mark.django_db

CALM, TROUBLE, DECIDE = Severity.CALM, Severity.TROUBLE, Severity.DECIDE


@pytest.fixture(autouse=True)
def at_work(db) -> None:
    """Worker and beat have just been seen."""
    cache.clear()
    beat_heart(SWEEPER)
    beat_heart(BEAT)


def under_way(status: str = "sending", **fields: object) -> Campaign:
    campaign = CampaignFactory(status=status, sent_at=database_now(), **fields)
    for channel in campaign.channels:
        Pace.objects.create(campaign=campaign, channel=channel)
    return campaign


def notices_of(campaign: Campaign) -> list[Notice]:
    campaign.refresh_from_db()
    return notices_for([campaign])[campaign.pk]


def keys_of(campaign: Campaign) -> list[tuple[str, str]]:
    return [(notice.key, notice.severity) for notice in notices_of(campaign)]


def silence(*parts: str, seconds: int = 200) -> None:
    long_ago = database_now() - timedelta(seconds=seconds)
    Heartbeat.objects.filter(name__in=parts).update(at=long_ago)


def in_minutes(minutes: float) -> datetime:
    return database_now() + timedelta(minutes=minutes)


def clock(moment: datetime) -> str:
    return readable_moment(moment, now=database_now())


# --- nothing to say -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["draft", "queued", "sending", "completed", "cancelled"])
def test_it_is_silent_while_all_is_well(status) -> None:
    campaign = under_way(status)
    DeliveryFactory(campaign=campaign)
    assert notices_of(campaign) == []


# --- paused and failed ----------------------------------------------------------------------------


def test_it_says_who_paused_a_campaign_and_what_to_do() -> None:
    (notice,) = notices_of(under_way("paused", status_reason="Paused by mia."))
    assert (notice.code, notice.severity) == ("paused", CALM)
    assert notice.sentence == "Paused by mia. Nothing leaves until somebody resumes it."


def test_a_campaign_that_paused_by_itself_waits_for_a_person() -> None:
    campaign = under_way("paused", status_reason="Paused by itself: 20 emails in a row failed.")
    Pace.objects.filter(campaign=campaign, channel="sms").update(stop_code="many_failures")
    (notice,) = notices_of(campaign)
    assert (notice.code, notice.severity) == ("paused_by_itself", DECIDE)
    assert notice.sentence == "Paused by itself: 20 emails in a row failed."


def test_it_says_why_a_campaign_could_not_run() -> None:
    (notice,) = notices_of(under_way("failed", status_reason="Nobody was left."))
    assert (notice.code, notice.severity) == ("could_not_run", DECIDE)
    assert notice.sentence.startswith("It could not run: Nobody was left. Mend")


# --- waiting --------------------------------------------------------------------------------------


def test_it_counts_the_texts_that_wait_for_the_day_and_says_when_the_next_leaves() -> None:
    campaign = under_way()
    for minutes in (90, 60):
        DeliveryFactory(
            campaign=campaign, channel="sms", code="quiet_hours", not_before=in_minutes(minutes)
        )
    DeliveryFactory(campaign=campaign, channel="sms", code="quiet_hours")  # may leave now
    (notice,) = notices_of(campaign)
    assert (notice.key, notice.severity) == ("quiet_hours:sms", CALM)
    assert notice.sentence.startswith("2 texts wait because it is too early or too late")
    assert notice.sentence.endswith(f"leaves by itself {clock(in_minutes(60))}.")


def test_it_counts_what_waits_for_its_next_try() -> None:
    campaign = under_way()
    for code in ("provider_error", "provider_unreachable"):
        DeliveryFactory(campaign=campaign, code=code, attempts=1, not_before=in_minutes(4))
    DeliveryFactory(campaign=campaign, code="slow_down", not_before=in_minutes(1))
    (notice,) = notices_of(campaign)
    assert (notice.key, notice.severity) == ("next_try:email", CALM)
    assert notice.sentence == (
        "2 emails did not get through and are tried again by themselves, "
        f"the next {clock(in_minutes(4))}."
    )


def test_a_paused_campaign_says_nothing_about_times_that_do_not_hold() -> None:
    campaign, sending = under_way("paused"), under_way()
    DeliveryFactory(campaign=campaign, code="provider_error", not_before=in_minutes(4))
    Pace.objects.create(campaign=None, channel="email", not_before=in_minutes(10))
    notices = notices_for([campaign, sending])
    assert [notice.key for notice in notices[campaign.pk]] == ["paused"]


def test_it_says_until_when_a_provider_asked_to_wait() -> None:
    campaign = under_way()
    DeliveryFactory(campaign=campaign, channel="email")
    Pace.objects.create(campaign=None, channel="email", not_before=in_minutes(10))
    Pace.objects.create(campaign=None, channel="sms", not_before=in_minutes(10))  # none waits
    (notice,) = notices_of(campaign)
    assert (notice.key, notice.severity) == ("provider_asked_to_wait:email", CALM)
    assert clock(in_minutes(10)) in notice.sentence
    Pace.objects.filter(campaign=None).update(not_before=in_minutes(-1))
    assert notices_of(campaign) == []


# --- unconfirmed ----------------------------------------------------------------------------------


def test_unconfirmed_texts_wait_for_a_person() -> None:
    campaign = under_way("completed")
    DeliveryFactory.create_batch(2, campaign=campaign, channel="sms", status="unconfirmed")
    (notice,) = notices_of(campaign)
    assert (notice.key, notice.severity) == ("unconfirmed:sms", DECIDE)
    assert notice.sentence == (
        "2 texts may or may not have arrived. A second text costs money, so a person decides: "
        "send again, count as sent, or give up."
    )


def test_unconfirmed_emails_are_tried_again_by_themselves() -> None:
    campaign = under_way()
    DeliveryFactory(campaign=campaign, status="unconfirmed", not_before=in_minutes(15))
    (notice,) = notices_of(campaign)
    assert (notice.key, notice.severity) == ("unconfirmed_retried:email", CALM)
    assert notice.sentence.endswith(f"It is tried again by itself {clock(in_minutes(15))}.")


def test_emails_wait_for_a_person_too_where_the_policy_says_so(settings) -> None:
    settings.UNCONFIRMED_POLICY = {"email": "wait", "sms": "wait"}
    campaign = under_way()
    DeliveryFactory(campaign=campaign, status="unconfirmed", not_before=in_minutes(15))
    assert keys_of(campaign) == [("unconfirmed:email", DECIDE)]


def test_nobody_retries_the_unconfirmed_of_a_campaign_that_is_over() -> None:
    campaign = under_way("completed")
    DeliveryFactory(campaign=campaign, status="unconfirmed")
    assert outbox.retry_unconfirmed() == 0
    assert keys_of(campaign) == [("unconfirmed:email", DECIDE)]


def test_a_cancelled_campaign_asks_for_nothing_and_offers_no_second_message() -> None:
    campaign = under_way("cancelled")
    DeliveryFactory(campaign=campaign, channel="sms", status="unconfirmed")
    (notice,) = notices_of(campaign)
    assert notice.severity == CALM
    assert "send again" not in notice.sentence


# --- what every campaign needs --------------------------------------------------------------------


def test_it_says_that_nobody_is_at_work() -> None:
    campaign = under_way()
    silence(SWEEPER, BEAT, seconds=59)
    assert notices_of(campaign) == []
    silence(SWEEPER, BEAT, seconds=200)
    (notice,) = notices_of(campaign)
    assert (notice.code, notice.severity) == ("no_worker", TROUBLE)
    assert "for 3 minutes" in notice.sentence
    assert "Tell whoever runs Handbill" in notice.sentence
    Heartbeat.objects.all().delete()
    assert "at work yet. Nothing is lost" in notices_of(campaign)[0].sentence


def test_it_says_that_beat_is_away() -> None:
    campaign = under_way()
    silence(BEAT)
    assert keys_of(campaign) == [("beat_away", TROUBLE)]


def test_it_says_that_the_broker_is_away_rather_than_what_follows_from_it(settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    campaign = under_way()
    silence(SWEEPER, BEAT)
    assert keys_of(campaign) == [("broker_away", TROUBLE)]


def test_the_broker_is_asked_only_in_doubt_and_not_again_at_once(settings, monkeypatch) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    asked = []

    class Away:
        def ping(self) -> None:
            asked.append(1)
            raise redis.ConnectionError

        def close(self) -> None: ...

    def connect(url: str, **options: float) -> Away:
        assert options["socket_connect_timeout"] <= 1
        assert options["socket_timeout"] <= 1
        return Away()

    monkeypatch.setattr(health.redis.Redis, "from_url", connect)
    campaign = under_way()
    notices_of(campaign)
    assert asked == []
    silence(BEAT)
    for _ in range(3):
        assert keys_of(campaign) == [("broker_away", TROUBLE)]
    assert asked == [1]


@pytest.mark.parametrize("status", ["draft", "paused", "completed", "cancelled"])
def test_a_campaign_that_needs_nobody_does_not_complain_about_it(status) -> None:
    campaign = under_way(status)
    silence(SWEEPER, BEAT)
    assert {notice.severity for notice in notices_of(campaign)} <= {CALM}


# --- not started ----------------------------------------------------------------------------------


def test_it_says_that_a_scheduled_campaign_has_not_started() -> None:
    campaign = CampaignFactory(status="scheduled", scheduled_for=in_minutes(-0.5))
    assert notices_of(campaign) == []
    Campaign.objects.update(scheduled_for=in_minutes(-5))
    (notice,) = notices_of(campaign)
    assert (notice.code, notice.severity) == ("late_start", TROUBLE)
    assert f"was to start {clock(in_minutes(-5))} and has not" in notice.sentence


def test_it_warns_before_a_scheduled_campaign_that_nobody_is_at_work() -> None:
    campaign = CampaignFactory(status="scheduled", scheduled_for=in_minutes(30))
    silence(SWEEPER, BEAT)
    assert keys_of(campaign) == [("no_worker", TROUBLE)]
    Campaign.objects.update(scheduled_for=in_minutes(300))
    assert notices_of(campaign) == []


def test_it_says_that_nobody_has_picked_a_campaign_up() -> None:
    campaign = CampaignFactory(status="queued", sent_at=in_minutes(-3))
    (notice,) = notices_of(campaign)
    assert (notice.code, notice.severity) == ("not_picked_up", TROUBLE)
    assert "for 3 minutes" in notice.sentence
    Campaign.objects.update(total_targeted=5)
    assert notices_of(campaign) == []


# --- all together ---------------------------------------------------------------------------------


def test_what_asks_for_a_person_comes_first() -> None:
    campaign = under_way()
    DeliveryFactory(campaign=campaign, code="provider_error", not_before=in_minutes(4))
    DeliveryFactory(campaign=campaign, channel="sms", status="unconfirmed")
    silence(SWEEPER, BEAT)
    assert [notice.severity for notice in notices_of(campaign)] == [DECIDE, TROUBLE, CALM]


def busy() -> list[Campaign]:
    """A campaign of each kind that has something to say."""
    sending = under_way()
    DeliveryFactory(campaign=sending, code="provider_error", not_before=in_minutes(4))
    DeliveryFactory(campaign=sending, channel="sms", status="unconfirmed")
    DeliveryFactory(campaign=sending, channel="sms", code="quiet_hours", not_before=in_minutes(40))
    return [
        sending,
        under_way("paused"),
        under_way("completed"),
        CampaignFactory(status="queued", sent_at=in_minutes(-3)),
        CampaignFactory(status="scheduled", scheduled_for=in_minutes(-3)),
    ]


def test_the_number_of_queries_does_not_grow_with_campaigns() -> None:
    silence(SWEEPER, BEAT)
    first = busy()
    with CaptureQueriesContext(connection) as few:
        assert sum(map(len, notices_for(first).values())) == 8
    many = first + [campaign for _ in range(5) for campaign in busy()]
    with CaptureQueriesContext(connection) as more:
        notices_for(many)
    assert len(more) == len(few)


def test_drafts_cost_the_question_for_their_series_alone() -> None:
    campaigns = CampaignFactory.create_batch(3)
    with CaptureQueriesContext(connection) as queries:
        notices_for(campaigns)
    (asked,) = [q["sql"] for q in queries if "clock_timestamp" not in q["sql"]]
    assert "campaigns_series" in asked


def test_the_list_says_it_in_few_words_and_no_time_that_does_not_hold() -> None:
    campaign = under_way(send_rate_limit_sms=1)
    rows = DeliveryFactory.create_batch(3, campaign=campaign, channel="sms")
    (state,) = live_states([campaign])
    assert state.detail == "about 3 minutes left"
    for row in rows:
        row.not_before, row.code = in_minutes(60), "quiet_hours"
        row.save()
    (state,) = live_states([campaign])
    assert state.detail == f"3 texts wait for the day: the next {clock(in_minutes(60))}"


# --- moments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 24, 8, 5, tzinfo=UTC), "at 09:05"),
        (datetime(2026, 11, 24, 23, 30, tzinfo=UTC), "tomorrow at 00:30"),
        (datetime(2026, 11, 23, 20, 0, tzinfo=UTC), "yesterday at 21:00"),
        (datetime(2026, 12, 3, 7, 0, tzinfo=UTC), "on 3 Dec at 08:00"),
        (datetime(2027, 1, 3, 7, 0, tzinfo=UTC), "on 3 Jan 2027 at 08:00"),
    ],
)
def test_it_says_a_moment_as_people_do(moment, text) -> None:
    assert readable_moment(moment, now=datetime(2026, 11, 24, 12, 0, tzinfo=UTC)) == text
