"""From a file that somebody uploaded to a picture that may be shown to anybody (Z-3).

What a file is, is decided by its content. Its pixels are decoded and encoded anew, so nothing else
that it held goes on: no place where a photo was taken, no second file hidden in it.
"""

import hashlib
import io
import math
from dataclasses import dataclass

from PIL import Image, ImageCms, ImageOps

from config.errors import DomainError

MAX_BYTES = 10_000_000
# Points that are decoded at most, so that no file takes 100 MB: a JPEG is decoded at a fraction of
# its size unless it is progressive, PNG and GIF at up to ten bytes a point, WebP at sixteen.
MAX_POINTS = {"JPEG": 25_000_000, "PNG": 8_500_000, "GIF": 8_500_000, "WEBP": 5_000_000}
MAX_PROGRESSIVE_POINTS = 10_000_000
# Each pass goes over all the points again, in a few bytes of the file; programs write ten.
MAX_PASSES = 100
# Twice the width of a message, for sharp screens.
MAX_WIDTH, MAX_HEIGHT = 1_200, 5_000
MAX_KEPT_BYTES = 2_000_000
JPEG_QUALITY = 85
# An opaque PNG beyond this is a photo: encoded as one it is a fraction of its size.
LARGE_PNG_BYTES = 200_000
# EXIF orientations in which the picture lies on its side.
_TURNED = range(5, 9)
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class CleanPicture:
    """A picture as it is kept: ``format`` is png or jpeg, ``digest`` the SHA-256 of ``data``."""

    data: bytes
    format: str
    width: int
    height: int

    @property
    def digest(self) -> str:
        """What names these bytes for ever."""
        return hashlib.sha256(self.data).hexdigest()


def clean_picture(file: bytes) -> CleanPicture:
    """Return what is shown of an uploaded file: upright, at most 1,200 points wide, and no more.

    Raises DomainError ``empty_file``, ``file_too_large``, ``not_an_image``, ``image_too_large``,
    ``image_moves`` or ``image_broken``.
    """
    if not file:
        raise DomainError("empty_file", "This file is empty: choose another one.")
    if len(file) > MAX_BYTES:
        raise file_too_large()
    with _open(file) as image:
        _check_points(image)
        _check_passes(image, file)
        # Whatever a broken file makes a decoder raise: its words are of no use to anybody.
        try:
            moves = _moves(image)
            is_photo = image.format in {"JPEG", "MPO"}
            picture = None if moves else _encode(_upright(image), is_photo=is_photo)
        except Exception:
            raise DomainError(
                "image_broken",
                "This picture is damaged and cannot be shown: open it in a program for pictures "
                "and save it again.",
            ) from None
    if picture is None:
        raise DomainError(
            "image_moves",
            "This picture moves. Some mail programs show its first moment only, so save that one "
            "as a still picture.",
        )
    if len(picture.data) > MAX_KEPT_BYTES:
        raise DomainError(
            "image_too_large",
            "This picture is too heavy for an email: make it smaller, or save it as JPEG.",
        )
    return picture


def file_too_large() -> DomainError:
    """Return what is raised for a file with too many bytes."""
    return DomainError(
        "file_too_large",
        f"The file is larger than {MAX_BYTES // 1_000_000} MB: save the picture in a smaller size.",
    )


def _open(file: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(file), formats=tuple(MAX_POINTS))
    except Image.DecompressionBombError:
        raise _too_many_points(MAX_POINTS["JPEG"]) from None
    except Exception:
        raise DomainError(
            "not_an_image",
            "This is not a picture that emails can show: choose a PNG, JPEG, GIF or WebP file.",
        ) from None


def _check_points(image: Image.Image) -> None:
    """Refuse by what the header says, before anything is decoded."""
    # What cameras store with more than one picture in a JPEG calls itself MPO.
    most = MAX_POINTS.get(image.format or "", MAX_POINTS["JPEG"])
    if image.info.get("progressive"):
        most = MAX_PROGRESSIVE_POINTS
    if image.width * image.height > most:
        raise _too_many_points(most)


def _check_passes(image: Image.Image, file: bytes) -> None:
    """Refuse a JPEG of 50 KB that takes minutes to decode."""
    # Within the points of a JPEG these two bytes mark the beginning of a pass and nothing else.
    if image.info.get("progressive") and file.count(b"\xff\xda") > MAX_PASSES:
        raise DomainError(
            "image_broken",
            "This picture is saved in far too many passes: open it in a program for pictures and "
            "save it again.",
        )


def _too_many_points(most: int) -> DomainError:
    return DomainError(
        "image_too_large",
        f"This picture has more than {most / 1_000_000:g} million points: save it in a smaller "
        f"size. Emails show {MAX_WIDTH:,} across.",
    )


def _moves(image: Image.Image) -> bool:
    # The other pictures of an MPO are the camera's, not a film.
    return image.format in {"PNG", "GIF", "WEBP"} and bool(getattr(image, "is_animated", False))


def _upright(image: Image.Image) -> Image.Image:
    """Return the picture in its size, colours and orientation, in mode L, RGB or RGBA."""
    turned = image.getexif().get(_ORIENTATION) in _TURNED
    widest, highest = (MAX_HEIGHT, MAX_WIDTH) if turned else (MAX_WIDTH, MAX_HEIGHT)
    scale = min(1, widest / image.width, highest / image.height)
    size = (math.ceil(image.width * scale), math.ceil(image.height * scale))
    profile = image.info.get("icc_profile")
    if image.format not in {"JPEG", "MPO"}:
        image = _in_plain_mode(image)
    # The exact size lets a JPEG be decoded at a half or an eighth, where that is large enough.
    image.thumbnail(size, Image.Resampling.LANCZOS, reducing_gap=2)
    ImageOps.exif_transpose(image, in_place=True)
    if profile:
        image = _in_srgb(image, profile)
    return _in_plain_mode(image)


def _in_plain_mode(image: Image.Image) -> Image.Image:
    sees_through = "transparency" in image.info or image.mode in {"LA", "PA", "La", "RGBa"}
    if image.mode in {"L", "RGB", "RGBA"} and not sees_through:
        return image
    if image.mode.startswith("I"):
        # Sixteen bits a point.
        return image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode == "1" and not sees_through:
        return image.convert("L")
    return image.convert("RGBA" if sees_through else "RGB")


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return the picture in the colours that mail programs assume; as it is when it cannot be."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted or image


def _encode(image: Image.Image, *, is_photo: bool) -> CleanPicture:
    """Encode the points and nothing else; what is no photo stays sharp unless it is large."""
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    # A new picture has none of what the old one carried beside its points.
    bare = Image.new(image.mode, image.size)
    bare.paste(image)
    data, encoded = b"", "jpeg"
    if not is_photo:
        data, encoded = _saved(bare, "PNG"), "png"
    if is_photo or (len(data) > LARGE_PNG_BYTES and bare.mode != "RGBA"):
        as_photo = _saved(bare, "JPEG", quality=JPEG_QUALITY, progressive=True)
        if is_photo or len(as_photo) < len(data) / 2:
            data, encoded = as_photo, "jpeg"
    return CleanPicture(data, encoded, bare.width, bare.height)


def _saved(image: Image.Image, encoding: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, encoding, optimize=True, **options)
    return file.getvalue()
