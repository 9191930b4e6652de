"""Takes a picture out of the library, unless something shows it."""

from django.db import transaction

from campaigns.images.add_image import unknown_image
from campaigns.images.image_uses import uses_of
from campaigns.models import CampaignImage, Image, ImageContent
from config.errors import DomainError

MOST_NAMED = 3


def delete_image(*, image_id: int) -> None:
    """Delete a picture that nothing uses, and its bytes unless another name shows them.

    Raises DomainError ``unknown_image``, or ``image_used`` naming what uses it: also campaigns long
    sent, whose emails are still opened.
    """
    with transaction.atomic():
        image = Image.objects.select_for_update().filter(pk=image_id).first()
        if image is None:
            raise unknown_image()
        require_unused(image)
        # What is left are drafts again, which name it no more.
        CampaignImage.objects.filter(image=image).delete()
        content_id = image.content_id
        image.delete()
        # Whoever adds the same bytes at this moment locks them too.
        ImageContent.objects.select_for_update().values_list("pk").get(pk=content_id)
        shown = (
            Image.objects.filter(content=content_id).exists()
            or CampaignImage.objects.filter(content=content_id).exists()
        )
        if not shown:
            ImageContent.objects.filter(pk=content_id).delete()


def require_unused(image: Image) -> None:
    """Raise DomainError ``image_used`` when something shows the picture."""
    uses = uses_of(image)
    if uses:
        named = [use.sentence for use in uses[:MOST_NAMED]]
        if len(uses) > MOST_NAMED:
            named.append(f"{len(uses) - MOST_NAMED} more")
        shown_by = " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
        raise DomainError(
            "image_used",
            f"“{image}” cannot be deleted: {shown_by} "
            f"{'show' if len(uses) > 1 else 'shows'} it. Take it out of drafts and templates "
            "first; what was sent keeps its pictures.",
        )
