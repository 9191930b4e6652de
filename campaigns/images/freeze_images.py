"""Settles which pictures a campaign shows, at the moment it leaves draft (M-3)."""

from campaigns.content.pictures import calls_in
from campaigns.models import Campaign, CampaignImage, Image


def freeze_images(campaign: Campaign) -> None:
    """Keep the library's present pictures for a draft; a campaign that is none keeps its own.

    Call it in the transaction of the move, after the campaign is locked and before it is checked:
    until that ends, nobody can replace or delete what was checked.
    """
    if not campaign.is_draft:
        return
    names = set(calls_in(campaign.email_content))
    CampaignImage.objects.filter(campaign=campaign).delete()
    if not names:
        return
    images = Image.objects.select_for_update().filter(name__in=names).order_by("pk")
    CampaignImage.objects.bulk_create(
        CampaignImage(campaign=campaign, image=image, content_id=image.content_id)
        for image in images
    )
