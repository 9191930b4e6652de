"""Texts leave by the clock on their customer's wall (D-10)."""

import uuid
from datetime import UTC, datetime, time

import pytest

from campaigns.delivery import outbox
from campaigns.delivery.quiet_hours import quiet_until
from campaigns.models import Delivery
from config.clock import database_now
from customers.models import Customer
from tests.campaigns.delivery.lanes import lane_of, sending

DAY = (time(8), time(21))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "now", "opens"),
    [
        # TIME_ZONE of the tests is Europe/Berlin.
        ("", "2026-07-01 05:59", "2026-07-01 06:00"),
        ("", "2026-07-01 06:00", None),
        ("", "2026-07-01 18:59", None),
        ("", "2026-07-01 19:00", "2026-07-02 06:00"),
        ("", "2026-12-01 06:59", "2026-12-01 07:00"),
        ("America/New_York", "2026-07-01 11:59", "2026-07-01 12:00"),
        ("America/New_York", "2026-07-02 00:59", None),  # 20:59 of the day before
        ("America/New_York", "2026-07-02 01:00", "2026-07-02 12:00"),
        ("Asia/Tokyo", "2026-07-01 12:00", "2026-07-01 23:00"),  # 21:00 there
        ("Asia/Kathmandu", "2026-07-01 02:14", "2026-07-01 02:15"),
        # The night in which Berlin's clocks go forward, and the one in which they go back.
        ("Europe/Berlin", "2026-03-28 21:00", "2026-03-29 06:00"),
        ("Europe/Berlin", "2026-10-24 20:00", "2026-10-25 07:00"),
        # An import took it, but nobody knows such a place: the business's zone.
        ("Mars/Olympus", "2026-07-01 05:59", "2026-07-01 06:00"),
        ("../../etc/passwd", "2026-07-01 05:59", "2026-07-01 06:00"),
    ],
)
def test_a_text_waits_until_its_customer_is_up(
    settings, zone: str, now: str, opens: str | None
) -> None:
    settings.SMS_SENDING_HOURS = DAY
    found = quiet_until(customer=Customer(time_zone=zone), channel="sms", now=at(now))
    assert found == (at(opens) if opens else None)


def test_an_hour_that_does_not_exist_begins_when_the_clocks_have_changed(settings) -> None:
    settings.SMS_SENDING_HOURS = (time(2, 30), time(21))
    berlin = Customer(time_zone="Europe/Berlin")
    opens = quiet_until(customer=berlin, channel="sms", now=at("2026-03-28 23:00"))
    assert opens == at("2026-03-29 01:30")
    assert quiet_until(customer=berlin, channel="sms", now=opens) is None


def test_an_hour_that_comes_twice_never_opens_in_the_past(settings) -> None:
    settings.SMS_SENDING_HOURS = (time(2, 30), time(21))
    berlin = Customer(time_zone="Europe/Berlin")
    now = at("2026-10-25 01:10")  # 02:10 for the second time
    assert quiet_until(customer=berlin, channel="sms", now=now) == at("2026-10-25 01:30")


def test_emails_leave_at_any_hour_and_so_do_texts_without_hours(settings) -> None:
    night = at("2026-07-01 02:00")
    settings.SMS_SENDING_HOURS = DAY
    assert quiet_until(customer=Customer(), channel="email", now=night) is None
    settings.SMS_SENDING_HOURS = None
    assert quiet_until(customer=Customer(), channel="sms", now=night) is None


def _hours_around(now: datetime, *, open_now: bool) -> tuple[time, time]:
    """Hours in UTC that hold ``now``, or an hour elsewhere in the day."""
    if open_now:
        return time(0), time(23, 59, 59, 999999)
    return (time(12), time(13)) if now.hour < 11 or now.hour > 13 else (time(18), time(19))


@pytest.mark.django_db
def test_a_claim_puts_texts_off_and_costs_no_attempt(settings) -> None:
    campaign = sending(2, "sms")
    Customer.objects.update(time_zone="UTC")
    settings.SMS_SENDING_HOURS = _hours_around(database_now(), open_now=False)
    assert outbox.claim(lane=lane_of(campaign, "sms"), limit=10, token=uuid.uuid4()) == []
    row = Delivery.objects.first()
    assert (row.status, row.code, row.attempts) == ("pending", "quiet_hours", 0)
    assert row.not_before > database_now()
    assert row.not_before.astimezone(UTC).time() == settings.SMS_SENDING_HOURS[0]


@pytest.mark.django_db
def test_a_mark_lets_no_text_leave_that_became_late_after_its_claim(settings) -> None:
    campaign = sending(1, "sms")
    Customer.objects.update(time_zone="UTC")
    settings.SMS_SENDING_HOURS = _hours_around(database_now(), open_now=True)
    lane, token = lane_of(campaign, "sms"), uuid.uuid4()
    (row,) = outbox.claim(lane=lane, limit=10, token=token)
    settings.SMS_SENDING_HOURS = _hours_around(database_now(), open_now=False)
    assert not outbox.mark(lane=lane, ids=[row.pk], units=[1], token=token).attempts
    row.refresh_from_db()
    assert (row.status, row.code, row.attempts) == ("pending", "quiet_hours", 0)
