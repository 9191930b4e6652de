"""The check before sending: every problem, named at its place (M-7)."""

from collections.abc import Iterator
from email.utils import parseaddr

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import get_connection
from django.core.validators import validate_email

from campaigns.check_audience import check_audience, remark_on_audience
from campaigns.check_offer import check_offer
from campaigns.content.checks import check_content
from campaigns.content.html_checks import is_public_address
from campaigns.content.problems import Problem
from campaigns.models import Campaign
from config.errors import DomainError
from customers.models import Channel


class CheckFailed(DomainError):
    """A campaign cannot be sent as it is; ``problems`` holds the blocking ones."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("check_failed", " ".join(problem.message for problem in problems))
        self.problems = problems


def check_campaign(campaign: Campaign) -> list[Problem]:
    """Return every problem of a campaign's content, audience and sender; empty when it is fine.

    docs/checks.md lists them all.
    """
    return [*_check_what_may_block(campaign), *remark_on_audience(campaign)]


def _check_what_may_block(campaign: Campaign) -> list[Problem]:
    problems = check_content(
        subject=campaign.subject,
        email_content=campaign.email_content,
        email_text=campaign.email_text,
        sms_content=campaign.sms_content,
        has_qr_code=campaign.has_qr_code,
    )
    for check in (check_offer, check_audience, _check_sender, _check_address):
        problems += check(campaign)
    return problems


def require_sendable(campaign: Campaign) -> None:
    """Raise CheckFailed when something blocks sending."""
    blocking = [problem for problem in _check_what_may_block(campaign) if problem.blocking]
    if blocking:
        raise CheckFailed(blocking)


def _check_sender(campaign: Campaign) -> Iterator[Problem]:
    for channel, find_problem in ((Channel.EMAIL, sender_problem), (Channel.SMS, sms_problem)):
        message = find_problem() if channel in campaign.channels else ""
        if message:
            yield Problem("sender_not_configured", message, "")


def _check_address(campaign: Campaign) -> Iterator[Problem]:
    """Links and pictures that lead to this machine are of no use to anybody else."""
    really_sent = {
        Channel.EMAIL: "sendgrid" in settings.EMAIL_BACKEND
        and is_public_address(str(settings.ANYMAIL["SENDGRID_API_URL"])),
        Channel.SMS: settings.SMS_BACKEND == "twilio"
        and is_public_address(settings.TWILIO_API_BASE_URL),
    }
    leaves = any(really_sent[Channel(channel)] for channel in campaign.channels)
    if leaves and not is_public_address(settings.PUBLIC_BASE_URL):
        yield Problem(
            "address_not_public",
            f"Codes and links would lead to {settings.PUBLIC_BASE_URL}, which customers cannot "
            "reach: set PUBLIC_BASE_URL to the address of this installation on the internet.",
            "",
        )


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


def sms_problem() -> str:
    """Return why no text can be sent as things are configured, and what to set; else nothing."""
    if settings.SMS_BACKEND != "twilio":
        return ""
    if not (settings.TWILIO_ACCOUNT_SID and settings.TWILIO_AUTH_TOKEN):
        return "No SMS account is configured: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN."
    if not (settings.TWILIO_FROM_NUMBER or settings.TWILIO_MESSAGING_SERVICE_SID):
        return (
            "No SMS sender is configured: set TWILIO_FROM_NUMBER or TWILIO_MESSAGING_SERVICE_SID."
        )
    return ""
