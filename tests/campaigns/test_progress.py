"""The time left: what the rates and the customers' nights make of it."""

from datetime import time, timedelta

import pytest
from django.utils import timezone

from campaigns.models import Campaign, Pace
from campaigns.progress import progress_of
from tests.factories import CampaignFactory, CustomerFactory, DeliveryFactory, now

pytestmark = pytest.mark.django_db


def texting(waiting: int = 3, **fields) -> Campaign:
    fields = {"status": "sending", "sent_at": now(), "send_rate_limit_sms": 60} | fields
    campaign = CampaignFactory(email_content="", **fields)
    Pace.objects.create(campaign=campaign, channel="sms")
    for _ in range(waiting):
        DeliveryFactory(campaign=campaign, channel="sms")
    return campaign


def seconds_left(campaign: Campaign) -> int | None:
    return progress_of([campaign])[0].seconds_left


def hours_around(offset: int) -> tuple[time, time]:
    """Hours that hold now (0) or are over or not yet begun."""
    local = timezone.localtime()
    if offset == 0:
        return time(0), time(23, 59, 59)
    return (time(0), time(local.hour - 1)) if local.hour > 1 else (time(22), time(23))


def test_without_sending_hours_it_is_the_rate(settings) -> None:
    settings.SMS_SENDING_HOURS = None
    assert seconds_left(texting()) == 3


def test_within_them_too(settings) -> None:
    settings.SMS_SENDING_HOURS = hours_around(0)
    assert seconds_left(texting()) in {3, 4, 5}


def test_a_night_is_waited_for(settings) -> None:
    settings.SMS_SENDING_HOURS = hours_around(1)
    left = seconds_left(texting())
    begins = timezone.localtime().replace(
        hour=settings.SMS_SENDING_HOURS[0].hour, minute=0, second=0, microsecond=0
    )
    if begins < timezone.localtime():
        begins += timedelta(days=1)
    assert left == pytest.approx((begins - timezone.localtime()).total_seconds() + 3, abs=3_700)
    assert left > 3


def test_emails_know_no_night(settings) -> None:
    settings.SMS_SENDING_HOURS = hours_around(1)
    campaign = CampaignFactory(status="sending", sent_at=now(), sms_content="")
    Pace.objects.create(campaign=campaign, channel="email")
    DeliveryFactory(campaign=campaign)
    assert seconds_left(campaign) in {0, 1}


def test_more_campaigns_take_no_more_queries(settings, django_assert_num_queries) -> None:
    settings.SMS_SENDING_HOURS = hours_around(0)
    CustomerFactory()
    campaigns = [texting(1) for _ in range(5)]
    # Deliveries, paces, and where on earth they live.
    with django_assert_num_queries(3 + (1 if _asks_for_time() else 0)):
        progress_of(campaigns)
    with django_assert_num_queries(2 + (1 if _asks_for_time() else 0)):
        progress_of(campaigns)


def _asks_for_time() -> bool:
    from django.db import connection

    return connection.vendor == "postgresql"
