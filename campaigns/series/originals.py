"""The draft that every run of a series copies: what it must not do meanwhile."""

from campaigns.models import Series
from config.errors import DomainError


def require_no_original(*, campaign_id: int, wanted: str) -> None:
    """Raise DomainError ``original_of_series`` when a series copies this campaign.

    ``wanted`` is what somebody wants to do with it: “sent”. Whoever writes afterwards holds the
    campaign's lock, as ``make_series`` does.
    """
    series = living_series_of(campaign_id=campaign_id)
    if series is not None:
        raise DomainError(
            "original_of_series",
            f"This is the original of the series “{series}”, which sends copies of it, so it "
            f"cannot be {wanted} itself: duplicate it, or end the series first.",
        )


def living_series_of(*, campaign_id: int) -> Series | None:
    """Return the series that copies this campaign, unless it has ended."""
    return Series.objects.living().filter(original=campaign_id).first()
