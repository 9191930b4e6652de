"""Every strategy, proven on the message that leaves: parts, content ids, types (R-3)."""

import base64
import email
import email.policy
import re

import pytest
import zxingcpp
from PIL import Image

from campaigns.channels.base import OutgoingEmail
from campaigns.channels.email import build_message
from campaigns.content.images import apply_image_strategy
from campaigns.content.placeholders import SAMPLE_TOKEN, sample_context
from campaigns.content.rendering import compile_campaign
from qrcodes.codes import redeem_url

# One transparent pixel.
GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
SOURCE = (
    '<p>Hello</p><img src="data:image/png;base64,{{ qr_code_base64 }}" alt="">'
    f'<img src="data:image/gif;base64,{GIF}" alt=""><img src="data:image/gif;base64,{GIF}" alt="">'
    '<a href="{{ unsubscribe_url }}">Unsubscribe</a>'
)


def parse(source: str = SOURCE, context: dict | None = None):
    """Send an email through what the channel builds, and read it as a mail program does."""
    compiled = compile_campaign(subject="Hello", email_content=source, sms_content="")
    rendered = compiled.render_email(context or sample_context())
    message = build_message(
        OutgoingEmail(
            public_id="1",
            to="ada@example.com",
            to_name="Ada",
            subject=rendered.subject,
            html=rendered.html,
            text=rendered.text,
            unsubscribe_url="https://coupons.example.com/u/1",
            images=rendered.images,
        )
    )
    parsed = email.message_from_bytes(message.message().as_bytes(), policy=email.policy.default)
    html = parsed.get_body(("html",)).get_content()
    parts = {
        part["Content-ID"].strip("<>"): part
        for part in parsed.walk()
        if part["Content-ID"] is not None
    }
    return parsed, html, parts


def cids(html: str) -> set[str]:
    return set(re.findall(r"cid:([^\"'\s)]+)", html))


def decode(png: bytes) -> str:
    import io

    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))
    return found.text


def test_cid_makes_parts_and_everything_referred_to_is_there(settings):
    settings.QR_IMAGE_STRATEGY = settings.IMAGE_STRATEGY = "cid"
    parsed, html, parts = parse()
    assert "data:" not in html
    assert cids(html) == parts.keys()
    assert sorted(part.get_content_type() for part in parts.values()) == ["image/gif", "image/png"]
    assert {part.get_content_disposition() for part in parts.values()} == {"inline"}
    (qr,) = (part for name, part in parts.items() if name.startswith("qr-"))
    assert decode(qr.get_content()) == redeem_url(SAMPLE_TOKEN)
    (gif,) = (part for part in parts.values() if part.get_content_type() == "image/gif")
    assert gif.get_content() == base64.b64decode(GIF)
    assert parsed.get_body(("plain",)).get_content().startswith("Hello")


def test_inline_leaves_data_uris(settings):
    settings.QR_IMAGE_STRATEGY = settings.IMAGE_STRATEGY = "inline"
    context = sample_context()
    _, html, parts = parse(context=context)
    assert not parts
    assert f'src="data:image/png;base64,{context["qr_code_base64"]}"' in html
    assert html.count(f'src="data:image/gif;base64,{GIF}"') == 2


def test_hosted_puts_the_address_of_the_qr_code(settings):
    settings.QR_IMAGE_STRATEGY, settings.IMAGE_STRATEGY = "hosted", "inline"
    context = sample_context()
    _, html, parts = parse(context=context)
    assert not parts
    assert context["qr_code_base64"] not in html
    assert f'src="{context["qr_code_url"]}"' in html
    assert context["qr_code_url"].startswith(settings.PUBLIC_BASE_URL)


def test_a_pasted_picture_has_no_address_so_hosted_makes_a_part_of_it(settings):
    settings.QR_IMAGE_STRATEGY, settings.IMAGE_STRATEGY = "inline", "hosted"
    _, html, parts = parse()
    assert cids(html) == parts.keys()
    assert [part.get_content_type() for part in parts.values()] == ["image/gif"]
    assert html.count("data:image/png") == 1


def test_the_two_strategies_do_not_touch_each_others_pictures(settings):
    settings.QR_IMAGE_STRATEGY, settings.IMAGE_STRATEGY = "cid", "inline"
    _, html, parts = parse()
    assert len(parts) == 1
    assert html.count("data:image/gif") == 2
    settings.QR_IMAGE_STRATEGY, settings.IMAGE_STRATEGY = "inline", "cid"
    _, html, parts = parse()
    assert html.count("data:image/png") == 1


def test_production_sends_the_qr_code_as_a_part(settings):
    """The defaults outside DEBUG, which these tests run under."""
    assert (settings.QR_IMAGE_STRATEGY, settings.IMAGE_STRATEGY) == ("cid", "hosted")


def test_without_a_code_nothing_is_attached(settings):
    settings.QR_IMAGE_STRATEGY = "cid"
    source = (
        '{% if qr_code_base64 %}<img src="data:image/png;base64,{{ qr_code_base64 }}">{% endif %}x'
    )
    _, html, parts = parse(source, sample_context(with_qr=False))
    assert not parts
    assert "<img" not in html


def test_content_ids_are_stable_and_differ_with_the_picture():
    def place(content: bytes):
        encoded = base64.b64encode(content).decode()
        return apply_image_strategy(
            f'<img src="data:image/png;base64,{encoded}">',
            qr_code_base64=encoded,
            qr_code_url="",
            qr_strategy="cid",
            image_strategy="inline",
        )

    assert place(b"one") == place(b"one")
    assert place(b"one")[1][0].content_id != place(b"two")[1][0].content_id
    assert re.fullmatch(r"qr-[0-9a-f]{16}@handbill", place(b"one")[1][0].content_id)


@pytest.mark.parametrize(
    ("html", "replaced"),
    [
        ('<img src="data:image/png;base64,QUJD">', True),
        ("<img src='DATA:image/PNG;base64, QUJD'>", True),
        ('<p style="background: url(data:image/png;base64,QUJD)">', True),
        ("<p>QUJD</p>", False),
        ('<a href="https://x.example/QUJD">x</a>', False),
        ('<img src="data:image/jpeg;base64,QUJD">', False),
    ],
)
def test_the_code_is_replaced_where_it_is_a_picture(html, replaced):
    result, images = apply_image_strategy(
        html, qr_code_base64="QUJD", qr_code_url="", qr_strategy="cid", image_strategy="inline"
    )
    assert ("cid:" in result) is replaced
    assert ("QUJD" in result) is not replaced
    assert len(images) == replaced


def test_what_cannot_be_decoded_stays_as_it_is():
    html = '<img src="data:image/png;base64,abc">'
    assert apply_image_strategy(
        html, qr_code_base64="", qr_code_url="", qr_strategy="cid", image_strategy="cid"
    ) == (html, ())
