"""When a channel is done: a table, and what must hold for any audience, rate and hour."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaigns.delivery.quiet_hours import quiet_until
from campaigns.finishing import Plan, plan_sending, shared_rate
from customers.models import Customer

HOURS = (time(8), time(21))
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", ""]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plan(start: str, waiting: dict[str, int], per_minute: float, hours=HOURS) -> Plan:
    return plan_sending(start=at(start), waiting=waiting, per_minute=per_minute, hours=hours)


@pytest.mark.parametrize(
    ("start", "waiting", "per_minute", "hours", "ends", "spans"),
    [
        ("2030-07-01T10:00", {}, 10, HOURS, "2030-07-01T10:00", 0),
        ("2030-07-01T10:00", {"": 600}, 10, None, "2030-07-01T11:00", 1),
        # In Berlin it is noon, with nine hours until quiet.
        ("2030-07-01T10:00", {"Europe/Berlin": 600}, 10, HOURS, "2030-07-01T11:00", 1),
        # 18 o'clock in Berlin: 1,800 today, the other 1,200 from eight in the morning.
        ("2030-07-01T16:00", {"Europe/Berlin": 3_000}, 10, HOURS, "2030-07-02T08:00", 2),
        # Night in Berlin: it begins in the morning.
        ("2030-07-01T22:00", {"Europe/Berlin": 60}, 10, HOURS, "2030-07-02T06:06", 1),
        # New York wakes at 12 UTC; what is left of Berlin and New York then shares the rate.
        (
            "2030-07-01T10:00",
            {"Europe/Berlin": 600, "America/New_York": 600},
            10,
            HOURS,
            "2030-07-01T13:00",
            2,
        ),
        # Without a limit all of a zone leaves as soon as it is awake.
        ("2030-07-01T22:00", {"Europe/Berlin": 9_999}, 0, HOURS, "2030-07-02T06:00", 1),
        # Clocks go forward on 31 March 2030: that Sunday begins an hour earlier in UTC.
        ("2030-03-30T19:30", {"Europe/Berlin": 600}, 10, HOURS, "2030-03-31T06:30", 2),
        # And back on 27 October.
        ("2030-10-26T18:30", {"Europe/Berlin": 600}, 10, HOURS, "2030-10-27T07:30", 2),
        # A zone that is not one is the business's own, here Berlin.
        ("2030-07-01T20:30", {"Mars/Crater": 600}, 10, HOURS, "2030-07-02T07:00", 1),
    ],
)
def test_when_it_ends(start, waiting, per_minute, hours, ends, spans) -> None:
    planned = plan(start, waiting, per_minute, hours)
    assert planned.ends_at == at(ends)
    assert len(planned.spans) == spans
    assert planned.waits == (spans > 1)


def test_an_end_that_nobody_will_see_is_not_told() -> None:
    assert plan("2030-01-01T10:00", {"": 10_000_000}, 1).ends_at is None
    assert plan("2030-01-01T10:00", {"": 10_000_000}, 1, None).ends_at is None


def test_rare_zones_are_planned_with_the_business() -> None:
    many = {f"Etc/GMT+{n}": 1 for n in range(1, 13)} | {f"Etc/GMT-{n}": 1 for n in range(1, 15)}
    assert plan("2030-07-01T10:00", many, 10).ends_at is not None


hours = st.sampled_from([HOURS, (time(0, 30), time(2, 30)), (time(2, 30), time(3, 15))])
counts = st.dictionaries(st.sampled_from(ZONES), st.integers(0, 5_000), max_size=4)
# Around both changes of the clocks, on both sides of the world.
starts = st.datetimes(datetime(2030, 3, 8), datetime(2030, 11, 6)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(counts, st.floats(0.5, 500), starts, hours)
@example({"Europe/Berlin": 100}, 1.0, at("2030-03-31T00:00"), (time(2, 30), time(3, 15)))
@example({"Europe/Berlin": 100}, 1.0, at("2030-10-27T00:00"), (time(0, 30), time(2, 30)))
@example({"Europe/Berlin": 100}, 1.0, at("2030-10-27T00:00"), (time(2, 30), time(3, 15)))
def test_it_is_never_earlier_than_rate_and_clocks_allow(waiting, rate, start, within) -> None:
    planned = plan_sending(start=start, waiting=waiting, per_minute=rate, hours=within)
    total = sum(waiting.values())
    sending = sum((span.end - span.start).total_seconds() for span in planned.spans)
    if planned.ends_at is not None:
        assert planned.ends_at >= start + timedelta(minutes=total / rate) - timedelta(seconds=1)
        assert sending == pytest.approx(total * 60 / rate, abs=1)
    before = start
    for span in planned.spans:
        assert before <= span.start <= span.end
        before = span.end
    for span in planned.spans[:20]:
        for share in (0.01, 0.5, 0.99):
            moment = span.start + (span.end - span.start) * share
            assert any(_awake(zone, moment, within) for zone, n in waiting.items() if n)


def _awake(zone: str, moment: datetime, within: tuple[time, time]) -> bool:
    from django.test import override_settings

    with override_settings(SMS_SENDING_HOURS=within):
        customer = Customer(time_zone=zone)
        return quiet_until(customer=customer, channel="sms", now=moment) is None


@pytest.mark.parametrize(
    ("messages", "units", "own", "provider", "others", "rate"),
    [
        (1_000, 1, 100, 0, [], 100),
        (1_000, 1, 0, 0, [], 0),
        (1_000, 1, 100, 60, [], 60),
        (1_000, 2, 100, 60, [], 30),
        (1_000, 1, 100, 60, [5_000], 30),
        (1_000, 1, 100, 60, [500], 40),
        (1_000, 1, 20, 60, [5_000], 20),
        (0, 1, 100, 60, [5_000], 100),
    ],
)
def test_the_limit_of_the_provider_is_shared(messages, units, own, provider, others, rate) -> None:
    found = shared_rate(
        messages=messages, units_each=units, own_limit=own, provider_limit=provider, others=others
    )
    assert found == pytest.approx(rate)
