"""How long a text message becomes for the people it is for, and what that costs (M-6, M-8).

Filling it in for everyone is what sending does; here a person is typing. So those with the longest
names and a spread of the others are looked at, and how many they were is said.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.db.models.functions import Length

from campaigns.content.errors import ContentError
from campaigns.content.placeholders import build_context
from campaigns.content.rendering import CompiledMessages, compile_campaign
from campaigns.content.sms_length import SmsLength, measure_sms, price_of
from campaigns.delivery.prepare import tags_by_customer
from campaigns.editor.draft import Draft
from campaigns.preview import context_of
from customers.encryption import DecryptionError
from customers.models import Channel, Customer, CustomerQuerySet
from customers.unsubscribe import preferences_url
from qrcodes.issue_codes import IssuedCode

# Measured with 50,000 recipients on PostgreSQL: half a second.
MOST_LOOKED_AT = 2_000
LONGEST_NAMES = 500
# A draft that is not saved has no number yet; its links are as long as this one's.
LIKELY_NUMBER = 1_000


@dataclass(frozen=True, slots=True)
class MeasuredTexts:
    """What filling in the text message of an audience showed.

    ``recipients`` would get one, ``looked_at`` of them were filled in, besides a customer of whom
    little is known. ``length`` is the longest's and ``customer`` gets it; None is the one of whom
    little is known. ``texts`` are sent, ``segments`` is what they are billed, an estimate unless
    all were looked at, ``price`` what that costs in CURRENCY, None where no price is configured.
    """

    recipients: int
    looked_at: int
    length: SmsLength
    customer: Customer | None
    texts: int
    segments: int
    price: Decimal | None

    @property
    def per_text(self) -> float:
        """Segments of one text, on average."""
        return self.segments / self.texts if self.texts else 0.0


def measure_texts(*, draft: Draft, texts: int | None = None) -> MeasuredTexts | None:
    """Return how long the texts of a draft's audience are; None when it has no text message.

    ``texts`` is how many are sent, where some recipients had enough messages lately. Raises
    ContentError when the text message cannot be filled in.
    """
    if not draft.campaign.sms_content.strip():
        return None
    compiled = compile_campaign(
        subject=draft.campaign.subject, email_content="", sms_content=draft.campaign.sms_content
    )
    reachable = draft.audience.reachable_by(Channel.SMS)
    recipients = reachable.count()
    code = draft.code
    nobody = context_of(
        campaign=draft.campaign, offer=draft.offer, code=code, customer=None, blank=True
    )
    longest, who = measure_sms(compiled.render_sms(nobody)), None
    looked_at = segments = 0
    for customer, text in _fill_in(compiled, draft, code, _some_of(reachable, recipients)):
        length = measure_sms(text)
        looked_at += 1
        segments += length.segments
        if (length.segments, length.units) > (longest.segments, longest.units):
            longest, who = length, customer
    texts = recipients if texts is None else texts
    billed = round(segments * texts / looked_at) if looked_at else 0
    return MeasuredTexts(recipients, looked_at, longest, who, texts, billed, price_of(billed))


def _some_of(reachable: CustomerQuerySet, recipients: int) -> list[Customer]:
    """Return everyone, or the longest names and a spread over the rest."""
    if recipients <= MOST_LOOKED_AT:
        return list(reachable.order_by("pk"))
    letters = Length("first_name") + Length("last_name")
    by_name = reachable.annotate(letters=letters).order_by("-letters", "pk")[:LONGEST_NAMES]
    chosen = {customer.pk: customer for customer in by_name}
    room = MOST_LOOKED_AT - len(chosen)
    ids = list(reachable.exclude(pk__in=chosen).order_by("pk").values_list("pk", flat=True))
    spread = [ids[position * len(ids) // room] for position in range(room)]
    chosen.update(Customer.objects.in_bulk(spread))
    return list(chosen.values())


def _fill_in(
    compiled: CompiledMessages, draft: Draft, code: IssuedCode | None, customers: list[Customer]
) -> Iterator[tuple[Customer, str]]:
    needed = compiled.placeholders_of("sms")
    tags: dict[int, list[str]] = {}
    if needed & {"customer.segments", "customer.segment_list"}:
        tags = tags_by_customer([customer.pk for customer in customers])
    links = needed & {"unsubscribe_url", "preferences_url"}
    source = f"campaign:{draft.campaign.pk or LIKELY_NUMBER}"
    for customer in customers:
        link = preferences_url(customer.pk, source=source) if links else ""
        try:
            context = build_context(
                customer=customer,
                segments=tags.get(customer.pk, []),
                campaign=draft.campaign,
                offer=draft.offer,
                code=code,
                unsubscribe_url=link,
                preferences_url=link,
                needed=needed,
            )
            yield customer, compiled.render_sms(context)
        except (ContentError, DecryptionError):
            # Sending skips and names them one by one; a length has nothing to say about them.
            continue
