"""How pictures travel with an email: inside it, as parts, or at an address (R-3)."""

import base64
import binascii
import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

INLINE, CID, HOSTED = "inline", "cid", "hosted"

_QR_PREFIX = re.compile(r"data:image/png;base64,\s*\Z", re.IGNORECASE)
_DATA_URI = re.compile(
    r"data:image/(?P<subtype>png|jpeg|jpg|gif|webp);base64,(?P<content>[A-Za-z0-9+/=\s]+)",
    re.IGNORECASE,
)
_LONGEST_PREFIX = 40
# What stands before an address whose picture is shown, rather than linked to.
_SHOWN_PREFIX = re.compile(
    r"(?:\b(?:src|background)\s*=\s*[\"']?|\burl\(\s*(?:[\"']|&quot;|&#39;)?)\s*\Z", re.IGNORECASE
)
# Bytes of uploaded pictures that travel with one email. Providers refuse 20 to 30 MB, and a picture
# that is repeated in data URIs must not multiply without end.
MAX_CARRIED = 10_000_000


@dataclass(frozen=True, slots=True)
class InlineImage:
    """An image that travels with an email and is shown by ``cid:content_id``."""

    content_id: str
    content: bytes
    subtype: str
    file_name: str

    @property
    def is_qr_code(self) -> bool:
        """Whether it is the customer's QR code."""
        return self.content_id.startswith("qr-")


def apply_image_strategy(
    html: str,
    *,
    qr_code_base64: str,
    qr_code_url: str,
    qr_strategy: str,
    image_strategy: str,
    uploaded: Mapping[str, InlineImage] | None = None,
) -> tuple[str, tuple[InlineImage, ...]]:
    """Return finished HTML with its pictures where the strategies want them, and their parts.

    The QR code is found by its content. Any other picture that the author wrote as a data URI has
    no address of its own, so ``hosted`` makes a part of it as ``cid`` does. What cannot be decoded
    is left as it is. ``uploaded`` holds pictures by the addresses in the HTML; what does not
    fit into ``MAX_CARRIED`` stays at its address.
    """
    images: dict[str, InlineImage] = {}
    if qr_code_base64 and qr_strategy != INLINE and qr_code_base64 in html:
        replacement = qr_code_url
        if qr_strategy == CID:
            image = _image_of("qr", "png", qr_code_base64)
            replacement = f"cid:{image.content_id}"
        html, replaced = _replace_qr(html, qr_code_base64, replacement)
        if replaced and qr_strategy == CID:
            images[image.content_id] = image
    if image_strategy != INLINE and "data:image/" in html:
        html = _replace_others(html, qr_code_base64, images)
    if uploaded and image_strategy != HOSTED:
        html = _carry_uploaded(html, uploaded, image_strategy, images)
    return html, tuple(images.values())


def _replace_qr(html: str, content: str, replacement: str) -> tuple[str, bool]:
    first, *others = html.split(content)
    pieces = [first]
    replaced = False
    for following in others:
        before = pieces[-1]
        prefix = _QR_PREFIX.search(before, max(0, len(before) - _LONGEST_PREFIX))
        if prefix and replacement:
            pieces[-1] = before[: prefix.start()]
            replaced = True
        pieces += (escape(replacement) if prefix and replacement else content, following)
    return "".join(pieces), replaced


def _carry_uploaded(
    html: str,
    uploaded: Mapping[str, InlineImage],
    strategy: str,
    images: dict[str, InlineImage],
) -> str:
    room = MAX_CARRIED
    for address, image in uploaded.items():
        first, *others = html.split(address)
        pieces = [first]
        for following in others:
            before = pieces[-1]
            shown = _SHOWN_PREFIX.search(before, max(0, len(before) - _LONGEST_PREFIX))
            is_part = image.content_id in images
            cost = 0 if is_part else len(image.content)
            if not shown or cost > room:
                pieces += (address, following)
                continue
            room -= cost
            if strategy == CID:
                images[image.content_id] = image
                pieces += (f"cid:{image.content_id}", following)
            else:
                pieces += (_data_uri_of(image), following)
        html = "".join(pieces)
    return html


@functools.lru_cache(maxsize=16)
def _data_uri_of(image: InlineImage) -> str:
    return f"data:image/{image.subtype};base64,{base64.b64encode(image.content).decode()}"


def _replace_others(html: str, qr_content: str, images: dict[str, InlineImage]) -> str:
    def replace(found: re.Match[str]) -> str:
        content = "".join(found["content"].split())
        if content == qr_content:
            return found[0]
        try:
            image = _known_image(found["subtype"].lower(), content)
        except binascii.Error:
            return found[0]
        images[image.content_id] = image
        return f"cid:{image.content_id}"

    return _DATA_URI.sub(replace, html)


@functools.lru_cache(maxsize=64)
def _known_image(subtype: str, content: str) -> InlineImage:
    # The same picture is in every message of a campaign.
    return _image_of("image", "jpeg" if subtype == "jpg" else subtype, content)


def _image_of(kind: str, subtype: str, content: str) -> InlineImage:
    """Return the part for base64 ``content``; its id follows from what it shows (RFC 2392)."""
    decoded = base64.b64decode(content, validate=True)
    name = f"{kind}-{hashlib.sha256(decoded).hexdigest()[:16]}"
    return InlineImage(f"{name}@handbill", decoded, subtype, f"{name}.{subtype}")
