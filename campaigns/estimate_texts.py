"""What the texts of a campaign will cost, from a sample of those who get them (M-8)."""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from campaigns.audience import audience_of
from campaigns.content.placeholders import build_context
from campaigns.content.sms_length import measure_sms
from campaigns.delivery.prepare import compiled_messages, tags_by_customer
from campaigns.models import Campaign
from config.errors import DomainError
from customers.encryption import DecryptionError
from customers.models import Channel, Customer
from customers.unsubscribe import preferences_url
from qrcodes.issue_codes import sample_code
from qrcodes.models import Offer

# From either end of the list: an import adds people of a kind together.
SAMPLED_AT_EACH_END = 100


@dataclass(frozen=True, slots=True)
class TextCost:
    """Segments that are billed for ``texts``, as far as ``sampled`` customers tell.

    ``price`` is in CURRENCY, None without SMS_PRICE_PER_SEGMENT.
    """

    texts: int
    sampled: int
    segments: int
    price: Decimal | None

    @property
    def per_text(self) -> float:
        """Segments of one text, on average."""
        return self.segments / self.texts if self.texts else 0.0


def estimate_texts(*, campaign: Campaign, texts: int) -> TextCost | None:
    """Return what so many texts will cost; None when there are none or they do not fill in."""
    if Channel.SMS not in campaign.channels or not texts:
        return None
    lengths = _lengths(campaign)
    if not lengths:
        return None
    segments = round(sum(lengths) / len(lengths) * texts)
    price = settings.SMS_PRICE_PER_SEGMENT
    return TextCost(texts, len(lengths), segments, None if price is None else segments * price)


def _lengths(campaign: Campaign) -> list[int]:
    reached = audience_of(campaign).reachable_by(Channel.SMS)
    first = list(reached.order_by("pk")[:SAMPLED_AT_EACH_END])
    last = list(reached.order_by("-pk")[:SAMPLED_AT_EACH_END])
    people = list({person.pk: person for person in (*first, *last)}.values())
    offer = Offer.objects.filter(campaign_id=campaign.pk).first()
    code = None
    if campaign.has_qr_code and offer is not None:
        # Every code's address is as long as this one's.
        code = sample_code(offer=offer, expiration_days=campaign.qr_expiration_days)
    tags = tags_by_customer([person.pk for person in people])

    def length_for(person: Customer) -> int:
        preferences = preferences_url(person.pk, source=f"campaign:{campaign.pk}")
        compiled = compiled_messages(campaign)
        context = build_context(
            customer=person,
            segments=tags[person.pk],
            campaign=campaign,
            offer=offer,
            code=code,
            unsubscribe_url=preferences,
            preferences_url=preferences,
            needed=compiled.placeholders_of(Channel.SMS),
        )
        return measure_sms(compiled.render_sms(context)).segments

    lengths = []
    for person in people:
        try:
            lengths.append(length_for(person))
        except (DomainError, DecryptionError):
            # It will fail for this customer alone, or the checks name what fails for all.
            continue
    return lengths
