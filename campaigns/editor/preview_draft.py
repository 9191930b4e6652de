"""Both messages of a draft that is being written, and what is wrong with them (M-6).

Nothing is saved, and what is broken does not hide the rest: while the email is being mended the
text message is still shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parseaddr
from typing import Any

from django.conf import settings

from campaigns.content.checks import check_content
from campaigns.content.errors import ContentError
from campaigns.content.pictures import Pictures, preview_pictures
from campaigns.content.preheader import preheader_of
from campaigns.content.problems import Problem
from campaigns.content.rendering import CompiledMessages, compile_campaign
from campaigns.content.sms_length import SmsLength, measure_sms, price_of
from campaigns.content.templates import examine_template
from campaigns.editor.draft import Draft, Person
from campaigns.preview import context_of, with_own_images


@dataclass(frozen=True, slots=True)
class EmailPreview:
    """An email as it would arrive; ``html`` brings its own images, ``size`` is in bytes."""

    sender: str
    subject: str
    preheader: str
    html: str
    text: str
    size: int


@dataclass(frozen=True, slots=True)
class SmsPreview:
    """A text message as it would arrive; ``price`` is in CURRENCY, None unknown."""

    text: str
    length: SmsLength
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class DraftPreview:
    """What would be sent, and every problem; None for a message that is empty or broken."""

    email: EmailPreview | None
    sms: SmsPreview | None
    problems: list[Problem]


def preview_draft(*, draft: Draft, person: Person) -> DraftPreview:
    """Return both messages filled in for ``person``, with the problems of the draft.

    Raises DecryptionError when the person's address is shown and cannot be read.
    """
    campaign = draft.campaign
    problems = check_content(**draft.contents, has_qr_code=campaign.has_qr_code)
    usable = _usable(draft.contents)
    compiled = compile_campaign(**usable)
    context = context_of(
        campaign=campaign,
        offer=draft.offer,
        code=draft.code,
        customer=person.customer,
        blank=person.blank,
    )
    email: EmailPreview | None = None
    sms: SmsPreview | None = None
    try:
        if usable["email_content"].strip():
            pictures = preview_pictures(email_content=usable["email_content"])
            email = _email(compiled, context, pictures)
    except ContentError as error:
        problems.append(_problem(error))
    try:
        if usable["sms_content"].strip():
            sms = _sms(compiled.render_sms(context))
    except ContentError as error:
        problems.append(_problem(error))
    return DraftPreview(email, sms, list(dict.fromkeys(problems)))


def _usable(contents: Mapping[str, str]) -> dict[str, str]:
    """Return the templates with those that cannot be compiled left empty."""
    return {
        field: "" if examine_template(source, field=field).errors else source
        for field, source in contents.items()
    }


def _email(
    compiled: CompiledMessages, context: Mapping[str, Any], pictures: Pictures
) -> EmailPreview:
    rendered = compiled.render_email(context, pictures=pictures)
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return EmailPreview(
        sender=name or address,
        subject=rendered.subject,
        preheader=preheader_of(rendered.html),
        html=with_own_images(rendered, context),
        text=rendered.text,
        size=len(rendered.html.encode()),
    )


def _sms(text: str) -> SmsPreview:
    length = measure_sms(text)
    return SmsPreview(text, length, price_of(length.segments))


def _problem(error: ContentError) -> Problem:
    return Problem(error.code, error.message, error.field, error.line)
