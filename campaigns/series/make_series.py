"""Makes a campaign repeat (M-10)."""

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from campaigns.duplicate_campaign import duplicate_campaign
from campaigns.models import Campaign, Series
from campaigns.series.originals import require_no_original
from campaigns.series.rules import Repetition, first_run, require_possible
from config.clock import database_now
from config.errors import DomainError
from config.times import business_zone

LONGEST_NAME = 180


def make_series(
    *,
    campaign_id: int,
    name: str,
    repetition: Repetition,
    user: AbstractBaseUser | None = None,
) -> Series:
    """Return a series that sends copies of a campaign.

    A draft becomes its original; of any other campaign, and of a run that was not sent, a copy
    does. Raises DomainError: ``unknown_campaign``, ``original_of_series``, ``invalid_name``,
    ``no_run_left``, or what ``require_possible`` raises. Nothing is made then.
    """
    now = database_now()
    require_possible(repetition, today=now.astimezone(business_zone()).date())
    series = Series(
        name=read_name(name),
        created_by=user,  # type: ignore[misc]
        time_zone=settings.TIME_ZONE,
        **repetition.columns(),
    )
    series.next_run_at = first_run(series, now=now)
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().filter(pk=campaign_id).first()
        if campaign is None:
            raise DomainError("unknown_campaign", f"There is no campaign {campaign_id}.")
        require_no_original(campaign_id=campaign_id, wanted="repeated")
        if not campaign.is_draft or campaign.series_id is not None:
            campaign = duplicate_campaign(campaign_id=campaign_id, user=user, name=series.name)
        series.original = campaign
        series.save()
    return series


def read_name(written: str) -> str:
    """Return the name of a series. Raises DomainError ``invalid_name``."""
    name = written.strip()
    if not name or len(name) > LONGEST_NAME or "\x00" in name:
        raise DomainError(
            "invalid_name", f"Give the series a name of up to {LONGEST_NAME} characters."
        )
    return name
