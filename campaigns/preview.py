"""Both messages of a campaign as a customer would get them, with a code that is not real (M-6)."""

from dataclasses import dataclass

from campaigns.content.placeholders import build_context, sample_context
from campaigns.delivery.prepare import compiled_messages, tags_by_customer
from campaigns.models import Campaign
from customers.models import Customer
from customers.unsubscribe import preferences_url
from qrcodes.issue_codes import sample_code
from qrcodes.models import Offer


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent; a channel without content is empty."""

    subject: str
    html: str
    text: str
    sms: str


def preview_campaign(*, campaign: Campaign, customer: Customer | None = None) -> Preview:
    """Return both messages filled in for ``customer``, or for a sample person.

    Nothing is saved: the QR code is a sample that no till accepts. Raises DomainError when the
    template does not fill in.
    """
    compiled = compiled_messages(campaign)
    offer = Offer.objects.filter(campaign_id=campaign.pk).first()
    if customer is None:
        context = sample_context(with_qr=campaign.has_qr_code)
    else:
        preferences = preferences_url(customer.pk, source="preview")
        code = None
        if campaign.has_qr_code and offer is not None:
            code = sample_code(offer=offer, expiration_days=campaign.qr_expiration_days)
        context = build_context(
            customer=customer,
            segments=tags_by_customer([customer.pk])[customer.pk],
            campaign=campaign,
            offer=offer,
            code=code,
            unsubscribe_url=preferences,
            preferences_url=preferences,
        )
    email = compiled.render_email(context) if campaign.email_content.strip() else None
    return Preview(
        subject=email.subject if email else "",
        html=email.html if email else "",
        text=email.text if email else "",
        sms=compiled.render_sms(context) if campaign.sms_content.strip() else "",
    )
