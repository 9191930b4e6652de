"""How long customers take: from their first message that left to the first use of their code."""

from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection
from django.db.models import Min

from campaigns.models import Campaign, Delivery
from qrcodes.models import QRCode

# The steps of the curve “redeemed within”.
WITHIN = (
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=2),
    timedelta(days=3),
    timedelta(days=7),
    timedelta(days=14),
    timedelta(days=30),
)
# Seconds from one moment to another, to the millisecond.
_SECONDS = {
    "postgresql": "ROUND(EXTRACT(EPOCH FROM {end} - {start}), 3)",
    "sqlite": "ROUND((julianday({end}) - julianday({start})) * 86400, 3)",
}


@dataclass(frozen=True, slots=True)
class Waits:
    """Mean and median, None as long as nobody came, and how many had come after each of WITHIN."""

    mean: timedelta | None = None
    median: timedelta | None = None
    within: list[tuple[timedelta, int]] = field(default_factory=list)


def measure_waits(campaign: Campaign) -> Waits:
    """Return how long the customers of ``campaign`` took; one statement, whatever their number.

    Who was served at the till before a message left did not wait, and is left out.
    """
    codes, code_parameters = (
        QRCode.objects.real()
        .filter(campaign=campaign, redeemed_at__isnull=False)
        .order_by()
        .values("customer_id", "redeemed_at")
    ).query.sql_with_params()
    firsts, first_parameters = (
        Delivery.objects.filter(campaign=campaign, sent_at__isnull=False)
        .order_by()
        .values("customer_id")
        .annotate(first_sent=Min("sent_at"))
    ).query.sql_with_params()
    seconds = _SECONDS[connection.vendor].format(end="redeemed_at", start="first_sent")
    steps = ", ".join("SUM(CASE WHEN seconds <= %s THEN 1 ELSE 0 END)" for _ in WITHIN)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH codes AS ({codes}),
                 firsts AS ({firsts}),
                 waits AS (
                     SELECT {seconds} AS seconds
                       FROM codes JOIN firsts ON firsts.customer_id = codes.customer_id
                      WHERE first_sent <= redeemed_at
                 ),
                 ranked AS (
                     SELECT seconds,
                            ROW_NUMBER() OVER (ORDER BY seconds) AS place,
                            COUNT(*) OVER () AS total
                       FROM waits
                 )
            SELECT AVG(seconds),
                   AVG(CASE WHEN place IN ((total + 1) / 2, (total + 2) / 2) THEN seconds END),
                   {steps}
              FROM ranked
            """,
            [*code_parameters, *first_parameters, *(step.total_seconds() for step in WITHIN)],
        )
        mean, median, *counts = cursor.fetchone()
    if mean is None:
        return Waits()
    return Waits(
        timedelta(seconds=float(mean)),
        timedelta(seconds=float(median)),
        list(zip(WITHIN, counts, strict=True)),
    )
