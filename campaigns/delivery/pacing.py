"""Never more than a limit in any rolling window, whatever workers and delays there are (D-4).

A permit is a message that may leave. It lies in the future (``now + horizon``) until its call has
ended and counts from then: every arrival at the provider precedes its own completion, so no window
at the provider holds more than the limit. The horizon exceeds every call's timeout, so the permits
of a worker that died age out by themselves. GCRA smooths the flow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from campaigns.models import Campaign, Pace, TestSend
from config.clock import database_now
from customers.models import Channel

BUCKETS_PER_WINDOW = 120
# At most five seconds of sixty at once, and half a message of lateness is made good.
BURST_SHARE = 5 / 60
LEAST_BURST = 1.5
# So long campaigns leave a provider's permits to tests that wait: a dead worker must not stop them.
TESTS_FIRST = timedelta(seconds=60)


@dataclass
class Ring:
    """How many messages fall into each bucket of time, and the smoothing's arrival time.

    Times are Unix seconds; ``window`` is the length of the rolling window in seconds.
    """

    limit: int
    window: float
    counts: dict[int, int] = field(default_factory=dict)
    tat: float = 0.0

    @property
    def bucket_seconds(self) -> float:
        """The length of one bucket."""
        return self.window / BUCKETS_PER_WINDOW

    @property
    def _interval(self) -> float:
        return self.window / self.limit

    @property
    def _burst(self) -> float:
        return max(LEAST_BURST, self.limit * BURST_SHARE)

    def bucket(self, time: float) -> int:
        """Return the number of the bucket that ``time`` falls into."""
        return math.floor(time / self.bucket_seconds)

    def prune(self, now: float) -> None:
        """Forget buckets that no window can reach any more."""
        oldest = self.bucket(now - self.window)
        self.counts = {bucket: n for bucket, n in self.counts.items() if bucket >= oldest and n}

    def room(self, now: float) -> int:
        """Return how many more messages the rolling window that ends at ``now`` holds."""
        oldest = self.bucket(now - self.window)
        return self.limit - sum(n for bucket, n in self.counts.items() if bucket >= oldest)

    def tokens(self, now: float) -> int:
        """Return how many messages the smoothing lets leave at once at ``now``."""
        earned = (now - self.tat) / self._interval + self._burst
        return max(0, math.floor(min(earned, self._burst)))

    def free(self, now: float) -> int:
        """Return how many messages may leave at ``now``."""
        return max(0, min(self.room(now), self.tokens(now)))

    def count_fitting(self, units: Sequence[int], now: float) -> int:
        """Return how many messages of these units, taken in order, may leave at ``now``.

        The first may be larger than the smoothing's burst when the smoothing is at rest.
        """
        room, tokens = self.room(now), self.tokens(now)
        total = 0
        for position, cost in enumerate(units):
            total += cost
            smooth = min(cost, math.floor(self._burst)) if position == 0 else total
            if total > room or smooth > tokens:
                return position
        return len(units)

    def take(self, messages: int, *, now: float, horizon: float) -> int:
        """Charge ``messages`` that are about to leave; return the bucket they lie in."""
        bucket = self.bucket(now + horizon)
        self.counts[bucket] = self.counts.get(bucket, 0) + messages
        self.tat = max(self.tat, now) + messages * self._interval
        return bucket

    def settle(self, messages: int, *, bucket: int, now: float) -> None:
        """Let ``messages`` count from now: their calls have ended."""
        self.counts[bucket] = max(0, self.counts.get(bucket, 0) - messages)
        current = self.bucket(now)
        self.counts[current] = self.counts.get(current, 0) + messages

    def wait(self, now: float) -> float:
        """Return seconds until the next message may leave; 0 when one may leave now."""
        if self.free(now):
            return 0.0
        smoothing = self.tat - (self._burst - 1) * self._interval - now
        oldest = self.bucket(now - self.window)
        over = sum(n for bucket, n in self.counts.items() if bucket >= oldest) - self.limit + 1
        ring = 0.0
        for bucket in sorted(bucket for bucket in self.counts if bucket >= oldest):
            if over <= 0:
                break
            over -= self.counts[bucket]
            ring = (bucket + 1) * self.bucket_seconds + self.window - now
        return max(smoothing, ring, 0.001)

    def sent_in_window(self, now: float) -> int:
        """Return how many messages have left in the window that ends at ``now``."""
        oldest = self.bucket(now - self.window)
        return sum(n for bucket, n in self.counts.items() if oldest < bucket <= self.bucket(now))


@dataclass
class Lane:
    """One campaign and channel as the sender sees it: its pace row and its current limit."""

    campaign_id: int
    channel: str
    limit: int
    pace: Pace

    @property
    def key(self) -> tuple[int, str]:
        """What tells lanes apart."""
        return self.campaign_id, self.channel


def horizon_seconds() -> float:
    """Return how far ahead a permit lies: longer than any call can take."""
    return settings.PROVIDER_TIMEOUT_SECONDS * 1.5 + 2.0


def provider_limit(channel: str) -> int:
    """Return the provider's limit in permits a minute over all campaigns; 0 is no limit."""
    if channel == Channel.EMAIL:
        return settings.EMAIL_PROVIDER_RATE_LIMIT
    return settings.SMS_PROVIDER_RATE_LIMIT


def ring_of(pace: Pace, limit: int) -> Ring:
    """Return the ring that a pace row holds."""
    counts = {int(bucket): n for bucket, n in pace.ring.items()}
    return Ring(limit=limit, window=settings.PACING_WINDOW_SECONDS, counts=counts, tat=pace.tat)


def provider_pace(channel: str) -> Pace:
    """Return the pace row of a provider, made on first use."""
    pace, _ = Pace.objects.get_or_create(campaign=None, channel=channel)
    return pace


def tests_wait(channel: str, *, now: datetime) -> bool:
    """Tell whether a test message on ``channel`` was asked for just now and may leave."""
    waiting = TestSend.objects.filter(channel=channel, status=TestSend.Status.WAITING)
    recent = waiting.filter(created_at__gt=now - TESTS_FIRST)
    return recent.filter(Q(not_before=None) | Q(not_before__lte=now)).exists()


@dataclass
class Permits:
    """Locked paces of one lane and its provider, inside a transaction: count, charge, save.

    ``provider_units`` are what one message costs at the provider: 1 for email, segments for SMS.
    """

    lane: Lane
    now: datetime
    campaign_ring: Ring | None
    provider_ring: Ring | None
    provider: Pace | None
    not_before: datetime | None = None

    @property
    def _time(self) -> float:
        return self.now.timestamp()

    def allowed(self, provider_units: list[int]) -> int:
        """Return how many of the messages, taken in order, may leave now."""
        if self.not_before is not None and self.not_before > self.now:
            return 0
        count = len(provider_units)
        if self.campaign_ring:
            count = min(count, self.campaign_ring.free(self._time))
        if self.provider_ring:
            count = min(count, self.provider_ring.count_fitting(provider_units, self._time))
        return count

    def take(self, provider_units: list[int]) -> "Charge":
        """Charge these messages and save both rows."""
        charge = Charge(lane=self.lane, messages=len(provider_units), units=sum(provider_units))
        horizon = horizon_seconds()
        if self.campaign_ring:
            charge.campaign_bucket = self.campaign_ring.take(
                charge.messages, now=self._time, horizon=horizon
            )
            _save(self.lane.pace, self.campaign_ring, self._time)
        if self.provider and self.provider_ring:
            charge.provider_bucket = self.provider_ring.take(
                charge.units, now=self._time, horizon=horizon
            )
            _save(self.provider, self.provider_ring, self._time)
        return charge


@dataclass
class Charge:
    """What was taken, so that it can be settled."""

    lane: Lane
    messages: int
    units: int
    campaign_bucket: int | None = None
    provider_bucket: int | None = None


def lock_permits(lane: Lane) -> Permits:
    """Lock the pace rows of a lane, campaign before provider, and read the time after that.

    Must run inside a transaction. The campaign's limit is read anew: a change takes effect at once.
    """
    limit = _current_limit(lane)
    campaign_ring = None
    if limit:
        lane.pace = Pace.objects.select_for_update().get(pk=lane.pace.pk)
        campaign_ring = ring_of(lane.pace, limit)
    return _with_provider(lane, campaign_ring)


def lock_provider_permits(channel: str) -> Permits:
    """Lock a provider's pace for messages of no campaign. Must run inside a transaction."""
    return _with_provider(Lane(0, channel, 0, Pace(channel=channel)), None)


def _with_provider(lane: Lane, campaign_ring: Ring | None) -> Permits:
    provider = provider_ring = None
    if provider_limit(lane.channel):
        provider = Pace.objects.select_for_update().get(pk=provider_pace(lane.channel).pk)
        provider_ring = ring_of(provider, provider_limit(lane.channel))
    asked = Pace.objects.filter(campaign=None, channel=lane.channel)
    not_before = asked.values_list("not_before", flat=True).first()
    return Permits(lane, database_now(), campaign_ring, provider_ring, provider, not_before)


def settle_charge(charge: Charge, *, slow_down: float = 0) -> None:
    """Let charged messages count from now. Must run inside a transaction.

    ``slow_down`` is how many seconds the provider asked everyone to wait, or 0.
    """
    if charge.campaign_bucket is not None:
        _settle(charge.lane.pace.pk, charge.messages, charge.campaign_bucket)
    if charge.provider_bucket is not None:
        provider = provider_pace(charge.lane.channel)
        _settle(provider.pk, charge.units, charge.provider_bucket)
    if slow_down:
        until = database_now() + timedelta(seconds=slow_down)
        provider = provider_pace(charge.lane.channel)
        provider = Pace.objects.select_for_update().get(pk=provider.pk)
        if provider.not_before is None or provider.not_before < until:
            provider.not_before = until
            provider.save(update_fields=["not_before"])


def _settle(pace_id: int, messages: int, bucket: int) -> None:
    pace = Pace.objects.select_for_update().get(pk=pace_id)
    # The limit plays no part in moving counts between buckets.
    ring = ring_of(pace, limit=1)
    now = database_now().timestamp()
    ring.settle(messages, bucket=bucket, now=now)
    _save(pace, ring, now)


def _save(pace: Pace, ring: Ring, now: float) -> None:
    ring.prune(now)
    pace.ring = {str(bucket): n for bucket, n in ring.counts.items()}
    pace.tat = ring.tat
    pace.save(update_fields=["ring", "tat"])


def _current_limit(lane: Lane) -> int:
    campaign = Campaign.objects.only("send_rate_limit_emails", "send_rate_limit_sms").get(
        pk=lane.campaign_id
    )
    return campaign.rate_limit(lane.channel)
