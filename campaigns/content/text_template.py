"""A first text part to go on writing from: what the HTML says, placeholders kept (R-2)."""

from campaigns.content.plain_text import text_of, tidy
from campaigns.content.slots import Form, mark
from campaigns.content.templates import HTML_SANDBOX, clean_source, examine_template

_OPENS = {"variable_begin", "block_begin"}
_CLOSES = {"variable_end", "block_end"}


def text_template_of(email_content: str) -> str:
    """Return a text template that says what an email's HTML says; empty for a broken one.

    Conditions are kept where they stand between words. Where they cannot be, because they chose
    between pieces of tags, all are left out.
    """
    if examine_template(email_content, field="email_content").errors:
        return ""
    for keeps_blocks in (True, False):
        text = _convert(clean_source(email_content), keeps_blocks=keeps_blocks)
        if not examine_template(text, field="email_text").errors:
            return text
    return ""


def _convert(source: str, *, keeps_blocks: bool) -> str:
    """Return the text of a source whose placeholders and conditions stand aside meanwhile."""
    skeleton: list[str] = []
    kept: list[str] = []
    inside = ""
    for _, kind, written in HTML_SANDBOX.lexer.tokeniter(source, None):
        if kind in _OPENS:
            inside = written
        elif kind in _CLOSES:
            if kind == "variable_end" or keeps_blocks:
                skeleton.append(mark(len(kept)))
                kept.append(inside + written)
            inside = ""
        elif inside:
            inside += written
        elif kind == "data":
            skeleton.append(written)
    form = Form(tidy(text_of("".join(skeleton))))
    return form.fill_in(kept[number] for number in form.order)
