"""Uploaded pictures as messages show them: from the name in a template to an address (R-2, R-3).

A draft shows the library's pictures. A campaign that has left draft shows those it had then
(``campaigns.images.freeze_images``), whatever becomes of the library.
"""

import functools
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.conf import settings

from campaigns.content.images import HOSTED, InlineImage
from campaigns.models import Campaign, CampaignImage, Image, ImageContent

LONGEST_NAME = 60
MOST_PICTURES = 50
MOST_SUGGESTED = 2_000
_CALL = re.compile(r"\bimage\s*\(\s*(?P<quote>[\"'])(?P<name>[a-z0-9_-]{1,60})(?P=quote)")
# Bytes never change under a digest, so what is kept here is never stale.
_CONTENTS_KEPT = 16


@dataclass(frozen=True, slots=True)
class Picture:
    """What a name shows: ``url`` is what ``image("name")`` puts into the HTML, ``size`` in bytes.

    ``part`` is there when the strategy has it travel with the email.
    """

    name: str
    url: str
    size: int
    is_decoration: bool
    part: InlineImage | None = None


Pictures = dict[str, Picture]


def calls_in(source: str) -> dict[str, int]:
    """Return the names that a template passes to ``image`` → the line of the first call.

    Calls in comments count too: a name too many does no harm, one too few would.
    """
    calls: dict[str, int] = {}
    line, counted = 1, 0
    for call in _CALL.finditer(source):
        if call["name"] not in calls:
            # From the last call on only: half a megabyte may be nothing but calls.
            line += source.count("\n", counted, call.start())
            counted = call.start()
            calls[call["name"]] = line
    return calls


def known_names(names: Collection[str]) -> set[str]:
    """Return those of the names that the library has."""
    return set(Image.objects.filter(name__in=names).values_list("name", flat=True))


def library_names() -> list[str]:
    """Return names of the library, for suggestions: those that were changed last."""
    newest = Image.objects.order_by("-updated_at").values_list("name", flat=True)
    return list(newest[:MOST_SUGGESTED])


def library_pictures(names: Collection[str]) -> Pictures:
    """Return what these names show now, ready for a message that leaves."""
    return _pictures_of(_current(names), carried=settings.IMAGE_STRATEGY != HOSTED)


def hosted_pictures(names: Collection[str]) -> Pictures:
    """Return what these names show now at their addresses, without any bytes: for checks."""
    return _pictures_of(_current(names), carried=False)


def campaign_pictures(campaign: Campaign) -> Pictures:
    """Return what the campaign's email shows, in two queries at most; none without a picture."""
    return _pictures_of(_rows_of(campaign), carried=settings.IMAGE_STRATEGY != HOSTED)


def preview_pictures(*, email_content: str, campaign: Campaign | None = None) -> Pictures:
    """Return pictures for a page of this server: by their paths, whatever PUBLIC_BASE_URL says."""
    rows = _rows_of(campaign) if campaign else _current(calls_in(email_content))
    return _pictures_of(rows, carried=False, host="")


def _rows_of(campaign: Campaign) -> list[tuple[Image, ImageContent]]:
    names = set(calls_in(campaign.email_content))
    frozen: list[tuple[Image, ImageContent]] = []
    if names and not campaign.is_draft:
        rows = CampaignImage.objects.filter(campaign=campaign, image__name__in=names)
        frozen = [
            (row.image, row.content)
            for row in rows.select_related("image", "content").defer("content__data")
        ]
    # A campaign that was made without being checked still shows no hole.
    return frozen + _current(names - {image.name for image, _ in frozen})


def _current(names: Collection[str]) -> list[tuple[Image, ImageContent]]:
    if not names:
        return []
    images = Image.objects.filter(name__in=names)
    return [
        (image, image.content) for image in images.select_related("content").defer("content__data")
    ]


def _pictures_of(
    rows: Iterable[tuple[Image, ImageContent]], *, carried: bool, host: str | None = None
) -> Pictures:
    base = settings.PUBLIC_BASE_URL if host is None else host
    return {
        image.name: Picture(
            name=image.name,
            url=f"{base}{content.path}",
            size=content.size,
            is_decoration=image.is_decoration,
            part=_part_of(content.digest, content.format) if carried else None,
        )
        for image, content in rows
    }


@functools.lru_cache(maxsize=_CONTENTS_KEPT)
def _part_of(digest: str, subtype: str) -> InlineImage:
    data = ImageContent.objects.values_list("data", flat=True).get(digest=digest)
    name = f"image-{digest[:16]}"
    return InlineImage(f"{name}@handbill", bytes(data), subtype, f"{name}.{subtype}")
