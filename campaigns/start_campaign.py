"""Makes a draft from a starter or from a template of the team's own (M-5)."""

from collections.abc import Mapping

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from django.utils.formats import date_format

from campaigns.content.checks import shows_code
from campaigns.create_campaign import create_campaign
from campaigns.models import Campaign, MessageTemplate
from campaigns.starters import find_starter
from config.clock import database_now
from config.errors import DomainError


def start_from_starter(*, name: str, user: AbstractBaseUser | None = None) -> Campaign:
    """Return a draft with the messages and the offer of a starter; nobody is its audience yet.

    Raises DomainError ``unknown_template``.
    """
    starter = find_starter(name)
    if starter is None:
        raise _unknown()
    return _create_draft(
        title=starter.title,
        template_name=starter.name,
        messages={
            "subject": starter.subject,
            "email_content": starter.email_content,
            "sms_content": starter.sms_content,
        },
        offer={
            "title": starter.offer_title,
            "value": starter.offer_value,
            "terms": starter.offer_terms,
        },
        expiration_days=starter.expiration_days,
        user=user,
    )


def start_from_template(*, template_id: int, user: AbstractBaseUser | None = None) -> Campaign:
    """Return a draft with the messages and the offer of a saved template.

    It has a QR code when its messages have a place for one. Raises DomainError
    ``unknown_template``.
    """
    template = MessageTemplate.objects.filter(pk=template_id).first()
    if template is None:
        raise _unknown()
    offer = {
        "title": template.offer_title,
        "value": template.offer_value,
        "terms": template.offer_terms,
    }
    return _create_draft(
        title=template.name,
        template_name=template.name,
        messages={
            "subject": template.subject,
            "email_content": template.email_content,
            "email_text": template.email_text,
            "sms_content": template.sms_content,
        },
        offer={field: value for field, value in offer.items() if value},
        user=user,
    )


def _create_draft(
    *,
    title: str,
    template_name: str,
    messages: Mapping[str, str],
    offer: Mapping[str, str],
    expiration_days: int = 30,
    user: AbstractBaseUser | None,
) -> Campaign:
    today = date_format(timezone.localtime(database_now()), "j M Y")
    return create_campaign(
        fields={
            "name": f"{title}, {today}",
            "template_name": template_name,
            **messages,
            "has_qr_code": shows_code(
                email_content=messages["email_content"], sms_content=messages["sms_content"]
            ),
            "qr_expiration_days": expiration_days,
        },
        offer=offer,
        user=user,
    )


def _unknown() -> DomainError:
    return DomainError(
        "unknown_template", "There is no such template: it may have been deleted. Choose another."
    )
