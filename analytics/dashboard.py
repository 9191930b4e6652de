"""What the home page shows: what runs, what waits for somebody, what came back (A-2)."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.core.cache import cache
from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from analytics.figures import (
    ZERO,
    customers_reached,
    customers_redeemed,
    redemption_rate,
    revenue_of,
)
from campaigns.check_campaign import sender_problem
from campaigns.live import LiveState, live_states
from campaigns.models import Campaign, Delivery, Series, TestSend
from campaigns.notices import TELL, Severity
from campaigns.series.notices import awaits_decision
from campaigns.series.upcoming import UpcomingRun, upcoming_runs
from campaigns.standstill import engine_notices, notices_for
from campaigns.webhooks.health import find_webhook_problem
from customers.models import Customer
from qrcodes.models import Redemption

Status = Campaign.Status
RUNNING = (Status.QUEUED, Status.SENDING, Status.PAUSED)
OVER = (Status.COMPLETED, Status.CANCELLED)
MOST_CAMPAIGNS = 6
DAYS = 14
# Who was reached by a campaign that is over changes with late bounces alone.
REACHED_KEPT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that goes no further until a person decides."""

    campaign: Campaign
    sentence: str


@dataclass(frozen=True, slots=True)
class RecentCampaign:
    """A campaign that is over, and what it brought."""

    campaign: Campaign
    customers_redeemed: int
    customers_reached: int
    revenue: Decimal

    @property
    def sent(self) -> int:
        """Messages sent, over all channels."""
        return self.campaign.emails_sent + self.campaign.sms_sent

    @property
    def redemption_rate(self) -> float | None:
        """Customers who redeemed, over customers reached; None as long as nobody was."""
        return redemption_rate(self.customers_redeemed, self.customers_reached)


@dataclass(frozen=True, slots=True)
class Step:
    """One of the first steps with a new installation: where it is done, and whether it is."""

    name: str
    is_done: bool


def running_campaigns() -> list[LiveState]:
    """Return the campaigns that are under way, newest first."""
    return live_states(Campaign.objects.filter(status__in=RUNNING)[:MOST_CAMPAIGNS])


def upcoming_campaigns() -> list[UpcomingRun]:
    """Return what starts by itself, scheduled or as the run of a series, the next one first."""
    # Of each series the next run alone: a weekly one would fill the list.
    return upcoming_runs(MOST_CAMPAIGNS, of_each=1)


def latest_drafts() -> list[Campaign]:
    """Return the drafts with who began them, newest first; not those that a series sends."""
    originals = Series.objects.living().values("original")
    drafts = Campaign.objects.filter(status=Status.DRAFT).exclude(pk__in=originals)
    drafts = drafts.select_related("created_by")
    return list(drafts[:MOST_CAMPAIGNS])


def recent_campaigns() -> list[RecentCampaign]:
    """Return the last campaigns that are over, newest first."""
    over = list(
        Campaign.objects.filter(status__in=OVER).order_by("-sent_at", "-pk")[:MOST_CAMPAIGNS]
    )
    ids = [campaign.pk for campaign in over]
    redeemed, revenue = customers_redeemed(ids), revenue_of(ids)
    reached = _reached(over)
    return [
        RecentCampaign(
            campaign,
            customers_redeemed=redeemed.get(campaign.pk, 0),
            customers_reached=reached.get(campaign.pk, 0),
            revenue=revenue.get(campaign.pk, ZERO),
        )
        for campaign in over
    ]


def _reached(campaigns: list[Campaign]) -> dict[int, int]:
    """Return whom campaigns that are over reached; counted again when more was sent."""
    keys = {f"analytics.reached.{c.pk}.{c.emails_sent}.{c.sms_sent}": c.pk for c in campaigns}
    known = {keys[key]: count for key, count in cache.get_many(keys).items()}
    missing = {key: pk for key, pk in keys.items() if pk not in known}
    if missing:
        counted = customers_reached(missing.values())
        fresh = {key: counted.get(pk, 0) for key, pk in missing.items()}
        cache.set_many(fresh, REACHED_KEPT_SECONDS)
        known |= {missing[key]: count for key, count in fresh.items()}
    return known


def open_decisions() -> list[Decision]:
    """Return what waits for a person: campaigns that stopped, messages nobody knows the fate of."""
    unconfirmed = Delivery.objects.filter(status=Delivery.Status.UNCONFIRMED).order_by()
    candidates = Campaign.objects.filter(
        Q(status__in=(Status.FAILED, Status.PAUSED))
        | Q(pk__in=unconfirmed.values("campaign_id").distinct())
        | awaits_decision()
    )
    campaigns = list(candidates)
    notices = notices_for(campaigns)
    return [
        Decision(campaign, notice.sentence)
        for campaign in campaigns
        for notice in notices[campaign.pk]
        if notice.severity is Severity.DECIDE
    ]


def open_troubles() -> list[str]:
    """Return what keeps messages from leaving or being followed, in words for who writes them."""
    troubles = [notice.sentence for notice in engine_notices()]
    if problem := sender_problem():
        troubles.append(f"No email can be sent. {TELL}: {problem[0].lower()}{problem[1:]}")
    if webhooks := find_webhook_problem():
        troubles.append(f"{webhooks[0]} {TELL}: the command doctor says what to do.")
    return troubles


def first_steps() -> list[Step]:
    """Return the way to the first campaign, or nothing once one was sent."""
    if Campaign.objects.filter(sent_at__isnull=False).exists():
        return []
    return [
        Step("import", Customer.objects.alive().exists()),
        Step("campaign", Campaign.objects.exists()),
        Step("test", TestSend.objects.exists()),
        Step("send", False),
    ]


def redemptions_by_day() -> list[tuple[date, int]]:
    """Return the redemptions of each of the last 14 days, today last, in the business's zone."""
    first = timezone.localdate() - timedelta(days=DAYS - 1)
    midnight = timezone.make_aware(datetime.combine(first, time.min))
    # The till refuses codes of test sends, so no redemption is of one: asking takes a second.
    counts = dict(
        Redemption.objects.filter(redeemed_at__gte=midnight)
        .order_by()
        .values_list(TruncDate("redeemed_at"))
        .annotate(n=Count("pk"))
    )
    days = [first + timedelta(days=n) for n in range(DAYS)]
    return [(day, counts.get(day, 0)) for day in days]
