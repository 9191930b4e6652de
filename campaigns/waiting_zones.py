"""Where on earth the receivers of waiting texts live, as a share of each campaign (D-8, D-10)."""

from collections.abc import Collection, Mapping

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count

from campaigns.models import Campaign, Delivery
from customers.models import Channel

# A page asks every second or two, and shares move slowly.
KEPT_SECONDS = 60


def zones_of_waiting(campaigns: Collection[Campaign]) -> dict[int, Mapping[str, int]]:
    """Return campaign id → time zone → texts that waited within the last minute.

    Empty where texts leave at any hour. One query at most.
    """
    if settings.SMS_SENDING_HOURS is None or not campaigns:
        return {}
    keys = {_key(campaign): campaign.pk for campaign in campaigns}
    found: dict[int, Mapping[str, int]] = {
        keys[key]: zones for key, zones in cache.get_many(keys).items()
    }
    missing = {key: pk for key, pk in keys.items() if pk not in found}
    if missing:
        counted: dict[int, dict[str, int]] = {pk: {} for pk in missing.values()}
        rows = (
            Delivery.objects.filter(
                campaign__in=counted, channel=Channel.SMS, status=Delivery.Status.PENDING
            )
            .order_by()
            .values_list("campaign_id", "customer__time_zone")
            .annotate(Count("pk"))
        )
        for campaign_id, zone, count in rows:
            counted[campaign_id][zone] = count
        cache.set_many({key: counted[pk] for key, pk in missing.items()}, KEPT_SECONDS)
        found |= counted
    return found


def _key(campaign: Campaign) -> str:
    sent_at = campaign.sent_at.timestamp() if campaign.sent_at else 0
    return f"campaigns.zones.{campaign.pk}.{sent_at}"
