"""Makes a draft: the campaign, its audience and its offer, all or nothing (M-1)."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import CharField, TextField
from django.utils import timezone

from campaigns.content.templates import CONTENT_FIELDS, examine_template
from campaigns.models import Campaign
from config.clock import database_now
from config.errors import DomainError
from config.times import read_wall_time, require_sensible_time
from customers.segments import ALL, find_segments
from qrcodes.offers import create_offer

FIELDS = frozenset(
    {
        "name",
        "subject",
        "template_name",
        "email_content",
        "email_text",
        "sms_content",
        "has_qr_code",
        "qr_expiration_days",
        "max_usage",
        "send_rate_limit_emails",
        "send_rate_limit_sms",
        "scheduled_for",
    }
)
OFFER_FIELDS = frozenset(
    {
        "title",
        "terms",
        "value",
        "minimum_amount",
        "starts_at",
        "max_redemptions",
        "max_discount",
    }
)
MONEY_FIELDS = ("minimum_amount", "max_discount")


def create_campaign(
    *,
    fields: Mapping[str, Any],
    offer: Mapping[str, Any] | None = None,
    target_segments: Sequence[str] | str = (),
    excluded_segments: Sequence[str] = (),
    user: AbstractBaseUser | None = None,
) -> Campaign:
    """Create a draft with its offer; ``target_segments`` is a list of names, or ``"ALL"``.

    Raises DomainError naming the first field that is wrong; nothing is created then.
    """
    _refuse_unknown(fields, FIELDS, "campaign")
    _refuse_unknown(offer or {}, OFFER_FIELDS, "offer")
    everyone = isinstance(target_segments, str)
    if everyone and str(target_segments).upper() != ALL:
        raise DomainError(
            "invalid_field", f"target_segments must be a list of segment names, or “{ALL}”."
        )
    campaign = Campaign(target_all=everyone, created_by=user, **fields)  # type: ignore[misc]
    validate_fields(campaign, fields)
    if not campaign.channels:
        raise DomainError(
            "no_content", "The campaign says nothing: fill in the email, the text, or both."
        )
    with transaction.atomic():
        campaign.save()
        if not everyone:
            campaign.target_segments.set(find_segments(target_segments))
        campaign.excluded_segments.set(find_segments(excluded_segments))
        if campaign.has_qr_code:
            terms = dict(offer or {})
            terms.setdefault("title", campaign.name)
            create_offer(campaign_id=campaign.pk, **terms)
    return campaign


def validate_fields(campaign: Campaign, fields: Mapping[str, Any]) -> None:
    """Check the given fields of a campaign, however odd their values.

    Raises DomainError ``invalid_field`` naming the first that is wrong, ``time_out_of_range``, or
    the first error of a template, with its line (R-1).
    """
    for name, value in fields.items():
        is_text = isinstance(Campaign._meta.get_field(name), CharField | TextField)
        if is_text and (not isinstance(value, str) or "\x00" in value):
            raise DomainError("invalid_field", f"{name}: write a text, without NUL characters.")
    others = {field.name for field in Campaign._meta.fields} - fields.keys()
    required = {"name"} - others
    try:
        campaign.full_clean(exclude=others - required)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise DomainError("invalid_field", f"{field}: {' '.join(messages)}") from None
    except (TypeError, ValueError, OverflowError):
        raise DomainError(
            "invalid_field", "One of the numbers or times cannot be read: check them."
        ) from None
    if campaign.scheduled_for and "scheduled_for" in fields:
        require_sensible_time(campaign.scheduled_for, now=database_now())
    for name in CONTENT_FIELDS:
        if name in fields:
            for refused in examine_template(fields[name], field=name).errors:
                raise refused


def read_campaign_file(path: Path) -> dict[str, Any]:
    """Return the arguments of ``create_campaign`` from a TOML file.

    ``email_content_file`` is read relative to the file. Raises DomainError ``unreadable_file``.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DomainError("unreadable_file", f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DomainError("unreadable_file", f"{path} is not valid TOML: {error}.") from None
    html_file = content.pop("email_content_file", None)
    if html_file is not None:
        if "email_content" in content:
            raise DomainError(
                "invalid_field", "Give email_content or email_content_file, not both."
            )
        try:
            content["email_content"] = (path.parent / str(html_file)).read_text(encoding="utf-8")
        except (OSError, ValueError):
            raise DomainError(
                "unreadable_file",
                f"email_content_file: {html_file} cannot be read. It is looked up beside {path}.",
            ) from None
    offer = content.pop("offer", {})
    if not isinstance(offer, dict):
        raise DomainError("invalid_field", "offer must be a table: [offer].")
    targets = content.pop("target_segments", [])
    excluded = content.pop("excluded_segments", [])
    for key, names in (("target_segments", targets), ("excluded_segments", excluded)):
        is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not is_list and not (key == "target_segments" and isinstance(names, str)):
            raise DomainError("invalid_field", f"{key} must be a list of segment names.")
    return {
        "fields": {key: _aware(value) for key, value in content.items()},
        "offer": {key: _offer_value(key, value) for key, value in offer.items()},
        "target_segments": targets,
        "excluded_segments": excluded,
    }


def _aware(value: Any) -> Any:
    if isinstance(value, datetime) and timezone.is_naive(value):
        return read_wall_time(value).moment
    return value


def _offer_value(key: str, value: Any) -> Any:
    if key not in MONEY_FIELDS:
        return _aware(value)
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise DomainError("invalid_field", f"offer.{key} must be an amount, like 12.50.") from None


def _refuse_unknown(given: Mapping[str, Any], known: frozenset[str], what: str) -> None:
    for key in given:
        if key not in known:
            raise DomainError(
                "unknown_field",
                f"“{key}” is not a field of the {what}: use {', '.join(sorted(known))}.",
            )
