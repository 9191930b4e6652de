"""What a browser posts."""

from campaigns.models import Campaign
from qrcodes.models import Offer


def campaign_post(campaign: Campaign | None = None, **changes) -> dict:
    """The whole campaign form as the browser sends it, with some fields changed."""
    campaign = campaign or Campaign(
        name="Pizza week",
        subject="20% off",
        email_content="<p>Hi</p><a href='{{ unsubscribe_url }}'>Unsubscribe</a>",
        sms_content="20% off: {{ coupon_url }}",
        target_all=True,
    )
    offer = Offer.objects.filter(campaign_id=campaign.pk).first() or Offer(title="20% off")
    segments = list(campaign.target_segments.all()) if campaign.pk else []
    post = {
        "name": campaign.name,
        "subject": campaign.subject,
        "email_content": campaign.email_content,
        "sms_content": campaign.sms_content,
        "target_segments": [segment.pk for segment in segments],
        "qr_expiration_days": campaign.qr_expiration_days,
        "max_usage": campaign.max_usage,
        "send_rate_limit_emails": campaign.send_rate_limit_emails,
        "send_rate_limit_sms": campaign.send_rate_limit_sms,
        "offer_title": offer.title,
        "offer_value": offer.value,
        "offer_terms": offer.terms,
        "offer_minimum_amount": "" if offer.minimum_amount is None else offer.minimum_amount,
        "offer_starts_at_0": "",
        "offer_starts_at_1": "",
        "offer_max_redemptions": "",
        "offer_max_discount": "",
    }
    if campaign.target_all:
        post["target_all"] = "on"
    if campaign.has_qr_code:
        post["has_qr_code"] = "on"
    post.update(changes)
    return {name: value for name, value in post.items() if value is not None}


def said(response) -> list[str]:
    """The messages a page shows."""
    return [str(message) for message in response.context["messages"]]
