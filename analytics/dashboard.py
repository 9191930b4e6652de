"""What the home page shows: what runs, what waits for somebody, what came back (A-2)."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from analytics.figures import customers_redeemed
from campaigns.live import LiveState, live_states
from campaigns.models import Campaign, Delivery
from campaigns.standstill import Severity, notices_for
from qrcodes.models import Redemption

Status = Campaign.Status
RUNNING = (Status.SCHEDULED, Status.QUEUED, Status.SENDING, Status.PAUSED)
MOST_CAMPAIGNS = 6
DAYS = 14


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that goes no further until a person decides."""

    campaign: Campaign
    sentence: str


@dataclass(frozen=True, slots=True)
class RecentCampaign:
    """A campaign that is over, and how many customers it brought."""

    state: LiveState
    customers_redeemed: int

    @property
    def sent(self) -> int:
        """Messages sent, over all channels."""
        return self.state.campaign.emails_sent + self.state.campaign.sms_sent


def running_campaigns() -> list[LiveState]:
    """Return the campaigns that are under way or about to be, newest first."""
    return live_states(Campaign.objects.filter(status__in=RUNNING)[:MOST_CAMPAIGNS])


def recent_campaigns() -> list[RecentCampaign]:
    """Return the last campaigns that are over, newest first."""
    over = list(
        Campaign.objects.filter(status__in=(Status.COMPLETED, Status.CANCELLED)).order_by(
            "-sent_at", "-pk"
        )[:MOST_CAMPAIGNS]
    )
    redeemed = customers_redeemed([campaign.pk for campaign in over])
    return [
        RecentCampaign(state, redeemed.get(state.campaign.pk, 0)) for state in live_states(over)
    ]


def open_decisions() -> list[Decision]:
    """Return what waits for a person: campaigns that stopped, messages nobody knows the fate of."""
    unconfirmed = Delivery.objects.filter(status=Delivery.Status.UNCONFIRMED).order_by()
    candidates = Campaign.objects.filter(
        Q(status__in=(Status.FAILED, Status.PAUSED))
        | Q(pk__in=unconfirmed.values("campaign_id").distinct())
    )
    campaigns = list(candidates)
    notices = notices_for(campaigns)
    return [
        Decision(campaign, notice.sentence)
        for campaign in campaigns
        for notice in notices[campaign.pk]
        if notice.severity is Severity.DECIDE
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
