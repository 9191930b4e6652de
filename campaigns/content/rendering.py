"""From a campaign's templates to one customer's messages (R-1, R-2)."""

import functools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from markupsafe import Markup

from campaigns.content.errors import ContentError
from campaigns.content.html_limits import HtmlRefused
from campaigns.content.images import InlineImage, apply_image_strategy
from campaigns.content.layout import Layout
from campaigns.content.pictures import Picture, library_pictures
from campaigns.content.safety import PICTURES
from campaigns.content.slots import CLOSE, OPEN, mark
from campaigns.content.templates import MessageTemplate

# How much of a campaign's finished shapes is kept; then they are forgotten and made again.
MAX_LAYOUTS = 64
MAX_LAYOUT_LETTERS = 5_000_000
# What {% if %} leaves behind when nothing is in it.
_GAPS = re.compile(r"\n(?:[ \t]*\n){2,}")
# Where a customer unsubscribes: every email says one of them, in each of its parts.
_WAYS_OUT = ("unsubscribe_url", "preferences_url")


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """One customer's email; every ``cid:`` in ``html`` is among ``images``."""

    subject: str
    html: str
    text: str
    images: tuple[InlineImage, ...] = ()


class CompiledMessages:
    """A campaign's templates, ready to be filled in for any number of customers."""

    def __init__(
        self, *, subject: str, email_content: str, sms_content: str, email_text: str = ""
    ) -> None:
        """Check and compile all of them. Raises the first ContentError."""
        self._subject = MessageTemplate(subject, field="subject")
        self._email = MessageTemplate(email_content, field="email_content")
        self._text = MessageTemplate(email_text, field="email_text")
        self._has_own_text = bool(email_text.strip())
        self._sms = MessageTemplate(sms_content, field="sms_content")
        # The names of the uploaded pictures that the email shows.
        self.image_names = self._email.image_names
        self._layouts: dict[tuple[str | None, ...], Layout] = {}
        self._layout_letters = 0
        self.placeholders = self.placeholders_of("email") | self.placeholders_of("sms")

    def placeholders_of(self, channel: str) -> frozenset[str]:
        """Return the placeholders that one channel's message shows (``build_context``)."""
        if channel == "email":
            # The hosted strategy puts the picture's address where the picture was.
            hosted = {"qr_code_url"} if "qr_code_base64" in self._email.placeholders else set()
            own_text = self._text.placeholders | set(_WAYS_OUT) if self._has_own_text else set()
            return self._subject.placeholders | self._email.placeholders | own_text | hosted
        if "campaign.subject" in self._sms.placeholders:
            return self._subject.placeholders | self._sms.placeholders
        return self._sms.placeholders

    def render_email(
        self, context: Mapping[str, Any], *, pictures: Mapping[str, Picture] | None = None
    ) -> RenderedEmail:
        """Return the email for the values of ``build_context``, images placed by the settings.

        ``pictures`` are the uploaded ones by name; without them the library is asked, which a
        sender should do once and not for every message. Raises ContentError ``render_failed``,
        ``output_too_large`` or ``template_refused``.
        """
        subject = self._render_subject(context)
        if pictures is None:
            pictures = library_pictures(self.image_names)
        sources = {name: picture.url for name, picture in pictures.items()}
        context = {**context, PICTURES: sources}
        shape: list[str | None] = []
        values: list[str] = []
        for piece in self._email.pieces(_with_subject(context, self._email, subject)):
            if isinstance(piece, Markup):
                shape.append(None)
                values.append(str(piece))
            else:
                shape.append(piece)
        layout = self._layout_of(tuple(shape), len(values))
        filled_in, text = layout.fill_in(values)
        text = self._render_text(context, subject) or text
        html, images = apply_image_strategy(
            filled_in,
            qr_code_base64=context.get("qr_code_base64", ""),
            qr_code_url=context.get("qr_code_url", ""),
            qr_strategy=settings.QR_IMAGE_STRATEGY,
            image_strategy=settings.IMAGE_STRATEGY,
            uploaded={each.url: each.part for each in pictures.values() if each.part},
        )
        return RenderedEmail(subject, html, text, images)

    def render_sms(self, context: Mapping[str, Any]) -> str:
        """Return the text message for the values of ``build_context``.

        Raises ContentError ``render_failed`` or ``output_too_large``.
        """
        subject = ""
        if "campaign.subject" in self._sms.placeholders:
            subject = self._render_subject(context)
        text = "".join(self._sms.pieces(_with_subject(context, self._sms, subject)))
        # A letter and a combining accent would cost the whole message its short alphabet.
        return unicodedata.normalize("NFC", text).strip()

    def _render_text(self, context: Mapping[str, Any], subject: str) -> str:
        """Return the text part the author wrote, with a way out; empty when there is none."""
        if not self._has_own_text:
            return ""
        written = "".join(self._text.pieces(_with_subject(context, self._text, subject)))
        text = _GAPS.sub("\n\n", written).strip()
        if not text or any(context[name] and context[name] in text for name in _WAYS_OUT):
            return text
        return f"{text}\n\nUnsubscribe: {context['unsubscribe_url']}"

    def _render_subject(self, context: Mapping[str, Any]) -> str:
        return " ".join("".join(self._subject.pieces(context)).split())

    def _layout_of(self, shape: tuple[str | None, ...], slots: int) -> Layout:
        layout = self._layouts.get(shape)
        if layout is None:
            numbers = iter(range(slots))
            skeleton = "".join(mark(next(numbers)) if piece is None else piece for piece in shape)
            try:
                layout = Layout(skeleton, slots)
            except HtmlRefused as refused:
                line = _line_of(skeleton, refused.position, self._email.source)
                raise ContentError(
                    "template_refused", refused.message, field="email_content", line=line
                ) from None
            self._layout_letters += len(skeleton)
            if len(self._layouts) >= MAX_LAYOUTS or self._layout_letters > MAX_LAYOUT_LETTERS:
                self._layouts.clear()
                self._layout_letters = len(skeleton)
            self._layouts[shape] = layout
        return layout


def compile_campaign(
    *, subject: str, email_content: str, sms_content: str, email_text: str = ""
) -> CompiledMessages:
    """Return a campaign's compiled messages; the last ones are kept, so asking again is cheap.

    Raises ContentError for the first thing that is wrong: ``template_syntax``,
    ``template_refused``, ``unknown_placeholder`` or ``template_too_large``.
    """
    return _compile(subject, email_content, sms_content, email_text)


@functools.lru_cache(maxsize=16)
def _compile(
    subject: str, email_content: str, sms_content: str, email_text: str
) -> CompiledMessages:
    return CompiledMessages(
        subject=subject,
        email_content=email_content,
        sms_content=sms_content,
        email_text=email_text,
    )


def _with_subject(
    context: Mapping[str, Any], template: MessageTemplate, subject: str
) -> Mapping[str, Any]:
    if "campaign.subject" not in template.placeholders:
        return context
    return {**context, "campaign": {**context["campaign"], "subject": subject}}


def _line_of(skeleton: str, position: int | None, source: str) -> int | None:
    """Return the source's line of a place in what it rendered to, found by the text around it."""
    if position is None:
        return None
    before = skeleton[max(0, position - 80) : position].rpartition(CLOSE)[2]
    after = skeleton[position : position + 80].partition(OPEN)[0]
    tag = after.partition(">")[0]
    for snippet, skip in ((before + after, len(before)), (after, 0), (tag, 0)):
        start = source.find(snippet) if len(snippet) > 2 else -1
        if start >= 0:
            return source.count("\n", 0, start + skip) + 1
    return None
