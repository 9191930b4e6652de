"""When a series runs: the right days, the right time on the wall, whatever clocks do (M-10)."""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.series.recurrence import LAST_DAY, Rule, end_of_day, next_runs, rule_in_words

ROME = ZoneInfo("Europe/Rome")
ZONES = [
    "UTC",
    "Europe/Rome",
    "Europe/London",
    "America/New_York",
    "America/Santiago",  # clocks change at midnight
    "America/Nuuk",  # … and here at 23:00, over midnight
    "Australia/Lord_Howe",  # by half an hour
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Pacific/Apia",
]


def weekly(*weekdays: int, at: str = "10:00", zone: str = "Europe/Rome", **columns) -> Rule:
    given = {"starts_on": date(2026, 1, 1), "weekdays": frozenset(weekdays)} | columns
    return Rule(at=time.fromisoformat(at), zone=ZoneInfo(zone), **given)


def monthly(day: int, at: str = "10:00", zone: str = "Europe/Rome", **columns) -> Rule:
    given = {"starts_on": date(2026, 1, 1), "month_day": day} | columns
    return Rule(at=time.fromisoformat(at), zone=ZoneInfo(zone), **given)


def local(rule: Rule, after: str, count: int) -> list[str]:
    runs = next_runs(
        rule, after=datetime.fromisoformat(after).replace(tzinfo=rule.zone), count=count
    )
    return [f"{run.astimezone(rule.zone):%a %Y-%m-%d %H:%M %z}" for run in runs]


def test_every_week_on_several_days_keeps_the_time_on_the_wall_through_both_changes() -> None:
    rule = weekly(0, 3)
    assert local(rule, "2026-10-21", 3) == [
        "Thu 2026-10-22 10:00 +0200",
        "Mon 2026-10-26 10:00 +0100",
        "Thu 2026-10-29 10:00 +0100",
    ]
    assert local(rule, "2027-03-26", 2) == [
        "Mon 2027-03-29 10:00 +0200",
        "Thu 2027-04-01 10:00 +0200",
    ]


def test_the_run_of_now_is_not_a_next_run() -> None:
    rule = weekly(0)
    assert local(rule, "2026-11-30 10:00", 1) == ["Mon 2026-12-07 10:00 +0100"]
    assert local(rule, "2026-11-30 09:59", 1) == ["Mon 2026-11-30 10:00 +0100"]


def test_a_time_that_clocks_jump_over_runs_at_the_first_moment_after_it() -> None:
    assert local(weekly(6, at="02:30"), "2027-03-22", 2) == [
        "Sun 2027-03-28 03:00 +0200",
        "Sun 2027-04-04 02:30 +0200",
    ]


def test_a_time_that_comes_twice_runs_at_the_first_only() -> None:
    assert local(weekly(6, at="02:30"), "2026-10-19", 2) == [
        "Sun 2026-10-25 02:30 +0200",
        "Sun 2026-11-01 02:30 +0100",
    ]
    # In the second of the two hours the run is over.
    assert next_runs(
        weekly(6, at="02:30"), after=datetime(2026, 10, 25, 1, 15, tzinfo=UTC), count=1
    ) == [datetime(2026, 11, 1, 1, 30, tzinfo=UTC)]


def test_clocks_put_forward_over_midnight_make_neither_no_run_nor_two_on_a_day() -> None:
    # In Nuuk the night of Saturday, 27 March 2027 goes from 23:00 to 00:00 on Sunday.
    alone = weekly(5, at="23:30", zone="America/Nuuk")
    assert local(alone, "2027-03-26", 1) == ["Sun 2027-03-28 00:00 -0100"]
    both = weekly(5, 6, at="23:30", zone="America/Nuuk")
    assert local(both, "2027-03-26", 1) == ["Sun 2027-03-28 23:30 -0100"]


def test_a_shorter_month_runs_on_its_last_day() -> None:
    assert local(monthly(31), "2027-01-01", 4) == [
        "Sun 2027-01-31 10:00 +0100",
        "Sun 2027-02-28 10:00 +0100",
        "Wed 2027-03-31 10:00 +0200",
        "Fri 2027-04-30 10:00 +0200",
    ]
    assert [run[4:14] for run in local(monthly(29), "2028-01-30", 2)] == [
        "2028-02-29",
        "2028-03-29",
    ]
    assert [run[4:14] for run in local(monthly(29), "2027-01-30", 2)] == [
        "2027-02-28",
        "2027-03-29",
    ]


def test_it_runs_from_its_first_day_to_its_last_both_included() -> None:
    rule = weekly(0, starts_on=date(2026, 11, 30), ends_on=date(2026, 12, 14))
    assert [run[4:14] for run in local(rule, "2026-01-01", 9)] == [
        "2026-11-30",
        "2026-12-07",
        "2026-12-14",
    ]
    assert local(rule, "2026-12-14 10:00", 9) == []


def test_it_ends_with_the_calendar() -> None:
    rule = monthly(LAST_DAY, starts_on=date(9999, 11, 1))
    runs = next_runs(rule, after=datetime(9999, 11, 1, tzinfo=UTC), count=9)
    assert [run.month for run in runs] == [11]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (weekly(0), "Every Monday at 10:00, Europe/Rome"),
        (weekly(3, 0), "Every Monday and Thursday at 10:00, Europe/Rome"),
        (weekly(0, 2, 4, at="18:05"), "Every Monday, Wednesday and Friday at 18:05, Europe/Rome"),
        (weekly(*range(7)), "Every day at 10:00, Europe/Rome"),
        (monthly(1), "Every month on the 1st at 10:00, Europe/Rome"),
        (
            monthly(29),
            "Every month on the 29th (the last day where a month is shorter) at 10:00, Europe/Rome",
        ),
        (monthly(31), "Every month on the last day at 10:00, Europe/Rome"),
    ],
)
def test_it_says_in_words_when_it_runs(rule, words) -> None:
    assert rule_in_words(rule) == words


def test_the_end_of_a_day_is_the_last_moment_before_the_next() -> None:
    noon = datetime(2026, 11, 30, 11, tzinfo=UTC)
    assert end_of_day(noon, ROME) == datetime(2026, 11, 30, 22, 59, 59, 999_999, tzinfo=UTC)


# --- for any rule ---------------------------------------------------------------------------------

times = st.times().map(lambda t: t.replace(second=0, microsecond=0))
small_hours = st.builds(time, st.sampled_from([0, 1, 2, 3, 23]), st.sampled_from([0, 15, 30, 45]))
zones = st.sampled_from(ZONES).map(ZoneInfo)
starts = st.dates(date(2026, 1, 1), date(2032, 1, 1))
weekly_rules = st.builds(
    Rule,
    at=times | small_hours,
    zone=zones,
    starts_on=starts,
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
)
monthly_rules = st.builds(
    Rule, at=times | small_hours, zone=zones, starts_on=starts, month_day=st.integers(1, 31)
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))


def exists(wall: datetime, zone: ZoneInfo) -> bool:
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall


@given(weekly_rules | monthly_rules, moments, st.integers(1, 120))
@example(weekly(5, 6, at="23:30", zone="America/Nuuk"), datetime(2027, 3, 1, tzinfo=UTC), 20)
@example(weekly(*range(7), at="02:30"), datetime(2027, 3, 20, tzinfo=UTC), 20)
@example(weekly(*range(7), at="02:30"), datetime(2026, 10, 20, tzinfo=UTC), 20)
@example(monthly(31, at="00:30", zone="America/Santiago"), datetime(2026, 1, 1, tzinfo=UTC), 60)
@settings(max_examples=300, deadline=None)
def test_any_rule_runs_on_its_days_at_its_time_once(rule, after, count) -> None:
    runs = next_runs(rule, after=after, count=count)
    assert len(runs) == count
    assert all(run > after and run.tzinfo is UTC for run in runs)
    assert all(earlier < later for earlier, later in pairwise(runs))
    days = [run.astimezone(rule.zone).date() for run in runs]
    assert len(set(days)) == count  # never two on a day
    for run in runs:
        shown = run.astimezone(rule.zone).replace(tzinfo=None)
        if rule.runs_on(shown.date()) and shown.time() == rule.at:
            # Of two such moments it is the first.
            assert run.astimezone(rule.zone).fold == 0
            continue
        # Else clocks jumped over it: the first moment after the gap.
        day = shown.date() if rule.runs_on(shown.date()) else shown.date() - timedelta(days=1)
        assert rule.runs_on(day)
        assert not exists(datetime.combine(day, rule.at), rule.zone)
        just_before = (run - timedelta(seconds=1)).astimezone(rule.zone).replace(tzinfo=None)
        assert just_before < datetime.combine(day, rule.at) <= shown


@given(weekly_rules | monthly_rules, moments)
@settings(max_examples=100, deadline=None)
def test_any_rule_leaves_out_no_day(rule, after) -> None:
    """Told from the calendar alone, a day at a time."""
    runs = next_runs(rule, after=after, count=12)
    got = {run.astimezone(rule.zone).date() for run in runs}
    day = max(rule.starts_on, after.astimezone(rule.zone).date() + timedelta(days=1))
    while day < max(got):
        if rule.month_day is None:
            wanted = day.weekday() in rule.weekdays
        else:
            length = calendar.monthrange(day.year, day.month)[1]
            wanted = day.day == min(rule.month_day, length)
        if wanted:
            exists_then = exists(datetime.combine(day, rule.at), rule.zone)
            assert day in got or not exists_then
        day += timedelta(days=1)


@given(weekly_rules | monthly_rules, moments, st.integers(2, 30))
@settings(max_examples=100, deadline=None)
def test_any_rule_gives_the_same_runs_one_by_one(rule, after, count) -> None:
    together = next_runs(rule, after=after, count=count)
    one_by_one = []
    for _ in range(count):
        (run,) = next_runs(rule, after=one_by_one[-1] if one_by_one else after, count=1)
        one_by_one.append(run)
    assert one_by_one == together
