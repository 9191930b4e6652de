"""A message as somebody is writing it: nothing of it is saved (M-6)."""

from collections.abc import Collection
from dataclasses import dataclass

from campaigns.audience import audience_in
from campaigns.content.placeholders import stand_in_code
from campaigns.models import Campaign
from customers.models import Customer, CustomerQuerySet
from qrcodes.issue_codes import IssuedCode
from qrcodes.models import Offer


@dataclass(frozen=True, slots=True)
class Draft:
    """What a form holds. ``campaign`` and ``offer`` are never saved; segments are ids."""

    campaign: Campaign
    offer: Offer | None
    everyone: bool = False
    segments: Collection[int] = ()
    excluded: Collection[int] = ()

    @property
    def contents(self) -> dict[str, str]:
        """The templates, under the names of their fields."""
        return {
            "subject": self.campaign.subject,
            "email_content": self.campaign.email_content,
            "email_text": self.campaign.email_text,
            "sms_content": self.campaign.sms_content,
        }

    @property
    def code(self) -> IssuedCode | None:
        """A code that is not real, where the campaign has codes."""
        if not self.campaign.has_qr_code:
            return None
        return stand_in_code(expiration_days=self.campaign.qr_expiration_days)

    @property
    def audience(self) -> CustomerQuerySet:
        """Whom it is for."""
        return audience_in(everyone=self.everyone, segments=self.segments, excluded=self.excluded)


def draft_of(campaign: Campaign) -> Draft:
    """Return a saved campaign as a draft."""
    return Draft(
        campaign=campaign,
        offer=Offer.objects.filter(campaign_id=campaign.pk).first(),
        everyone=campaign.target_all,
        segments=list(campaign.target_segments.values_list("pk", flat=True)),
        excluded=list(campaign.excluded_segments.values_list("pk", flat=True)),
    )


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a preview is filled in for: a customer, or a sample person when ``customer`` is None.

    Of a ``blank`` sample person little is known.
    """

    customer: Customer | None = None
    blank: bool = False

    @property
    def name(self) -> str:
        """What the page calls them."""
        if self.customer is not None:
            return str(self.customer)
        return "a customer of whom little is known" if self.blank else "a sample customer"


FIRST, SAMPLE, BLANK = "first", "sample", "blank"


def choose_person(*, choice: str, draft: Draft, sees_customers: bool) -> Person:
    """Return whom to show a draft as: ``first`` of its audience, ``sample``, ``blank``, or an id.

    Whoever does not exist, or may not be seen, is the sample person.
    """
    if choice == BLANK:
        return Person(blank=True)
    if choice == SAMPLE or not sees_customers:
        return Person()
    if choice.isascii() and choice.isdigit() and len(choice) <= 18:
        return Person(Customer.objects.alive().filter(pk=int(choice)).first())
    return Person(draft.audience.order_by("pk").first())
