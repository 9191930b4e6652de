"""What a stand-in remembers of a message that reached it."""

import base64
import io
import re
from dataclasses import dataclass, field
from functools import cached_property

TOKEN = re.compile(r"\d+-\d+-[0-9a-f]{32}", re.IGNORECASE)
SHORT_CODE = re.compile(r"/c/([2-9A-Z]{10,})")
DATA_URI = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")
# Larger images are decoration, not QR codes: not kept.
LARGEST_QR_IMAGE = 40_000


@dataclass
class LedgerEntry:
    """One message to one recipient. ``arrived_at`` is the time at which its last byte was read."""

    channel: str
    recipient: str
    delivery_id: str
    arrived_at: float
    monotonic: float
    accepted: bool
    status: int  # what was answered; 0 when nothing was
    violations: list[str] = field(default_factory=list)
    provider_id: str = ""
    subject: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    html_size: int = 0
    text_size: int = 0
    segments: int = 0
    short_code: str = ""
    images: list[str] = field(default_factory=list)  # base64 PNGs
    raw: str = ""  # the request's body, where the stand-in was told to keep it

    @cached_property
    def token(self) -> str:
        """The token in the QR image, read as a phone reads it; empty when there is none."""
        for image in self.images:
            found = TOKEN.search(read_qr_code(base64.b64decode(image)))
            if found:
                return found[0].lower()
        return ""


def read_qr_code(png: bytes) -> str:
    """Return the text of the QR code in an image, or an empty text when there is none."""
    # The server shares this module and needs neither.
    import zxingcpp
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(png)) as image:
            codes = zxingcpp.read_barcodes(
                image.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode
            )
    except UnidentifiedImageError:
        return ""
    return codes[0].text if codes else ""
