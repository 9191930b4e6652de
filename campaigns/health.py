"""What an operator asks: is everything there that Handbill needs, and if not, what to do."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Q

from campaigns.check_campaign import sender_problem
from campaigns.delivery.outbox import COUNTERS
from campaigns.models import Campaign, Delivery, Heartbeat, Series
from campaigns.webhooks.health import find_webhook_problem, list_addresses
from config.clock import database_now
from customers.encryption import DecryptionError
from customers.models import Customer

SWEEPER = "sweeper"  # a worker that reaches the database
BEAT = "beat"  # beat, broker and a worker, together
CAPTURED = "captured"  # forgetting old captured messages
# Beat ticks every five seconds, and a tick may wait for senders: a minute is not chance.
SILENCE = timedelta(seconds=60)
# A page that asks for the broker must not become slow when it is away.
PING_TIMEOUT_SECONDS = 0.5
PING_KEPT_SECONDS = 5

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its name, how it is, and what to do when it is not well."""

    name: str
    status: str
    message: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the keys of the command contract."""
        return asdict(self)


def beat_heart(name: str) -> None:
    """Note that a part of Handbill is at work just now."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": database_now()})


def take_turn(name: str, *, every: float) -> bool:
    """Note a heartbeat unless there was one within ``every`` seconds; tell whether this call did.

    Of several processes that come at once, one gets the turn.
    """
    now = database_now()
    overdue = Heartbeat.objects.filter(name=name, at__lte=now - timedelta(seconds=every))
    if overdue.update(at=now):
        return True
    _, created = Heartbeat.objects.get_or_create(name=name, defaults={"at": now})
    return created


def last_heartbeats() -> dict[str, timedelta]:
    """Return how long ago each part was last seen at work; one that never was is missing."""
    now = database_now()
    return {heartbeat.name: now - heartbeat.at for heartbeat in Heartbeat.objects.all()}


def check_everything() -> list[Check]:
    """Return every check, for ``doctor``; a dead database ends the list."""
    database = check_database()
    if database.status == FAILED:
        return [database]
    checks: list[Callable[[], Check]] = [
        check_keys,
        check_address,
        check_broker,
        check_workers,
        check_beat,
        check_email,
        check_sms,
        check_webhooks,
        check_campaigns,
        check_counters,
    ]
    return [database, *(check() for check in checks)]


def check_readiness() -> list[Check]:
    """Return the checks that decide whether this installation can work now, for ``/readyz``."""
    database = check_database()
    if database.status == FAILED:
        return [database]
    return [database, check_broker(), check_workers(), check_beat(), check_campaigns()]


def check_database() -> Check:
    """Check that the database answers and its tables are up to date."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return Check(
            "database", FAILED, "The database does not answer.", "Start it, or mend DATABASE_URL."
        )
    if missing:
        message = f"{len(missing)} migrations have not been applied."
        return Check("database", FAILED, message, "Run: python manage.py migrate")
    kind = "PostgreSQL" if connection.vendor == "postgresql" else "SQLite"
    return Check("database", OK, f"{kind} answers, and its tables are up to date.")


def check_keys() -> Check:
    """Check that the encryption keys open what is stored."""
    customers = Customer.objects.alive().order_by("pk")
    for customer in [customers.first(), customers.last()]:
        try:
            if customer is not None:
                _ = customer.email, customer.phone
        except DecryptionError as error:
            fix = "Put the lost key back into FIELD_ENCRYPTION_KEYS."
            return Check("keys", FAILED, str(error), fix)
    return Check("keys", OK, "The encryption keys open what is stored.")


def check_address() -> Check:
    """Check that links and QR codes lead somewhere safe."""
    if settings.PUBLIC_BASE_URL.startswith("https://"):
        return Check("address", OK, f"Links and QR codes lead to {settings.PUBLIC_BASE_URL}.")
    return Check(
        "address",
        WARNING,
        f"Links and QR codes lead to {settings.PUBLIC_BASE_URL}, without TLS.",
        "Before real customers get messages, set PUBLIC_BASE_URL to an https:// address.",
    )


def check_broker() -> Check:
    """Check that the broker answers, and that Redis keeps what it is given."""
    if not settings.REDIS_URL:
        return Check("broker", OK, "The embedded broker in files, for one machine.")
    try:
        client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3
        )
        client.ping()
    except (redis.RedisError, OSError):
        return Check(
            "broker",
            FAILED,
            "Redis does not answer: campaigns wait, nothing is lost.",
            "Start Redis, or mend REDIS_URL.",
        )
    return _check_redis_settings(client)


def broker_answers() -> bool:
    """Tell, for a page, whether the broker answers; asked at most every few seconds."""
    if not settings.REDIS_URL:
        return True
    return bool(cache.get_or_set("campaigns.broker_answers", _ping_broker, PING_KEPT_SECONDS))


def _ping_broker() -> bool:
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=PING_TIMEOUT_SECONDS,
        socket_connect_timeout=PING_TIMEOUT_SECONDS,
    )
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()


def _check_redis_settings(client: "redis.Redis") -> Check:
    try:
        found: Any = client.config_get("*")
    except redis.RedisError:
        return Check("broker", OK, "Redis answers; its settings cannot be read from here.")
    wrong = [
        f"{name} {wanted}"
        for name, wanted in (("appendonly", "yes"), ("maxmemory-policy", "noeviction"))
        if found.get(name) != wanted
    ]
    if not wrong:
        return Check("broker", OK, "Redis answers and keeps what it is given.")
    message = "Redis answers, but may drop messages; Handbill makes up for them within seconds."
    return Check("broker", WARNING, message, "In redis.conf set: " + ", ".join(wrong))


def check_workers() -> Check:
    """Check that a worker is at work."""
    fix = "Start one: celery -A config worker"
    return _check_alive("workers", SWEEPER, "A worker", fix)


def check_beat() -> Check:
    """Check that beat, broker and a worker have just worked together."""
    fix = "Start it: celery -A config beat"
    return _check_alive("beat", BEAT, "Beat", fix)


def _check_alive(name: str, part: str, label: str, fix: str) -> Check:
    silence = last_heartbeats().get(part)
    if silence is not None and silence < SILENCE:
        return Check(name, OK, f"{label} is at work.")
    since = "never since the tables were made" if silence is None else _ago(silence)
    message = f"{label} was last seen at work {since}: campaigns wait, nothing is lost."
    return Check(name, FAILED, message, fix)


def _ago(time: timedelta) -> str:
    seconds = round(time.total_seconds())
    return f"{seconds} s ago" if seconds < 120 else f"{seconds // 60} minutes ago"


def check_email() -> Check:
    """Check that emails have somewhere to go and somebody to come from."""
    if settings.EMAIL_BACKEND.startswith("campaigns.channels.capture."):
        message = "Emails are captured to disk, not sent."
        return Check("email", WARNING, message, "Set EMAIL_BACKEND=sendgrid to send them.")
    if problem := sender_problem():
        message, _, fix = problem.partition(": ")
        return Check("email", FAILED, f"{message}.", f"{fix.capitalize()}")
    return Check("email", OK, f"Emails leave through {settings.EMAIL_BACKEND}.")


def check_sms() -> Check:
    """Check that texts have somewhere to go."""
    if settings.SMS_BACKEND == "capture":
        message = "Texts are captured to disk, not sent."
        return Check("sms", WARNING, message, "Set SMS_BACKEND=twilio to send them.")
    return Check("sms", OK, "Texts leave through Twilio.")


def check_webhooks() -> Check:
    """Check that providers can tell what became of messages, and that we act on it."""
    if problem := find_webhook_problem():
        return Check("webhooks", WARNING, *problem)
    return Check("webhooks", OK, f"Listening for {list_addresses()}.")


def check_campaigns() -> Check:
    """Check that no campaign stands still that should move."""
    stalled = [campaign.pk for campaign in _stalled_campaigns(database_now())]
    if not stalled:
        return Check("campaigns", OK, "No campaign stands still.")
    listed = ", ".join(map(str, stalled))
    return Check(
        "campaigns",
        FAILED,
        f"Campaigns that should move stand still: {listed}.",
        "See that worker and beat run, then: python manage.py recover",
    )


def _stalled_campaigns(now: datetime) -> Iterator[Campaign]:
    long_ago = now - timedelta(minutes=2)
    # A series stands still at its original.
    runs = Series.objects.filter(state=Series.State.ACTIVE, next_run_at__lt=long_ago)
    overdue = (
        Q(status=Campaign.Status.QUEUED, sent_at__lt=long_ago)
        | Q(status=Campaign.Status.SCHEDULED, scheduled_for__lt=long_ago)
        | Q(pk__in=runs.values("original"))
    )
    yield from Campaign.objects.filter(overdue)
    for campaign in Campaign.objects.filter(status=Campaign.Status.SENDING):
        expired = Delivery.objects.filter(
            campaign=campaign, status=Delivery.Status.SENDING, lease_until__lt=long_ago
        )
        if expired.exists():
            yield campaign


def check_counters() -> Check:
    """Check that the counters of every campaign equal its rows."""
    counts: dict[int, dict[str, int]] = {}
    rows = (
        Delivery.objects.filter(status__in=[Delivery.Status.SENT, Delivery.Status.FAILED])
        .order_by()
        .values_list("campaign_id", "channel", "status")
        .annotate(Count("pk"))
    )
    for campaign_id, channel, status, count in rows:
        counts.setdefault(campaign_id, {})[COUNTERS[channel, status]] = count
    columns = list(COUNTERS.values())
    wrong = [
        campaign.pk
        for campaign in Campaign.objects.only(*columns)
        if any(
            getattr(campaign, column) != counts.get(campaign.pk, {}).get(column, 0)
            for column in columns
        )
    ]
    if not wrong:
        return Check("counters", OK, "The counters of every campaign equal its rows.")
    # While a campaign is sending, a count and its rows are read at two instants.
    running = Campaign.objects.filter(pk__in=wrong, status=Campaign.Status.SENDING).count()
    status = WARNING if running == len(wrong) else FAILED
    listed = ", ".join(map(str, wrong))
    return Check(
        "counters",
        status,
        f"Campaigns whose counters differ from their rows: {listed}.",
        "Look again when they have finished; report it if it stays.",
    )
