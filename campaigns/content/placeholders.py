"""The placeholders of a message: what each means, and the plain values that fill them in (R-1)."""

import base64
import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from email.utils import parseaddr
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import dateformat

from campaigns.models import Campaign
from customers.models import Customer
from qrcodes.codes import (
    coupon_url,
    display_short_code,
    expiry_of,
    image_url,
    qr_payload,
    short_code_of,
)
from qrcodes.images import qr_png
from qrcodes.issue_codes import IssuedCode
from qrcodes.models import Offer, QRCode

# How much one customer's attributes can put into a message.
MAX_TEXT = 2_000
MAX_LETTERS = 20_000
MAX_ITEMS = 100
MAX_DEPTH = 4
MAX_VALUES = 1_000
# Longer than any count or number of points: such a number is passed on as a text.
LARGEST_NUMBER = 10**15

SAMPLE_TOKEN = "0-0-" + "0" * 32


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything one customer's messages are about."""

    customer: Customer
    segments: list[str]
    campaign: Campaign
    offer: Offer | None
    code: IssuedCode | None
    unsubscribe_url: str
    preferences_url: str

    @property
    def token(self) -> str:
        """The code's token, or an empty text."""
        return self.code.qr_code.token if self.code else ""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One name a template may use, a sentence about it, and the function that finds its value.

    ``group`` orders the names for people. A name that ends in ``.*`` stands for any name there.
    """

    name: str
    description: str
    group: str
    value: Callable[[Facts], Any]

    @property
    def sample(self) -> Any:
        """The value it has in ``sample_context``."""
        return self.value(_sample_facts(with_qr=True))


@functools.lru_cache(maxsize=512)
def _date_in(zone: str, moment: datetime) -> str:
    local = moment.astimezone(ZoneInfo(zone))
    whole_day = local.time() == time.min or (local.hour, local.minute) == (23, 59)
    return dateformat.format(local, "j F Y" if whole_day else "j F Y, H:i")


def readable_date(moment: datetime | None) -> str:
    """Return a moment as its date in the business's zone: “30 November 2026”.

    A time follows unless it is midnight or the last minute of the day. None is an empty text.
    """
    return _date_in(settings.TIME_ZONE, moment) if moment else ""


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:.2f} {settings.CURRENCY}"


class _PlainCopy:
    """Copies a JSON value within the bounds above; what is beyond them is left out."""

    def __init__(self) -> None:
        self.values_left = MAX_VALUES
        self.letters_left = MAX_LETTERS

    def of(self, value: object, depth: int = 0) -> Any:
        self.values_left -= 1
        if self.values_left < 0 or depth > MAX_DEPTH:
            return None
        if isinstance(value, Mapping):
            pairs = islice(value.items(), MAX_VALUES)
            copies = ((str(key)[:MAX_TEXT], self.of(item, depth + 1)) for key, item in pairs)
            # A null says what a missing field says: nothing.
            return {key: item for key, item in copies if item is not None}
        if isinstance(value, list):
            return [self.of(item, depth + 1) for item in value[:MAX_ITEMS]]
        if isinstance(value, bool | float):
            return value
        if isinstance(value, int) and abs(value) < LARGEST_NUMBER:
            return value
        return None if value is None else self._text(str(value))

    def _text(self, text: str) -> str:
        text = text[: min(MAX_TEXT, self.letters_left)]
        self.letters_left -= len(text)
        return text


def _plain_attributes(attributes: object) -> dict[str, Any]:
    return _PlainCopy().of(attributes) if isinstance(attributes, dict) else {}


PLACEHOLDERS = (
    Placeholder(
        "customer.first_name", "First name.", "Customer", lambda of: of.customer.first_name
    ),
    Placeholder("customer.last_name", "Last name.", "Customer", lambda of: of.customer.last_name),
    Placeholder(
        "customer.full_name",
        "First and last name, as far as known.",
        "Customer",
        lambda of: of.customer.full_name,
    ),
    Placeholder("customer.email", "Email address.", "Customer", lambda of: of.customer.email),
    Placeholder(
        "customer.phone",
        "Phone number with its country code.",
        "Customer",
        lambda of: of.customer.phone,
    ),
    Placeholder(
        "customer.language",
        "Language code, such as en.",
        "Customer",
        lambda of: of.customer.language,
    ),
    Placeholder(
        "customer.segments",
        "The customer’s tags, separated by commas.",
        "Customer",
        lambda of: ", ".join(of.segments),
    ),
    Placeholder(
        "customer.segment_list",
        "The customer’s tags as a list: {% if 'vip' in customer.segment_list %}.",
        "Customer",
        lambda of: list(of.segments[:MAX_ITEMS]),
    ),
    Placeholder(
        "customer.attributes.*",
        "Any free field of the customer, such as customer.attributes.favourite_pizza. Empty for "
        "those who do not have it.",
        "Customer",
        lambda of: _plain_attributes(of.customer.attributes),
    ),
    Placeholder(
        "qr_code_base64",
        'The QR code for <img src="data:image/png;base64,{{ qr_code_base64 }}">. Empty when the '
        "campaign has none, so {% if qr_code_base64 %} works.",
        "Coupon",
        lambda of: of.code.png_base64 if of.code else "",
    ),
    Placeholder(
        "qr_code_url",
        "The address of the QR code’s picture.",
        "Coupon",
        lambda of: image_url(of.token) if of.token else "",
    ),
    Placeholder(
        "coupon_url",
        "The short address of the customer’s coupon page.",
        "Coupon",
        lambda of: coupon_url(of.token) if of.token else "",
    ),
    Placeholder(
        "short_code",
        "The code in letters, for typing at the till.",
        "Coupon",
        lambda of: display_short_code(short_code_of(of.token)) if of.token else "",
    ),
    Placeholder(
        "expires_at",
        "The last day on which the coupon is valid.",
        "Coupon",
        lambda of: readable_date(of.code.qr_code.expires_at) if of.code else "",
    ),
    Placeholder(
        "offer.title",
        "What the customer gets.",
        "Offer",
        lambda of: of.offer.title if of.offer else "",
    ),
    Placeholder(
        "offer.value",
        "What it is worth, in short.",
        "Offer",
        lambda of: of.offer.value if of.offer else "",
    ),
    Placeholder(
        "offer.terms", "The small print.", "Offer", lambda of: of.offer.terms if of.offer else ""
    ),
    Placeholder(
        "offer.minimum_amount",
        "The smallest bill it is for, with the currency. Empty when there is none.",
        "Offer",
        lambda of: _money(of.offer.minimum_amount) if of.offer else "",
    ),
    Placeholder(
        "offer.starts_at",
        "The first day on which it is valid. Empty when that is at once.",
        "Offer",
        lambda of: readable_date(of.offer.starts_at) if of.offer else "",
    ),
    Placeholder("campaign.name", "The campaign’s name.", "Campaign", lambda of: of.campaign.name),
    Placeholder(
        "campaign.subject",
        "The email’s subject, filled in.",
        "Campaign",
        lambda of: of.campaign.subject,
    ),
    Placeholder(
        "unsubscribe_url",
        "Where the customer unsubscribes. Every email needs this link.",
        "Links",
        lambda of: of.unsubscribe_url,
    ),
    Placeholder(
        "preferences_url",
        "Where the customer chooses between email and text messages.",
        "Links",
        lambda of: of.preferences_url,
    ),
    Placeholder(
        "business.name", "Your business’s name.", "Business", lambda of: settings.BUSINESS_NAME
    ),
    Placeholder(
        "business.address",
        "Your postal address.",
        "Business",
        lambda of: settings.BUSINESS_ADDRESS,
    ),
    Placeholder(
        "business.email",
        "The address your emails come from.",
        "Business",
        lambda of: parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
    ),
)
NAMES = frozenset(placeholder.name for placeholder in PLACEHOLDERS)
GROUPS = frozenset(name.split(".")[0] for name in NAMES if "." in name)


def build_context(
    *,
    customer: Customer,
    segments: list[str],
    campaign: Campaign,
    offer: Offer | None,
    code: IssuedCode | None,
    unsubscribe_url: str,
    preferences_url: str,
    needed: Collection[str] = NAMES,
) -> dict[str, Any]:
    """Return the values for one customer's messages: texts, numbers, lists and dictionaries only.

    ``needed`` (``CompiledMessages.placeholders``) spares decrypting and signing what no template
    shows. Raises DecryptionError when a needed address cannot be decrypted.
    """
    facts = Facts(customer, segments, campaign, offer, code, unsubscribe_url, preferences_url)
    return _fill(facts, needed)


def sample_context(*, with_qr: bool = True, blank: bool = False) -> dict[str, Any]:
    """Return values as ``build_context`` does, of a customer and a code that are not real.

    Of a ``blank`` customer nothing is known but where to write. Nothing is read from the database.
    """
    return _fill(_sample_facts(with_qr=with_qr, blank=blank), NAMES)


def _fill(facts: Facts, needed: Collection[str]) -> dict[str, Any]:
    context: dict[str, Any] = {group: {} for group in GROUPS}
    for placeholder in PLACEHOLDERS:
        if placeholder.name not in needed:
            continue
        group, dot, field = placeholder.name.removesuffix(".*").partition(".")
        value = placeholder.value(facts)
        if dot:
            context[group][field] = value
        else:
            context[group] = value
    return context


@functools.lru_cache(maxsize=4)
def _sample_png(payload: str) -> bytes:
    return qr_png(payload)


def stand_in_code(*, expiration_days: int) -> IssuedCode:
    """Return the same code each time, of campaign 0, which does not exist: no till takes it."""
    png = _sample_png(qr_payload(SAMPLE_TOKEN))
    row = QRCode(token=SAMPLE_TOKEN, expires_at=expiry_of(datetime.now(UTC), expiration_days))
    return IssuedCode(row, png, base64.b64encode(png).decode())


def _sample_facts(*, with_qr: bool, blank: bool = False) -> Facts:
    customer = Customer()
    if not blank:
        customer.first_name, customer.last_name, customer.language = "Ada", "Lovelace", "en"
        customer.attributes = {"favourite_pizza": "Margherita", "points": 120}
    customer.set_email("ada@example.com")
    customer.set_phone("+12025550123")
    code = stand_in_code(expiration_days=30) if with_qr else None
    link = f"{settings.PUBLIC_BASE_URL}/u/sample"
    return Facts(
        customer=customer,
        segments=[] if blank else ["regulars", "vip"],
        campaign=Campaign(name="Pizza week", subject="20% off every pizza"),
        offer=Offer(
            title="20% off every pizza",
            value="20%",
            terms="One coupon per visit. Not with other offers.",
            minimum_amount=Decimal(15),
        ),
        code=code,
        unsubscribe_url=link,
        preferences_url=link,
    )
