"""The library's changes: a picture added, replaced under its name, described anew (R-2)."""

import re

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from campaigns.content.pictures import LONGEST_NAME
from campaigns.images.clean_picture import CleanPicture
from campaigns.models import Image, ImageContent
from config.errors import DomainError

LONGEST_ALT = 250


def add_image(
    *,
    picture: CleanPicture,
    name: str,
    alt: str = "",
    is_decoration: bool = False,
    user: AbstractBaseUser | None = None,
) -> Image:
    """Add a picture of ``clean_picture`` under ``free_name(name)``.

    Raises DomainError ``invalid_name``, ``name_taken``, ``no_alt`` or ``alt_too_long``. Nothing is
    changed then.
    """
    name = free_name(name)
    alt = checked_alt(alt, is_decoration=is_decoration)
    try:
        with transaction.atomic():
            return Image.objects.create(
                name=name,
                alt=alt,
                is_decoration=is_decoration,
                content=_stored(picture),
                created_by=user,  # type: ignore[misc]
            )
    except IntegrityError:
        raise _name_taken(name) from None


def change_image(
    *, image_id: int, alt: str, is_decoration: bool = False, picture: CleanPicture | None = None
) -> Image:
    """Describe a picture anew, and show another one under its name when one is given.

    Drafts and templates show the new one from now on. Campaigns that have left draft, and emails
    that are out, keep what they showed: its bytes and its address stay. Raises DomainError
    ``unknown_image``, ``no_alt`` or ``alt_too_long``; nothing is changed then.
    """
    alt = checked_alt(alt, is_decoration=is_decoration)
    with transaction.atomic():
        image = Image.objects.select_for_update().filter(pk=image_id).first()
        if image is None:
            raise unknown_image()
        image.alt, image.is_decoration = alt, is_decoration
        if picture is not None:
            image.content = _stored(picture)
        image.save(update_fields=["alt", "is_decoration", "content", "updated_at"])
    return image


def free_name(text: str) -> str:
    """Return a text as the name of a new picture.

    Raises DomainError ``invalid_name`` or ``name_taken``.
    """
    name = re.sub("-{2,}", "-", slugify(text))
    if not name or len(name) > LONGEST_NAME:
        raise DomainError(
            "invalid_name",
            f"Give the picture a name of up to {LONGEST_NAME} letters a to z, digits and hyphens, "
            "such as summer-pizza.",
        )
    if Image.objects.filter(name=name).exists():
        raise _name_taken(name)
    return name


def unknown_image() -> DomainError:
    """Return what is raised for a picture that is not, or no longer, in the library."""
    return DomainError("unknown_image", "There is no such picture: it may have been deleted.")


def checked_alt(alt: str, *, is_decoration: bool) -> str:
    """Return an alt text as it is kept. Raises DomainError ``no_alt`` or ``alt_too_long``."""
    alt = " ".join(alt.split())
    if is_decoration:
        return ""
    if not alt:
        raise DomainError(
            "no_alt",
            "Say what the picture shows, for those who cannot see it, or mark it as decoration.",
        )
    if len(alt) > LONGEST_ALT:
        raise DomainError(
            "alt_too_long", f"The alt text is too long: use up to {LONGEST_ALT} characters."
        )
    return alt


def _stored(picture: CleanPicture) -> ImageContent:
    """Return the row of these bytes, locked against deletion; the same bytes are kept once."""
    rows = ImageContent.objects.defer("data").select_for_update()
    content, _ = rows.get_or_create(
        digest=picture.digest,
        defaults={
            "format": picture.format,
            "width": picture.width,
            "height": picture.height,
            "size": len(picture.data),
            "data": picture.data,
        },
    )
    return content


def _name_taken(name: str) -> DomainError:
    return DomainError(
        "name_taken",
        f"There is a picture “{name}” already: choose another name, or open that one to replace "
        "it.",
    )
