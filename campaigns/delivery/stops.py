"""Pauses a campaign that would burn its list, and says why (D-9)."""

from django.conf import settings
from django.db.models import Exists, F, OuterRef

from campaigns import lifecycle
from campaigns.delivery.streaks import MANY_FAILURES, set_stop
from campaigns.models import Campaign, Delivery, Pace
from campaigns.reasons import reason_sentence
from customers.models import Channel

# Carriers throw single texts away at times; this share of those sent is a verdict on the campaign.
FILTERED_SHARE = 0.05


def stop_lane(*, campaign_id: int, channel: str, code: str) -> None:
    """Pause a campaign because of what the provider said about us; ``code`` is our reason code."""
    pace = Pace.objects.filter(campaign_id=campaign_id, channel=channel).first()
    if pace is not None:
        set_stop(pace_id=pace.pk, code=code)
        pause_stopped()


def note_filtered(*, campaign_id: int) -> None:
    """Count a text that a carrier threw away; many of them pause the campaign."""
    pace = Pace.objects.filter(campaign_id=campaign_id, channel=Channel.SMS)
    pace.update(filtered=F("filtered") + 1)
    many = settings.FAILURES_BEFORE_PAUSE
    sent = Campaign.objects.filter(pk=campaign_id).values_list("sms_sent", flat=True).first()
    if many and pace.filter(filtered__gte=max(many, (sent or 0) * FILTERED_SHARE)).exists():
        stop_lane(campaign_id=campaign_id, channel=Channel.SMS, code="filtered")


def pause_stopped() -> int:
    """Pause every sending campaign with a lane that had to stop; return how many.

    One in which nothing waits any more is left to be completed.
    """
    waiting = Delivery.objects.filter(campaign=OuterRef("campaign"), status=Delivery.Status.PENDING)
    held = Delivery.objects.filter(campaign=OuterRef("campaign"), status=Delivery.Status.SENDING)
    stopped = Pace.objects.filter(
        Exists(waiting) | Exists(held), campaign__status=Campaign.Status.SENDING
    ).exclude(stop_code="")
    return sum(
        lifecycle.move(
            campaign_id=campaign_id,
            to=Campaign.Status.PAUSED,
            status_reason=stop_sentence(channel=channel, code=code),
        )
        for campaign_id, channel, code in stopped.values_list("campaign_id", "channel", "stop_code")
    )


def stop_sentence(*, channel: str, code: str) -> str:
    """Return what a marketer reads about a campaign that was paused by itself."""
    noun = "emails" if channel == Channel.EMAIL else "texts"
    if code == MANY_FAILURES:
        many = f"{settings.FAILURES_BEFORE_PAUSE:,} {noun} in a row failed"
        return f"Paused by itself: {many}. Look at the reasons on its page, mend them, then resume."
    if code == "filtered":
        return (
            "Paused by itself: mobile carriers throw many of these texts away as unwanted. "
            "Change how you write or ask your SMS provider before you resume."
        )
    return f"Paused by itself: {reason_sentence(code)} Mend that, then resume."
