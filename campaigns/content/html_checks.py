"""Checks on a finished email: links, pictures, size (M-7)."""

import ipaddress
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlsplit

from django.conf import settings

from campaigns.content.html_tokens import Kind, Token, tokenize
from campaigns.content.images import HOSTED, INLINE
from campaigns.content.pictures import Picture, calls_in
from campaigns.content.problems import Problem
from campaigns.content.rendering import RenderedEmail

# Gmail hides what comes after 102 KB behind «View entire message», the unsubscribe link with it.
GMAIL_CLIPS_AT = 102 * 1024
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test")
# RFC 2606 keeps the first three for documents; the others are in every second template.
_EXAMPLES = frozenset(
    {
        *("example.com", "example.org", "example.net"),
        *("yourdomain.com", "yoursite.com", "yourwebsite.com", "your-domain.com", "mysite.com"),
    }
)
_STYLE_URL = re.compile(r"url\(\s*['\"]?([^'\")]*)", re.IGNORECASE)
_FIELD = "email_content"
# What a message may weigh with the pictures inside it: slow on a phone, and dear on its plan.
HEAVY_AT = 1_000_000
# Three bytes travel as four letters.
_BASE64 = 4 / 3


@dataclass(frozen=True, slots=True)
class _Written:
    """An email's source, and what stands in it for the pictures of the finished HTML."""

    source: str
    pictures: Mapping[str, Picture]  # by address
    calls: Mapping[str, int]  # the line of each picture's name
    line_ends: Sequence[int]

    @classmethod
    def of(cls, source: str, pictures: Iterable[Picture]) -> "_Written":
        """Read a source once, however many things are looked for in it."""
        return cls(
            source,
            {picture.url: picture for picture in pictures},
            calls_in(source),
            [end.start() for end in re.finditer("\n", source)],
        )

    def line_of(self, found: str) -> int | None:
        """Return the line of what made ``found`` in the finished HTML, where it can be told."""
        if found in self.pictures:
            return self.calls.get(self.pictures[found].name)
        start = self.source.find(found) if found else -1
        code = ("cid:qr-", "data:image/png;base64,", f"{settings.PUBLIC_BASE_URL}/c/")
        if start < 0 and found.startswith(code):
            start = self.source.find("qr_code_base64")
        return bisect_left(self.line_ends, start) + 1 if start >= 0 else None


def check_html(
    email: RenderedEmail,
    source: str,
    context: Mapping[str, object],
    pictures: Iterable[Picture] = (),
) -> Iterator[Problem]:
    """Yield the problems of a filled-in email; ``source`` is searched for their lines.

    Uploaded ``pictures`` must stand in the HTML at their addresses, whatever the strategy.
    """
    written = _Written.of(source, pictures)
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
        if address is None:
            continue
        if not _is_link(address):
            yield _problem("link_unreachable", _advice_on(address), written, address)
        elif _is_placeholder(address):
            yield _problem(
                "link_placeholder",
                f"The link “{address[:80]}” is an example from a template: put your own address in "
                "its place.",
                written,
                address,
                blocking=False,
            )
    for tag in tags:
        yield from _check_pictures(tag, written)
    yield from _check_hosts(tags, context)
    yield from _check_weight(email, written)


def _advice_on(address: str) -> str:
    if address:
        return f"The link “{address[:80]}” leads nowhere: write its address from https:// on."
    return (
        "A link has no address, perhaps because there is no QR code: put it inside "
        "{% if qr_code_base64 %}."
    )


def _check_hosts(tags: list[Token], context: Mapping[str, object]) -> Iterator[Problem]:
    """Tell when pictures are left at an address of ours that nobody outside can reach."""
    hosted = f"{settings.PUBLIC_BASE_URL}/i/" if settings.IMAGE_STRATEGY == HOSTED else ""
    prefixes = tuple(filter(None, [hosted, str(context.get("qr_code_url") or "")]))
    host = urlsplit(settings.PUBLIC_BASE_URL).hostname or ""
    if not _is_public(host) and any(
        (_value(tag, "src") or "").startswith(prefixes) for tag in tags
    ):
        yield Problem(
            "images_not_public",
            f"Customers cannot load the pictures: they are at {settings.PUBLIC_BASE_URL}, which is "
            "not on the internet. Set PUBLIC_BASE_URL to the address customers reach.",
            _FIELD,
            blocking=False,
        )


def _check_weight(email: RenderedEmail, written: _Written) -> Iterator[Problem]:
    """Tell what Gmail hides, and what is heavy with the pictures that travel inside."""
    html = len(email.html.encode())
    parts = sum(len(image.content) for image in email.images)
    if settings.IMAGE_STRATEGY != HOSTED:
        for address, picture in written.pictures.items():
            shown = email.html.count(address)
            if settings.IMAGE_STRATEGY == INLINE:
                html += round(shown * picture.size * _BASE64)
            elif shown:
                parts += picture.size
    if html > GMAIL_CLIPS_AT:
        yield Problem(
            "html_clipped",
            f"The email has {html // 1024} KB. Gmail shows the first 102 KB only: make it shorter.",
            _FIELD,
            blocking=False,
        )
    weight = html + parts * _BASE64
    if weight > HEAVY_AT:
        yield Problem(
            "email_heavy",
            f"With its pictures the email has {weight / 1_000_000:.1f} MB: use fewer or smaller "
            "ones, or leave them at their address (IMAGE_STRATEGY=hosted).",
            _FIELD,
            blocking=False,
        )


def _check_alt(tag: Token, written: _Written) -> Iterator[Problem]:
    address = _value(tag, "src") or ""
    alt = _value(tag, "alt")
    picture = written.pictures.get(address)
    if alt is None:
        yield _problem(
            "image_without_alt",
            'A picture has no alt text: say what it shows, or alt="" for decoration.',
            written,
            address,
            blocking=False,
        )
    elif not alt and picture and not picture.is_decoration:
        yield _problem(
            "image_alt_empty",
            f"The alt text of “{picture.name}” is empty here, and it is no decoration: say what it "
            "shows.",
            written,
            address,
            blocking=False,
        )


def _check_pictures(tag: Token, written: _Written) -> Iterator[Problem]:
    addresses = _STYLE_URL.findall(_value(tag, "style") or "")
    if tag.name == "img":
        addresses.append(_value(tag, "src") or "")
        yield from _check_alt(tag, written)
    if background := _value(tag, "background"):
        addresses.append(background)
    for address in addresses:
        shown = address.strip()
        if not shown or shown.endswith(";base64,"):
            yield _problem(
                "image_empty",
                "A picture has no content. Put the QR code inside {% if qr_code_base64 %}, so that "
                "the message works without one.",
                written,
                shown,
            )
        elif not _is_reachable(shown):
            yield _problem(
                "image_unreachable",
                f"Customers cannot load this picture: “{shown[:80]}”. Give it an address on the "
                "internet that begins with https://.",
                written,
                shown,
            )


def _problem(
    code: str, message: str, written: _Written, found: str, *, blocking: bool = True
) -> Problem:
    line = written.line_of(found)
    place = f"Email, line {line}: " if line else ""
    return Problem(code, place + message, _FIELD, line, blocking)


def _value(tag: Token, name: str) -> str | None:
    value = tag.attribute(name)
    return None if value is None else unescape(value).strip()


def _is_link(address: str) -> bool:
    """Tell whether a link leads somewhere: to a place in the email, an address, a program."""
    if address.startswith("#"):
        return True
    if address.lower().startswith(("http:", "https:")):
        return _is_ours(address) or _is_public(_host_of(address))
    return bool(re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:.", address))


def _is_placeholder(address: str) -> bool:
    """Tell whether a link is what authors of templates write where nothing is known yet."""
    host = _host_of(address).removeprefix("www.")
    return address == "#" or (host in _EXAMPLES and not _is_ours(address))


def _is_ours(address: str) -> bool:
    return address == settings.PUBLIC_BASE_URL or address.startswith(f"{settings.PUBLIC_BASE_URL}/")


def _host_of(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def _is_reachable(address: str) -> bool:
    """Tell whether a picture at ``address`` can be seen from outside."""
    if address.startswith(("cid:", "data:image/")) or _is_ours(address):
        return True
    return address.lower().startswith(("http:", "https:")) and _is_public(_host_of(address))


def is_public_address(address: str) -> bool:
    """Tell whether a web address can be reached from outside, as far as its name tells."""
    return _is_public(_host_of(address))


def _is_public(host: str) -> bool:
    """Tell whether a host name or number can be reached from outside, as far as it tells."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_LOCAL_NAMES)
