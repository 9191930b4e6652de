"""The ring, simulated: workers with clocks of the database, calls of any length, crashes."""

import heapq
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.pacing import Ring

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

    def most_in_a_window(self) -> int:
        times = sorted(self.arrivals)
        most = start = 0
        for end, time in enumerate(times):
            while time - times[start] >= WINDOW:
                start += 1
            most = max(most, end - start + 1)
        return most


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
    assert simulation.most_in_a_window() <= limit


@pytest.mark.parametrize(
    ("limit", "share"), [(10, 0.90), (60, 0.90), (100, 0.95), (600, 0.95), (3000, 0.95)]
)
@pytest.mark.parametrize("workers", [1, 8])
def test_a_backlog_uses_nearly_all_of_the_limit(limit: int, share: float, workers: int) -> None:
    simulation = Simulation(limit, workers, 10, random.Random(7), slowest=0.4)
    simulation.run(360)
    used = sum(1 for time in simulation.arrivals if 60 <= time < 360) / (limit * 5)
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


def test_refunded_permits_are_free_again() -> None:
    ring = Ring(limit=100, window=WINDOW)
    free = ring.free(1000.0)
    bucket = ring.take(free, now=1000.0, horizon=HORIZON)
    assert ring.free(1000.0) == 0
    ring.refund(free, bucket=bucket)
    assert ring.free(1000.0) == free
