"""What a person saw before pressing Send, as one short text."""

import hashlib
import json

from django.forms.models import model_to_dict

from campaigns.content.pictures import preview_pictures
from campaigns.models import Campaign
from qrcodes.models import Offer


def fingerprint_of(campaign: Campaign) -> str:
    """Return a digest of everything about a campaign that is locked once it is sent (M-3)."""
    shown = {name: getattr(campaign, name) for name in Campaign.LOCKED_FIELDS}
    for name in ("target_segments", "excluded_segments"):
        shown[name] = sorted(getattr(campaign, name).values_list("pk", flat=True))
    offer = Offer.objects.filter(campaign_id=campaign.pk).first()
    shown["offer"] = model_to_dict(offer) if offer else None
    pictures = preview_pictures(email_content=campaign.email_content, campaign=campaign)
    shown["pictures"] = sorted((name, picture.url) for name, picture in pictures.items())
    return hashlib.sha256(json.dumps(shown, default=str, sort_keys=True).encode()).hexdigest()[:32]
