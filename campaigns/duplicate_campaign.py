"""Makes a new draft from a campaign: its message, audience, rates and offer (M-4)."""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from campaigns.create_campaign import FIELDS, OFFER_FIELDS
from campaigns.models import Campaign
from config.errors import DomainError
from qrcodes.models import Offer
from qrcodes.offers import create_offer


def duplicate_campaign(*, campaign_id: int, user: AbstractBaseUser | None = None) -> Campaign:
    """Return a draft like the campaign, without its time and its figures.

    Raises DomainError ``unknown_campaign``.
    """
    source = Campaign.objects.filter(pk=campaign_id).first()
    if source is None:
        raise DomainError("unknown_campaign", f"There is no campaign {campaign_id}.")
    columns = {name: getattr(source, name) for name in FIELDS - {"scheduled_for"}}
    columns["name"] = f"{source.name[:190]} (copy)"
    with transaction.atomic():
        copy = Campaign.objects.create(
            **columns,
            target_all=source.target_all,
            created_by=user,  # type: ignore[misc]
        )
        copy.target_segments.set(source.target_segments.all())
        copy.excluded_segments.set(source.excluded_segments.all())
        offer = Offer.objects.filter(campaign_id=campaign_id).first()
        if offer:
            terms = {name: getattr(offer, name) for name in OFFER_FIELDS}
            create_offer(campaign_id=copy.pk, **terms)
    return copy
