"""Checks on a finished email: links, pictures, size (M-7)."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from html import unescape
from urllib.parse import urlsplit

from django.conf import settings

from campaigns.content.html_tokens import Kind, Token, tokenize
from campaigns.content.problems import Problem
from campaigns.content.rendering import RenderedEmail

# Gmail hides what comes after 102 KB behind «View entire message», the unsubscribe link with it.
GMAIL_CLIPS_AT = 102 * 1024
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test")
_STYLE_URL = re.compile(r"url\(\s*['\"]?([^'\")]*)", re.IGNORECASE)
_FIELD = "email_content"


def check_html(
    email: RenderedEmail, source: str, context: Mapping[str, object]
) -> Iterator[Problem]:
    """Yield the problems of a filled-in email; ``source`` is searched for their lines."""
    tags = [token for token in tokenize(email.html) if token.kind is Kind.START]
    links = [_value(tag, "href") for tag in tags if tag.name in {"a", "area"}]
    unsubscribe = {context["unsubscribe_url"], context["preferences_url"]}
    if not unsubscribe.intersection(links):
        yield Problem(
            "no_unsubscribe_link",
            "The email has no unsubscribe link: add "
            '<a href="{{ unsubscribe_url }}">Unsubscribe</a>.',
            _FIELD,
        )
    for address in links:
        if address is not None and not _is_link(address):
            yield _problem("link_unreachable", _advice_on(address), source, address)
    for tag in tags:
        yield from _check_pictures(tag, source)
    size = len(email.html.encode())
    if size > GMAIL_CLIPS_AT:
        yield Problem(
            "html_clipped",
            f"The email has {size // 1024} KB. Gmail shows the first 102 KB only: make it shorter.",
            _FIELD,
            blocking=False,
        )


def _advice_on(address: str) -> str:
    if address:
        return f"The link “{address[:80]}” leads nowhere: write its address from https:// on."
    return (
        "A link has no address, perhaps because there is no QR code: put it inside "
        "{% if qr_code_base64 %}."
    )


def _check_pictures(tag: Token, source: str) -> Iterator[Problem]:
    addresses = _STYLE_URL.findall(_value(tag, "style") or "")
    if tag.name == "img":
        addresses.append(_value(tag, "src") or "")
        if tag.attribute("alt") is None:
            yield _problem(
                "image_without_alt",
                'A picture has no alt text: say what it shows, or alt="" for decoration.',
                source,
                _value(tag, "src") or "",
                blocking=False,
            )
    if background := _value(tag, "background"):
        addresses.append(background)
    for address in addresses:
        shown = address.strip()
        if not shown or shown.endswith(";base64,"):
            yield _problem(
                "image_empty",
                "A picture has no content. Put the QR code inside {% if qr_code_base64 %}, so that "
                "the message works without one.",
                source,
                shown,
            )
        elif not _is_reachable(shown):
            yield _problem(
                "image_unreachable",
                f"Customers cannot load this picture: “{shown[:80]}”. Give it an address on the "
                "internet that begins with https://.",
                source,
                shown,
            )


def _problem(code: str, message: str, source: str, found: str, *, blocking: bool = True) -> Problem:
    start = source.find(found) if found else -1
    line = source.count("\n", 0, start) + 1 if start >= 0 else None
    place = f"Email, line {line}: " if line else ""
    return Problem(code, place + message, _FIELD, line, blocking)


def _value(tag: Token, name: str) -> str | None:
    value = tag.attribute(name)
    return None if value is None else unescape(value).strip()


def _is_link(address: str) -> bool:
    return address.startswith("#") or bool(re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", address))


def _is_reachable(address: str) -> bool:
    """Tell whether a picture at ``address`` can be seen from outside."""
    if address.startswith(("cid:", "data:image/", f"{settings.PUBLIC_BASE_URL}/")):
        return True
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and _is_public(host)


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_LOCAL_NAMES)
