"""Checks of what the coupon is worth and of when it is good (M-7)."""

from collections.abc import Iterator

from django.utils import timezone
from django.utils.formats import date_format

from campaigns.content.problems import Problem
from campaigns.models import Campaign
from config.clock import database_now
from qrcodes.codes import expiry_of
from qrcodes.models import Offer


def check_offer(campaign: Campaign) -> Iterator[Problem]:
    """Yield what is wrong with a campaign's offer; nothing without a QR code."""
    if not campaign.has_qr_code:
        return
    offer = Offer.objects.filter(campaign_id=campaign.pk).first()
    if offer is None:
        message = "The coupon has no offer: say what it is worth, or turn the QR code off."
        yield Problem("no_offer", message, "has_qr_code")
        return
    if not offer.title.strip():
        message = "The coupon does not say what customers get: write it in one line."
        yield Problem("offer_untitled", message, "offer_title")
    # A scheduled campaign makes its codes when it is sent.
    sent_at = max(database_now(), campaign.scheduled_for or database_now())
    last_day = expiry_of(sent_at, campaign.qr_expiration_days)
    if offer.starts_at and offer.starts_at > last_day:
        begins, ends = (
            date_format(timezone.localtime(at), "j M Y") for at in (offer.starts_at, last_day)
        )
        yield Problem(
            "offer_starts_too_late",
            f"The coupon is good from {begins} on, and its codes end on {ends}: begin earlier, or "
            "make the codes valid for more days.",
            "offer_starts_at",
        )
