"""Both messages of a campaign as a customer would get them, with a code that is not real (M-6)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from campaigns.content.pictures import preview_pictures
from campaigns.content.placeholders import PLACEHOLDERS, build_context, sample_context
from campaigns.content.rendering import RenderedEmail, compile_campaign
from campaigns.delivery.prepare import compiled_messages, tags_by_customer
from campaigns.models import Campaign
from customers.models import Customer
from customers.unsubscribe import preferences_url
from qrcodes.issue_codes import IssuedCode, sample_code
from qrcodes.models import Offer

# What a sample person cannot have of their own: everything but themselves.
NOT_PERSONAL = frozenset(p.name for p in PLACEHOLDERS if not p.name.startswith("customer."))


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent; a channel without content is empty. ``html`` brings its own images."""

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
    code = None
    if campaign.has_qr_code and offer is not None:
        code = sample_code(offer=offer, expiration_days=campaign.qr_expiration_days)
    context = context_of(campaign=campaign, offer=offer, code=code, customer=customer)
    pictures = preview_pictures(email_content=campaign.email_content, campaign=campaign)
    has_email = campaign.email_content.strip()
    email = compiled.render_email(context, pictures=pictures) if has_email else None
    return Preview(
        subject=email.subject if email else "",
        html=with_own_images(email, context) if email else "",
        text=email.text if email else "",
        sms=compiled.render_sms(context) if campaign.sms_content.strip() else "",
    )


def preview_content(
    *,
    subject: str,
    email_content: str,
    sms_content: str,
    offer: Mapping[str, str],
    email_text: str = "",
) -> Preview:
    """Return both messages of no campaign yet, filled in for a sample person.

    ``offer`` holds the fields of ``offer.*`` that are known. Nothing is read from the database but
    the pictures that the email names. Raises DomainError when a template does not fill in.
    """
    compiled = compile_campaign(
        subject=subject,
        email_content=email_content,
        sms_content=sms_content,
        email_text=email_text,
    )
    context = sample_context()
    context["offer"] = {**dict.fromkeys(context["offer"], ""), **offer}
    pictures = preview_pictures(email_content=email_content)
    email = compiled.render_email(context, pictures=pictures) if email_content.strip() else None
    return Preview(
        subject=email.subject if email else "",
        html=with_own_images(email, context) if email else "",
        text=email.text if email else "",
        sms=compiled.render_sms(context) if sms_content.strip() else "",
    )


def context_of(
    *,
    campaign: Campaign,
    offer: Offer | None,
    code: IssuedCode | None,
    customer: Customer | None,
    blank: bool = False,
) -> dict[str, Any]:
    """Return the values of a preview for ``customer``, or for a sample person.

    Of a ``blank`` sample person little is known. Campaign and offer need not be saved.
    """
    if customer is None:
        link = f"{settings.PUBLIC_BASE_URL}/u/sample"
        own = build_context(
            customer=Customer(),
            segments=[],
            campaign=campaign,
            offer=offer,
            code=code,
            unsubscribe_url=link,
            preferences_url=link,
            needed=NOT_PERSONAL,
        )
        return {**own, "customer": sample_context(blank=blank)["customer"]}
    preferences = preferences_url(customer.pk, source="preview")
    return build_context(
        customer=customer,
        segments=tags_by_customer([customer.pk])[customer.pk],
        campaign=campaign,
        offer=offer,
        code=code,
        unsubscribe_url=preferences,
        preferences_url=preferences,
    )


def with_own_images(email: RenderedEmail, context: Mapping[str, Any]) -> str:
    """Put the images into the HTML: a preview has no parts, and the sample code no address."""
    html = email.html
    for image in email.images:
        encoded = base64.b64encode(image.content).decode("ascii")
        data = f"data:image/{image.subtype};base64,{encoded}"
        html = html.replace(f"cid:{image.content_id}", data)
    if context["qr_code_url"]:
        data = f"data:image/png;base64,{context['qr_code_base64']}"
        html = html.replace(context["qr_code_url"], data)
    return html
