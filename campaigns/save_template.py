"""Keeps a message for the next campaign (M-5)."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction

from campaigns.content.templates import CONTENT_FIELDS, examine_template
from campaigns.models import Campaign, MessageTemplate
from config.errors import DomainError
from qrcodes.models import Offer

OFFER_FIELDS = ("offer_title", "offer_value", "offer_terms")
FIELDS = ("name", *CONTENT_FIELDS, *OFFER_FIELDS)
LONGEST_NAME = 120
_LONGEST = {"name": LONGEST_NAME, "subject": 250, "offer_title": 200, "offer_value": 40}


def save_template(
    *,
    fields: Mapping[str, Any],
    user: AbstractBaseUser | None = None,
    template_id: int | None = None,
) -> MessageTemplate:
    """Create a template, or write all fields of the one given.

    Raises DomainError: ``invalid_field``, ``no_content``, ``name_taken``, ``unknown_template`` or
    the first error of what it says, with its line. Nothing is changed then.
    """
    columns = {name: fields.get(name) or "" for name in FIELDS}
    columns["name"] = columns["name"].strip()
    _check(columns)
    template = MessageTemplate(created_by=user)  # type: ignore[misc]
    if template_id is not None:
        found = MessageTemplate.objects.filter(pk=template_id).first()
        if found is None:
            raise DomainError("unknown_template", "There is no such template: it may be deleted.")
        template = found
    for name, value in columns.items():
        setattr(template, name, value)
    try:
        with transaction.atomic():
            template.save()
    except IntegrityError:
        raise DomainError(
            "name_taken",
            f"There is a template “{template.name}” already: choose another name.",
        ) from None
    return template


def save_as_template(
    *, campaign_id: int, name: str = "", user: AbstractBaseUser | None = None
) -> MessageTemplate:
    """Keep a campaign's message and offer under ``name``, or under its own.

    Raises DomainError as ``save_template`` does, and ``unknown_campaign``.
    """
    campaign = Campaign.objects.filter(pk=campaign_id).first()
    if campaign is None:
        raise DomainError("unknown_campaign", f"There is no campaign {campaign_id}.")
    offer = Offer.objects.filter(campaign_id=campaign_id).first()
    has_offer = offer is not None and campaign.has_qr_code
    return save_template(
        fields={
            "name": name.strip() or campaign.name[:LONGEST_NAME],
            **{field: getattr(campaign, field) for field in CONTENT_FIELDS},
            **{
                field: getattr(offer, field.removeprefix("offer_")) if has_offer else ""
                for field in OFFER_FIELDS
            },
        },
        user=user,
    )


def _check(columns: Mapping[str, str]) -> None:
    if not columns["name"]:
        raise DomainError("invalid_field", "Give the template a name.")
    for name, longest in _LONGEST.items():
        if len(columns[name]) > longest:
            raise DomainError(
                "invalid_field", f"{name} is too long: use up to {longest} characters."
            )
    if not columns["email_content"].strip() and not columns["sms_content"].strip():
        raise DomainError(
            "no_content", "The template says nothing: fill in the email, the text, or both."
        )
    for field in CONTENT_FIELDS:
        errors = examine_template(columns[field], field=field).errors
        if errors:
            raise errors[0]
