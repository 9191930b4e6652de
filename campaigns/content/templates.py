"""One template: checked, compiled, and run within a bound on what it writes."""

import functools
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from jinja2 import Template

from campaigns.content.errors import ContentError
from campaigns.content.html_limits import HtmlRefused, check_tags, read_html
from campaigns.content.layout import check_slots
from campaigns.content.pictures import known_names, library_names
from campaigns.content.safety import Examined, examine, unknown_image
from campaigns.content.sandbox import NotComputable, Sandbox
from campaigns.content.slots import mark, without_controls

MAX_SOURCE = {
    "subject": 1_000,
    "email_content": 500_000,
    "email_text": 100_000,
    "sms_content": 10_000,
}
# The fields of a campaign that are templates.
CONTENT_FIELDS = tuple(MAX_SOURCE)
MAX_OUTPUT = {
    "subject": 1_000,
    "email_content": 500_000,
    "email_text": 100_000,
    "sms_content": 1_600,
}

# Unknown pictures that the nearest name is looked for.
MOST_ADVICE = 5

HTML_SANDBOX = Sandbox(autoescape=True)
TEXT_SANDBOX = Sandbox(autoescape=False)


def sandbox_for(field: str) -> Sandbox:
    """Return the sandbox of a campaign's field: only HTML is escaped."""
    return HTML_SANDBOX if field == "email_content" else TEXT_SANDBOX


def clean_source(source: str) -> str:
    """Return a template as it is compiled: lines end in one character, no controls."""
    return without_controls(source).replace("\r\n", "\n").replace("\r", "\n")


def examine_template(source: str, *, field: str) -> Examined:
    """Read a template and return its tree, its placeholders and every error in it.

    The database is asked for the pictures it names, if it names any.
    """
    largest = MAX_SOURCE[field]
    if len(source) > largest:
        too_large = Examined()
        too_large.errors.append(
            ContentError(
                "template_too_large",
                f"it has more than {largest:,} characters. Make it shorter.",
                field=field,
            )
        )
        return too_large
    source = clean_source(source)
    examined = examine(source, field=field, sandbox=sandbox_for(field))
    if field == "email_content" and not examined.errors:
        refused = _refusal_of(source)
        if refused is not None:
            message, line = refused
            examined.errors.append(
                ContentError("template_refused", message, field=field, line=line)
            )
    if examined.images:
        examined.errors.extend(_unknown_images(examined.images, field))
    return examined


def _unknown_images(images: Mapping[str, int], field: str) -> Iterator[ContentError]:
    known = known_names(images)
    unknown = [name for name in images if name not in known]
    library = library_names() if unknown else []
    for position, name in enumerate(unknown):
        # Looking for the nearest name takes time; nobody reads more than a few.
        near = library if position < MOST_ADVICE else []
        yield unknown_image(name, near, field=field, line=images[name])


# One check asks several times about the same source.
@functools.lru_cache(maxsize=4)
def _refusal_of(source: str) -> tuple[str, int | None] | None:
    """Return what is wrong with the HTML whatever the conditions in it say, and the exact line."""
    starts, lines = [0], [1]
    pieces: list[str] = []
    length = slots = 0
    for line, kind, text in HTML_SANDBOX.lexer.tokeniter(source, None):
        piece = text if kind == "data" else mark(slots) if kind == "variable_begin" else ""
        if kind == "data":
            starts.append(length)
            lines.append(line)
        slots += kind == "variable_begin"
        pieces.append(piece)
        length += len(piece)
    outline = "".join(pieces)
    try:
        tokens = read_html(outline)
        check_tags(tokens)
        check_slots(tokens)
    except HtmlRefused as refused:
        if refused.position is None:
            return refused.message, None
        block = bisect_right(starts, refused.position) - 1
        line = lines[block] + outline.count("\n", starts[block], refused.position)
        return refused.message, line
    return None


class MessageTemplate:
    """A compiled template of one field; ``placeholders`` and ``image_names`` are those it uses."""

    def __init__(self, source: str, *, field: str) -> None:
        """Check and compile. Raises the first ContentError."""
        examined = examine_template(source, field=field)
        if examined.errors or examined.tree is None:
            raise examined.errors[0]
        self.field = field
        self.source = clean_source(source)
        self.placeholders = frozenset(examined.placeholders)
        self.image_names = frozenset(examined.images)
        self._template: Template = sandbox_for(field).from_string(examined.tree)

    def pieces(self, context: Mapping[str, Any]) -> Iterator[str]:
        """Yield the output piece by piece: in HTML, values are Markup and the author's text is not.

        Raises ContentError ``output_too_large`` or ``render_failed``.
        """
        largest = MAX_OUTPUT[self.field]
        size = 0
        try:
            template = self._template
            for piece in template.root_render_func(template.new_context(dict(context))):
                size += len(piece)
                if size > largest:
                    break
                yield piece
        except Exception as error:
            raise self._failure(error) from None
        if size > largest:
            raise ContentError(
                "output_too_large",
                f"filled in, it has more than {largest:,} characters. Make it shorter.",
                field=self.field,
            )

    def _failure(self, error: Exception) -> ContentError:
        """Return a failure without the error's own words: they may quote a customer's data."""
        line = None
        trace: TracebackType | None = error.__traceback__
        while trace:
            if trace.tb_frame.f_globals.get("__jinja_template__") is self._template:
                line = self._template.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        if isinstance(error, NotComputable):
            what = f"this is {error}"
        elif isinstance(error, TypeError):
            what = "this compares or changes values of different kinds"
        else:
            what = "this does not work with the values of this customer"
        return ContentError(
            "render_failed",
            f"{what}. Turn texts into numbers with |int or |float first, or ask with {{% if %}}.",
            field=self.field,
            line=line,
        )
