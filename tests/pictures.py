"""Pictures for tests, and rows of the library."""

import io

from PIL import Image as Pillow

from campaigns.images.add_image import add_image
from campaigns.images.clean_picture import clean_picture
from campaigns.models import Image


def a_file(
    encoding: str = "PNG",
    *,
    size: tuple[int, int] = (40, 30),
    colour: object = "tomato",
    mode: str = "RGB",
    **options: object,
) -> bytes:
    """A picture of one colour in a file."""
    file = io.BytesIO()
    Pillow.new(mode, size, colour).save(file, encoding, **options)
    return file.getvalue()


def noise(encoding: str = "PNG", *, size: tuple[int, int] = (300, 200), mode: str = "RGB") -> bytes:
    """A picture that does not compress."""
    file = io.BytesIO()
    Pillow.effect_noise(size, 100).convert(mode).save(file, encoding)
    return file.getvalue()


def an_image(name: str = "pizza", *, file: bytes | None = None, **description: object) -> Image:
    """A picture of the library."""
    description.setdefault("alt", "" if description.get("is_decoration") else f"A {name}")
    return add_image(picture=clean_picture(file or a_file()), name=name, **description)


def opened(data: bytes) -> Pillow.Image:
    """The picture in a file, decoded."""
    picture = Pillow.open(io.BytesIO(data))
    picture.load()
    return picture
