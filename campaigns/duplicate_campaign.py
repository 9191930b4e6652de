"""Makes a new draft from a campaign: its message, audience, rates and offer (M-4)."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from campaigns.create_campaign import FIELDS, OFFER_FIELDS
from campaigns.models import Campaign, Series
from config.errors import DomainError
from qrcodes.models import Offer
from qrcodes.offers import create_offer


def duplicate_campaign(
    *,
    campaign_id: int,
    user: AbstractBaseUser | None = None,
    name: str = "",
    series: Series | None = None,
    run_at: datetime | None = None,
) -> Campaign:
    """Return a draft like the campaign as it is now, without its time and its figures.

    With ``series`` it is the run that was due at ``run_at``. Raises DomainError
    ``unknown_campaign``.
    """
    with transaction.atomic():
        # Locked, so that no half of a colleague's change is copied.
        source = Campaign.objects.select_for_update().filter(pk=campaign_id).first()
        if source is None:
            raise DomainError("unknown_campaign", f"There is no campaign {campaign_id}.")
        columns = {field: getattr(source, field) for field in FIELDS - {"scheduled_for"}}
        columns["name"] = name or f"{source.name[:190]} (copy)"
        copy = Campaign.objects.create(
            **columns,
            target_all=source.target_all,
            created_by=user,  # type: ignore[misc]
            series=series,
            run_at=run_at,
        )
        copy.target_segments.set(source.target_segments.all())
        copy.excluded_segments.set(source.excluded_segments.all())
        offer = Offer.objects.filter(campaign_id=campaign_id).first()
        if offer:
            terms = {field: getattr(offer, field) for field in OFFER_FIELDS}
            create_offer(campaign_id=copy.pk, **terms)
    return copy
