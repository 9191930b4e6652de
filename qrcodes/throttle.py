"""Guessing codes is slowed down (Z-2): too many wrong ones, and nobody is answered for a while.

The counts are rows, so they hold over all processes, and nothing else is needed to run.
"""

import ipaddress
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import F
from django.http import HttpRequest

from config.clock import database_now
from customers.encryption import blind_index
from qrcodes.models import MissCount

# Ten letters out of thirty take millions of years at this pace; a clumsy till never gets here.
MISSES_ALLOWED = 20
SPAN = timedelta(minutes=10)
KEPT = timedelta(hours=1)


def client_of(request: HttpRequest) -> str:
    """Return who is asking: the signed-in user, else the network address before our own proxies.

    An IPv6 address counts as its /64, since one customer line has that many.
    """
    if request.user.is_authenticated:
        return f"user:{request.user.pk}"
    address = request.META.get("REMOTE_ADDR", "")
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    if 0 < settings.TRUSTED_PROXIES <= len(hops):
        # Each proxy appends whom it saw; what stands before that anyone may have written.
        address = hops[-settings.TRUSTED_PROXIES].strip() or address
    try:
        network = ipaddress.ip_network(address)
        if network.version == 6:
            network = network.supernet(new_prefix=64)
    except ValueError:
        return f"address:{address[:64]}"
    return f"address:{network}"


def _count_of(who: str, now: datetime) -> tuple[str, datetime]:
    span = SPAN.total_seconds()
    since = datetime.fromtimestamp(now.timestamp() // span * span, UTC)
    return blind_index(who, place="qrcodes_misscount.who"), since


def is_throttled(who: str) -> bool:
    """Tell whether ``who`` has tried too many wrong codes lately."""
    digest, since = _count_of(who, database_now())
    return MissCount.objects.filter(who=digest, since=since, misses__gte=MISSES_ALLOWED).exists()


def record_miss(who: str) -> None:
    """Count one wrong code against ``who``, and forget old counts."""
    now = database_now()
    digest, since = _count_of(who, now)
    if not MissCount.objects.filter(who=digest, since=since).update(misses=F("misses") + 1):
        MissCount.objects.filter(since__lt=now - KEPT).delete()
        MissCount.objects.bulk_create([MissCount(who=digest, since=since)], ignore_conflicts=True)
        MissCount.objects.filter(who=digest, since=since).update(misses=F("misses") + 1)
