"""Where the library's pictures are used: campaigns and templates, whatever their state."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db.models import Count

from campaigns.content.pictures import calls_in
from campaigns.models import Campaign, CampaignImage, Image, MessageTemplate


@dataclass(frozen=True, slots=True)
class ImageUse:
    """One campaign or template that shows a picture; ``kind`` is its model's name."""

    kind: str
    pk: int
    name: str

    @property
    def sentence(self) -> str:
        """How people name it."""
        return f"the {'campaign' if self.kind == 'campaign' else 'template'} “{self.name}”"


def uses_of(image: Image) -> list[ImageUse]:
    """Return every use of a picture, campaigns first and the newest of them at the top."""
    left_draft = CampaignImage.objects.filter(image=image).exclude(
        campaign__status=Campaign.Status.DRAFT
    )
    uses = {
        ImageUse("campaign", pk, name)
        for pk, name in left_draft.values_list("campaign_id", "campaign__name")
    }
    uses |= {use for use, names in _written() if image.name in names}
    return sorted(uses, key=lambda use: (use.kind, -use.pk))


def count_uses(images: Collection[Image]) -> dict[int, int]:
    """Return picture id → number of its uses, in three queries however many there are."""
    counts: Counter[int] = Counter()
    rows = CampaignImage.objects.filter(image__in=[image.pk for image in images])
    rows = rows.exclude(campaign__status=Campaign.Status.DRAFT)
    for image_id, count in rows.values_list("image").annotate(Count("pk")).order_by():
        counts[image_id] += count
    ids = {image.name: image.pk for image in images}
    for _, names in _written():
        counts.update(ids[name] for name in names & ids.keys())
    return counts


def _written() -> Iterator[tuple[ImageUse, set[str]]]:
    """Yield drafts and templates with the names they call; all others are frozen in rows."""
    drafts = Campaign.objects.filter(status=Campaign.Status.DRAFT)
    for kind, rows in (("campaign", drafts), ("messagetemplate", MessageTemplate.objects.all())):
        found = rows.filter(email_content__regex=r"image\s*\(")
        for pk, name, source in found.values_list("pk", "name", "email_content").iterator():
            yield ImageUse(kind, pk, name), set(calls_in(source))
