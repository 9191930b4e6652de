"""The ring, simulated: workers with clocks of the database, calls of any length, crashes."""

import heapq
import random
from dataclasses import dataclass, field

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.pacing import Charge, Lane, Ring, lock_permits, settle_charge
from campaigns.models import Pace
from config.clock import database_now
from tests.factories import CampaignFactory
from tests.flows.business import most_in_a_window

WINDOW = 60.0
HORIZON = 32.0
TIMEOUT = 20.0


@dataclass
class Simulation:
    """``workers`` senders share one ring; each marks a group, calls, and settles."""

    limit: int
    workers: int
    group: int
    delay: "random.Random"
    slowest: float
    crash: float = 0.0
    ring: Ring = field(init=False)
    arrivals: list[float] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        self.ring = Ring(limit=self.limit, window=WINDOW)
        # (time, order, event): "ask" marks and calls, "end" settles
        events = [(0.0, worker, "ask", 0, 0) for worker in range(self.workers)]
        order = self.workers
        while events:
            now, _, event, bucket, taken = heapq.heappop(events)
            if now > seconds:
                return
            order += 1
            if event == "end":
                self.ring.settle(taken, bucket=bucket, now=now)
            taken = min(self.group, self.ring.free(now))
            if not taken:
                pause = min(0.25, self.ring.wait(now))
                heapq.heappush(events, (now + pause, order, "ask", 0, 0))
                continue
            bucket = self.ring.take(taken, now=now, horizon=HORIZON)
            length = min(TIMEOUT, self.delay.random() ** 4 * self.slowest)
            # Every message arrives somewhere between the mark and the end of its call.
            self.arrivals += [now + self.delay.random() * length for _ in range(taken)]
            if self.delay.random() < self.crash:
                heapq.heappush(events, (now + length, order, "ask", 0, 0))
            else:
                heapq.heappush(events, (now + length, order, "end", bucket, taken))


@given(
    limit=st.integers(1, 3000),
    workers=st.integers(1, 12),
    group=st.sampled_from([1, 10, 100]),
    seed=st.integers(0, 2**32),
    slowest=st.sampled_from([0.05, 1.0, 15.0, 20.0]),
    crash=st.sampled_from([0.0, 0.0, 0.05]),
)
@settings(max_examples=25, deadline=None)
def test_no_rolling_window_at_the_receiver_holds_more_than_the_limit(
    limit: int, workers: int, group: int, seed: int, slowest: float, crash: float
) -> None:
    simulation = Simulation(limit, workers, group, random.Random(seed), slowest, crash)
    simulation.run(150)
    assert simulation.arrivals
    assert most_in_a_window(simulation.arrivals, WINDOW) <= limit


@pytest.mark.parametrize(
    ("limit", "share"), [(10, 0.90), (60, 0.90), (100, 0.95), (600, 0.95), (3000, 0.95)]
)
@pytest.mark.parametrize("workers", [1, 8])
def test_a_backlog_uses_nearly_all_of_the_limit(limit: int, share: float, workers: int) -> None:
    simulation = Simulation(limit, workers, 10, random.Random(7), slowest=0.4)
    simulation.run(240)
    used = sum(1 for time in simulation.arrivals if 60 <= time < 240) / (limit * 3)
    assert share <= used <= 1


@pytest.mark.parametrize("limit", [10, 100, 1200])
def test_messages_leave_gradually(limit: int) -> None:
    """At most five seconds' worth at once, and never less than one message."""
    ring = Ring(limit=limit, window=WINDOW)
    assert ring.free(1000.0) == max(1, limit * 5 // 60)
    ring.take(ring.free(1000.0), now=1000.0, horizon=HORIZON)
    assert ring.free(1000.0) == 0


def test_permits_of_a_dead_worker_age_out() -> None:
    ring = Ring(limit=12, window=WINDOW)
    for second in range(60):
        if ring.free(1000.0 + second):
            ring.take(1, now=1000.0 + second, horizon=HORIZON)
    assert ring.room(1060.0) == 0
    # What was being called at 1000 may have arrived as late as 1020: it counts until 1080.
    assert ring.room(1000.0 + TIMEOUT + WINDOW - 1) == 0
    after = 1060.0 + HORIZON + WINDOW + 1
    ring.prune(after)
    assert ring.room(after) == 12
    assert ring.counts == {}


def test_wait_is_exact() -> None:
    ring = Ring(limit=60, window=WINDOW)
    now = 1000.0
    for _ in range(200):
        wait = ring.wait(now)
        if wait:
            assert not ring.free(now + wait - 0.002)
            now += wait + 0.0005
        assert ring.free(now)
        bucket = ring.take(1, now=now, horizon=HORIZON)
        ring.settle(1, bucket=bucket, now=now)


def test_a_text_of_many_segments_leaves_when_the_window_has_room_for_all_of_it() -> None:
    ring = Ring(limit=10, window=WINDOW)
    assert ring.count_fitting([3, 1], 1000.0) == 1
    bucket = ring.take(8, now=1000.0, horizon=HORIZON)
    ring.settle(8, bucket=bucket, now=1000.0)
    assert ring.count_fitting([3], 1050.0) == 0
    assert ring.count_fitting([3], 1061.0) == 1
    assert ring.count_fitting([11], 2000.0) == 0


def send_steadily(ring: Ring, start: float, seconds: float, *, length: float = 0.2) -> list[float]:
    """One sender that takes what is free, one message a call; return when each arrived."""
    now, arrivals = start, []
    while now < start + seconds:
        if not ring.free(now):
            now += min(0.25, ring.wait(now))
            continue
        bucket = ring.take(1, now=now, horizon=HORIZON)
        arrivals.append(now)
        now += length
        ring.settle(1, bucket=bucket, now=now)
    return arrivals


@pytest.mark.parametrize("limits", [(60, 20), (20, 60), (0, 30), (600, 30), (30, 600)])
def test_a_limit_changed_in_mid_run_holds_from_then_on(limits: tuple[int, int]) -> None:
    before, after = limits
    ring = Ring(limit=before or 1, window=WINDOW)
    changed = 1090.0
    if before:
        send_steadily(ring, 1000.0, 90.0)
    # Without a limit nothing is charged: the ring knows of no message before the change.
    ring.limit = after
    arrivals = send_steadily(ring, changed, 180.0)
    assert most_in_a_window(arrivals, WINDOW) <= after
    late = [time for time in arrivals if time >= changed + WINDOW]
    expected = min(after, WINDOW / 0.2)
    assert len(late) >= 0.9 * 2 * expected


@pytest.mark.parametrize(("limit", "window"), [(10, 0.5), (100, 0.5), (100, 0.9), (3, 0.9)])
def test_a_window_of_less_than_a_second_holds_too(limit: int, window: float) -> None:
    ring = Ring(limit=limit, window=window)
    arrivals = send_steadily(ring, 1000.0, 12 * window, length=window / limit / 20)
    assert most_in_a_window(arrivals, window) <= limit
    assert len(arrivals) >= 0.9 * 11 * limit


@pytest.mark.parametrize("limit", [10, 30, 60])
@pytest.mark.parametrize("segments", [1, 2, 3])
def test_a_backlog_of_texts_uses_nine_tenths_of_a_small_limit(limit: int, segments: int) -> None:
    ring = Ring(limit=limit, window=WINDOW)
    now, used = 1000.0, []
    while now < 1360.0:
        if not ring.count_fitting([segments], now):
            now += 0.25
            continue
        bucket = ring.take(segments, now=now, horizon=HORIZON)
        used += [now] * segments
        now += 0.3
        ring.settle(segments, bucket=bucket, now=now)
    assert most_in_a_window(used, WINDOW) <= limit
    # What is left of a limit may be too little for one more text.
    possible = limit // segments * segments
    assert len([time for time in used if time >= 1060.0]) >= 0.9 * 5 * possible


def a_lane() -> Lane:
    campaign = CampaignFactory(status="sending", send_rate_limit_emails=600)
    pace = Pace.objects.create(campaign=campaign, channel="email")
    return Lane(campaign.pk, "email", 600, pace)


@pytest.mark.django_db
def test_a_provider_that_asks_to_wait_gets_the_longest_wait_from_every_campaign() -> None:
    asked, other = a_lane(), a_lane()
    with transaction.atomic():
        for seconds in (60, 5):
            settle_charge(Charge(asked, 1, 1), slow_down=seconds)
        for lane in (asked, other):
            assert lock_permits(lane).allowed([1] * 20) == 0
    longest = Pace.objects.get(campaign=None, channel="email").not_before
    assert 50 < (longest - database_now()).total_seconds() <= 60
    Pace.objects.filter(campaign=None).update(not_before=database_now())
    with transaction.atomic():
        assert lock_permits(other).allowed([1] * 20) == 20
