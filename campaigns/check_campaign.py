"""The check before sending: every problem, named at its place (M-7)."""

from email.utils import parseaddr

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import get_connection
from django.core.validators import validate_email

from campaigns.audience import audience_of
from campaigns.content.checks import check_content
from campaigns.content.problems import Problem
from campaigns.models import Campaign
from config.errors import DomainError
from customers.models import Channel
from qrcodes.models import Offer


class CheckFailed(DomainError):
    """A campaign cannot be sent as it is; ``problems`` holds the blocking ones."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("check_failed", " ".join(problem.message for problem in problems))
        self.problems = problems


def check_campaign(campaign: Campaign) -> list[Problem]:
    """Return every problem of a campaign's content, audience and sender; empty when it is fine."""
    problems = check_content(
        subject=campaign.subject,
        email_content=campaign.email_content,
        sms_content=campaign.sms_content,
        has_qr_code=campaign.has_qr_code,
    )
    return problems + _check_offer(campaign) + _check_audience(campaign) + _check_sender(campaign)


def require_sendable(campaign: Campaign) -> None:
    """Raise CheckFailed when something blocks sending."""
    blocking = [problem for problem in check_campaign(campaign) if problem.blocking]
    if blocking:
        raise CheckFailed(blocking)


def _check_offer(campaign: Campaign) -> list[Problem]:
    if campaign.has_qr_code and not Offer.objects.filter(campaign_id=campaign.pk).exists():
        message = "The coupon has no offer: say what it is worth, or turn the QR code off."
        return [Problem("no_offer", message, "has_qr_code")]
    return []


def _check_audience(campaign: Campaign) -> list[Problem]:
    if not campaign.target_all and not campaign.target_segments.exists():
        message = "No audience is chosen: pick segments, or everyone."
        return [Problem("no_audience", message, "target_segments")]
    audience = audience_of(campaign)
    if campaign.channels and not any(
        audience.reachable_by(channel).exists() for channel in campaign.channels
    ):
        message = "Nobody in this audience can be reached: see the counts for why."
        return [Problem("audience_empty", message, "target_segments")]
    return []


def _check_sender(campaign: Campaign) -> list[Problem]:
    if Channel.EMAIL not in campaign.channels:
        return []
    message = sender_problem()
    return [Problem("sender_not_configured", message, "")] if message else []


def sender_problem() -> str:
    """Return why no email can be sent as things are configured, and what to set; else nothing."""
    try:
        validate_email(parseaddr(settings.DEFAULT_FROM_EMAIL)[1])
    except ValidationError:
        return "No valid sender address is configured: set DEFAULT_FROM_EMAIL."
    try:
        get_connection()
    except Exception as error:
        # Whatever a backend raises: its type says enough, its words may hold a credential.
        return f"EMAIL_BACKEND cannot be used ({type(error).__name__}): mend its settings."
    return ""
