"""What a clock on the wall shows, and when (M-10)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from config.errors import DomainError
from config.times import moment_of, read_wall_time, say_twice

BERLIN = ZoneInfo("Europe/Berlin")


def test_an_ordinary_time_is_one_moment() -> None:
    found = moment_of(datetime(2026, 11, 30, 10), BERLIN)
    assert (found.moment, found.skipped, found.twice) == (
        datetime(2026, 11, 30, 9, tzinfo=UTC),
        False,
        False,
    )


def test_a_time_that_clocks_jump_over_is_the_first_after_it() -> None:
    found = moment_of(datetime(2027, 3, 28, 2, 30), BERLIN)
    assert (found.moment, found.skipped) == (datetime(2027, 3, 28, 1, tzinfo=UTC), True)
    assert not moment_of(datetime(2027, 3, 28, 3), BERLIN).skipped
    assert not moment_of(datetime(2027, 3, 28, 1, 59), BERLIN).skipped


def test_a_time_that_comes_twice_is_the_first() -> None:
    found = moment_of(datetime(2026, 10, 25, 2, 30), BERLIN)
    assert (found.moment, found.twice) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True)


def test_what_is_typed_is_refused_with_the_time_to_choose_instead() -> None:
    with pytest.raises(DomainError) as refused:
        read_wall_time(datetime(2027, 3, 28, 2, 30))
    assert refused.value.code == "no_such_time"
    assert "28 March 2027 there is no 02:30 in Europe/Berlin" in refused.value.message
    assert "choose 03:00" in refused.value.message


@pytest.mark.parametrize("wall", [datetime.min, datetime.max])
def test_a_time_at_the_ends_of_the_calendar_is_no_traceback(wall, settings) -> None:
    settings.TIME_ZONE = "Europe/Berlin" if wall == datetime.min else "America/New_York"
    with pytest.raises(DomainError, match="not possible"):
        read_wall_time(wall)


def test_it_says_which_of_two_a_moment_is() -> None:
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    assert "the first 02:30 of that day" in say_twice(first)
    assert "the second 02:30 of that day" in say_twice(second)
    assert say_twice(datetime(2026, 10, 26, 0, 30, tzinfo=UTC)) == ""
