"""What is wrong with a campaign's content, each thing at its place (M-7).

Both messages are filled in for a sample customer and for one of whom nothing is known. So what
counts is what arrives, not what the source mentions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from campaigns.content.advice import check_preheader, check_stop_hint, check_subject
from campaigns.content.errors import ContentError
from campaigns.content.html_checks import check_html
from campaigns.content.pictures import Pictures, hosted_pictures
from campaigns.content.placeholders import sample_context
from campaigns.content.problems import Problem
from campaigns.content.rendering import CompiledMessages, RenderedEmail, compile_campaign
from campaigns.content.sms_length import measure_sms
from campaigns.content.templates import examine_template

CODE_PLACEHOLDERS = ("qr_code_base64", "qr_code_url", "coupon_url", "short_code")
WAYS_OUT = ("unsubscribe_url", "preferences_url")
MANY_SEGMENTS = 3
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class _Sample:
    """Both messages of one customer; None where the campaign has no such message."""

    context: dict[str, object]
    email: RenderedEmail | None
    sms: str | None


def check_content(
    *,
    subject: str,
    email_content: str,
    sms_content: str,
    has_qr_code: bool,
    email_text: str = "",
) -> list[Problem]:
    """Return every problem of a campaign's messages, each once; empty when they are fine."""
    fields = {
        "subject": subject,
        "email_content": email_content,
        "email_text": email_text,
        "sms_content": sms_content,
    }
    problems = list(_check_presence(fields))
    errors = [
        error
        for field, source in fields.items()
        for error in examine_template(source, field=field).errors
    ]
    if not errors:
        try:
            problems += _check_samples(fields, has_qr_code)
        except ContentError as error:
            errors = [error]
    problems += [Problem(error.code, error.message, error.field, error.line) for error in errors]
    return list(dict.fromkeys(problems))


def shows_code(*, email_content: str, sms_content: str) -> bool:
    """Tell whether one of the messages has a place for the customer's code."""
    messages = {"email_content": email_content, "sms_content": sms_content}
    return any(
        not examine_template(source, field=field).placeholders.isdisjoint(CODE_PLACEHOLDERS)
        for field, source in messages.items()
    )


def _check_presence(fields: dict[str, str]) -> Iterator[Problem]:
    has_email = bool(fields["email_content"].strip())
    if not has_email and not fields["sms_content"].strip():
        yield Problem(
            "no_content",
            "There is no message yet: fill in the email, the text message, or both.",
            "email_content",
        )
    if has_email and not fields["subject"].strip():
        yield Problem("no_subject", "The email has no subject: write one.", "subject")
    if fields["email_text"].strip() and not has_email:
        yield Problem(
            "text_without_email",
            "The plain text goes with an email, and there is none: write the email too, or empty "
            "the plain text.",
            "email_text",
        )


def _check_samples(fields: dict[str, str], has_qr_code: bool) -> list[Problem]:
    compiled = compile_campaign(**fields)
    pictures = hosted_pictures(compiled.image_names)
    problems = []
    for blank in (False, True):
        context = sample_context(with_qr=has_qr_code, blank=blank)
        sample = _fill_in(compiled, fields, context, pictures)
        if sample.email is not None:
            if fields["subject"].strip() and not sample.email.subject:
                problems.append(_empty("no_subject", "subject", "The subject"))
            source = fields["email_content"]
            problems += check_html(sample.email, source, sample.context, pictures.values())
            if fields["email_text"].strip() and has_qr_code:
                problems += _check_text_part(sample)
        if sample.sms is not None:
            problems += _check_sms(sample.sms)
        if not blank:
            # Remarks on style: one sample is enough, and telling them twice is not.
            problems += _advise(sample)
        if has_qr_code:
            problems += _check_code_is_shown(sample)
    return problems


def _advise(sample: _Sample) -> Iterator[Problem]:
    if sample.email is not None:
        yield from check_subject(sample.email.subject)
        yield from check_preheader(sample.email.html)
    if sample.sms is not None:
        ways_out = {str(sample.context[name]) for name in WAYS_OUT}
        yield from check_stop_hint(sample.sms, ways_out)


def _fill_in(
    compiled: CompiledMessages,
    fields: dict[str, str],
    context: dict[str, object],
    pictures: Pictures,
) -> _Sample:
    has_email = fields["email_content"].strip()
    email = compiled.render_email(context, pictures=pictures) if has_email else None
    sms = compiled.render_sms(context) if fields["sms_content"].strip() else None
    return _Sample(context, email, sms)


def _empty(code: str, field: str, what: str) -> Problem:
    return Problem(
        code,
        f"{what} is empty for customers of whom little is known: add words that are always there.",
        field,
    )


def _check_text_part(sample: _Sample) -> Iterator[Problem]:
    """Look for the coupon’s address or letters: a picture cannot be in a text."""
    text = sample.email.text if sample.email else ""
    if not any(str(sample.context[name]) in text for name in ("coupon_url", "short_code")):
        yield Problem(
            "no_code_in_text",
            "The plain text does not say where the coupon is: add {{ coupon_url }}.",
            "email_text",
            blocking=False,
        )


def _check_sms(text: str) -> Iterator[Problem]:
    if not text:
        yield _empty("sms_empty", "sms_content", "The text message")
    length = measure_sms(text)
    if length.forcing:
        named = " ".join(length.forcing[:MOST_NAMED])
        yield Problem(
            "sms_unicode",
            f"These characters make the text message dearer: {named}. With them, "
            f"{length.per_segment} characters fit into a segment, without them 160.",
            "sms_content",
            blocking=False,
        )
    if length.segments > MANY_SEGMENTS:
        yield Problem(
            "sms_long",
            f"The text message is billed as {length.segments} segments. Make it shorter.",
            "sms_content",
            blocking=False,
        )


def _check_code_is_shown(sample: _Sample) -> Iterator[Problem]:
    values = [str(sample.context[name]) for name in CODE_PLACEHOLDERS]
    shown = {}
    if sample.email is not None:
        attached = any(image.is_qr_code for image in sample.email.images)
        html = sample.email.html
        shown["email_content"] = attached or any(value in html for value in values)
    if sample.sms is not None:
        sms = sample.sms
        shown["sms_content"] = any(value in sms for value in values)
    for field, is_shown in shown.items():
        if not is_shown:
            what, advice = {
                "email_content": (
                    "The email",
                    '{% if qr_code_base64 %}<img src="data:image/png;base64,'
                    '{{ qr_code_base64 }}">{% endif %}',
                ),
                "sms_content": ("The text message", "{{ coupon_url }}"),
            }[field]
            yield Problem(
                "no_qr_placeholder",
                f"{what} does not show the customer’s code. Add {advice}, or switch the QR code "
                "off for this campaign.",
                field,
                # Shown nowhere, the codes would be made and never seen.
                blocking=not any(shown.values()),
            )
