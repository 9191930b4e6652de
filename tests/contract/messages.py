"""Messages for the contract tests."""

import secrets
import uuid
from typing import Any

from campaigns.channels.base import InlineImage, OutgoingEmail, OutgoingSms
from qrcodes.images import qr_png


def new_token() -> str:
    return f"7-{secrets.randbelow(10**6)}-{secrets.token_hex(16)}"


def an_email(token: str = "", **fields: Any) -> OutgoingEmail:
    token = token or new_token()
    image = InlineImage(
        content_id="qr-code",
        content=qr_png(f"https://coupons.example.com/r/{token}"),
        subtype="png",
        file_name="coupon.png",
    )
    values = {
        "public_id": str(uuid.uuid4()),
        "to": "ada@example.com",
        "to_name": "Ada Lovelace",
        "subject": "20% off every pizza",
        "html": '<p>Hello Ada</p><img src="cid:qr-code" alt="Your code">',
        "text": "Hello Ada",
        "unsubscribe_url": "https://coupons.example.com/u/abc.def",
        "images": (image,),
    }
    return OutgoingEmail(**{**values, **fields})


def a_text(**fields: Any) -> OutgoingSms:
    values = {
        "public_id": str(uuid.uuid4()),
        "to": "+4915112345678",
        "body": "20% off: https://coupons.example.com/c/ABCDE23456",
    }
    return OutgoingSms(**{**values, **fields})
