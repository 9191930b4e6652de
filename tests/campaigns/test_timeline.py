from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.finishing import Plan, Span
from campaigns.timeline import LEAST_WIDTH, MOST_PIECES, draw_timeline

START = datetime(2030, 7, 1, 10, tzinfo=UTC)


def hour(n: float) -> datetime:
    return START + timedelta(hours=n)


def plan(*spans: tuple[float, float]) -> Plan:
    return Plan(hour(spans[-1][1]), tuple(Span(hour(a), hour(b)) for a, b in spans))


def test_both_channels_share_one_axis() -> None:
    drawn = draw_timeline(start=START, plans={"email": plan((0, 1)), "sms": plan((2, 3), (9, 10))})
    assert (drawn.start, drawn.end) == (START, hour(10))
    email, sms = drawn.lines
    assert [(piece.left, piece.width) for piece in email.pieces] == [(0, 10)]
    assert [(piece.left, piece.width) for piece in sms.pieces] == [(20, 10), (90, 10)]
    assert (email.end, sms.end) == (10, 100)
    assert drawn.midnights == ()


def test_midnights_are_those_of_the_business() -> None:
    (midnight,) = draw_timeline(start=START, plans={"sms": plan((0, 24))}).midnights
    assert midnight.at == datetime(2030, 7, 1, 22, tzinfo=UTC)  # in Berlin
    assert midnight.left == pytest.approx(50)


@pytest.mark.parametrize("plans", [{}, {"email": Plan(START)}, {"email": Plan(None)}])
def test_nothing_is_drawn_of_what_nobody_knows(plans) -> None:
    assert draw_timeline(start=START, plans=plans) is None


@given(st.lists(st.tuples(st.floats(0.01, 40), st.floats(0.01, 40)), min_size=1, max_size=400))
def test_it_stays_within_the_axis_and_can_be_seen(gaps) -> None:
    spans, at = [], 0.0
    for gap, length in gaps:
        spans.append((at + gap, at + gap + length))
        at += gap + length
    drawn = draw_timeline(start=START, plans={"sms": plan(*spans)})
    pieces = drawn.lines[0].pieces
    assert 1 <= len(pieces) <= MOST_PIECES
    assert drawn.lines[0].end == 100
    for piece in pieces:
        assert piece.width >= LEAST_WIDTH
        assert piece.left >= 0
        assert piece.left + piece.width <= 100 + 1e-6
    assert len(drawn.midnights) <= 7
