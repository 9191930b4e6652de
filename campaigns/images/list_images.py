"""The library's pictures as people choose one, for lists and menus; no bytes are read."""

from dataclasses import dataclass
from html import escape

from campaigns.models import Image


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """One picture to choose: ``path`` shows it on this server, ``snippet`` in a message."""

    name: str
    alt: str
    path: str
    width: int
    height: int
    snippet: str


def list_images(*, limit: int = 200) -> list[ImageChoice]:
    """Return the pictures that were changed last, the newest first, in one query."""
    images = Image.objects.select_related("content").defer("content__data")
    return [
        ImageChoice(
            name=image.name,
            alt=image.alt,
            path=image.content.path,
            width=image.content.width,
            height=image.content.height,
            snippet=snippet_of(image),
        )
        for image in images.order_by("-updated_at", "-pk")[:limit]
    ]


def snippet_of(image: Image) -> str:
    """Return the tag that shows a picture in a message, as wide as the message at most."""
    # Pasted into a template, the words stay words.
    alt = escape(image.alt).replace("{", "&#123;")
    return (
        f'<img src="{{{{ image("{image.name}") }}}}" alt="{alt}" '
        f'width="{image.shown_width}" style="max-width: 100%; height: auto">'
    )
