from datetime import UTC, datetime

import pytest

from campaigns.health import BEAT, SWEEPER, beat_heart
from campaigns.live import live_states, sent_and_failed
from campaigns.moments import readable_span
from tests.factories import CampaignFactory, DeliveryFactory, now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (89, "89 seconds"),
        (90, "2 minutes"),
        (3540, "59 minutes"),
        (3600, "1 hour"),
        (7500, "2 h 5 min"),
        (21_600, "6 hours"),
        (86_400, "1 day"),
        (260_000, "3 days"),
    ],
)
def test_it_says_a_span_as_people_do(seconds, text) -> None:
    assert readable_span(seconds) == text


def test_it_says_how_many_were_sent_and_failed() -> None:
    assert sent_and_failed(0, 0) == "–"
    assert sent_and_failed(4990, 0) == "4,990 sent"
    assert sent_and_failed(4990, 10) == "4,990 sent\n10 failed"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("draft", "Not sent yet"),
        ("scheduled", "Starts 1 Dec 2026, 10:00 (Europe/Berlin)"),
        ("queued", "Getting ready"),
        ("completed", "12 sent"),
        ("failed", "12 sent"),
        ("cancelled", "12 sent, then cancelled"),
    ],
)
def test_it_says_where_a_campaign_is(status, text) -> None:
    campaign = CampaignFactory(
        status=status,
        scheduled_for=datetime(2026, 12, 1, 9, 0, tzinfo=UTC),
        sent_at=now(),
        emails_sent=10,
        sms_sent=2,
    )
    assert live_states([campaign])[0].text == text


@pytest.mark.django_db
def test_it_counts_those_under_way_from_their_deliveries() -> None:
    sending = CampaignFactory(status="sending", sent_at=now())
    paused = CampaignFactory(status="paused", status_reason="Too many failed.", sent_at=now())
    for status in ("sent", "sent", "failed", "unconfirmed", "pending", "skipped"):
        DeliveryFactory(campaign=sending, status=status)
    beat_heart(SWEEPER)
    beat_heart(BEAT)
    first, second = live_states([sending, paused])
    assert (first.text, first.done, first.total) == ("2 / 5 sent", 4, 5)
    assert "1 failed · 1 email unconfirmed, tried again at" in first.detail
    assert second.detail.startswith("Too many failed.")
