"""What SendGrid is posted for both kinds of pictures under every strategy (R-3)."""

import base64
import io
import json
import re
from html import unescape

import pytest
import zxingcpp
from PIL import Image as Pillow
from pytest_django import Settings

from campaigns.channels.base import AnswerKind, EmailChannel
from campaigns.content.placeholders import SAMPLE_TOKEN, sample_context
from campaigns.content.rendering import compile_campaign
from qrcodes.codes import redeem_url
from tests.contract.messages import an_email
from tests.pictures import a_file, an_image, noise
from tests.standins.client import StandIn

STRATEGIES = ("inline", "cid", "hosted")
SOURCE = (
    '<img src="{{ image("pizza") }}" alt="A pizza"><img src="{{ image("pizza") }}" alt="Again">'
    '{% if not qr_code_base64 %}<img src="{{ image("unseen") }}" alt="x">{% endif %}'
    '<img src="data:image/png;base64,{{ qr_code_base64 }}" alt="Code">'
    '<a href="{{ unsubscribe_url }}">Unsubscribe</a>'
)


def source_of(html: str, alt: str) -> str:
    return unescape(re.search(rf'src="([^"]*)"[^>]*alt="{alt}"', html)[1])


@pytest.mark.django_db
@pytest.mark.parametrize("qr_strategy", STRATEGIES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_everything_the_html_shows_is_posted_and_nothing_else(
    email_channel: EmailChannel,
    sendgrid: StandIn,
    settings: Settings,
    strategy: str,
    qr_strategy: str,
) -> None:
    settings.IMAGE_STRATEGY, settings.QR_IMAGE_STRATEGY = strategy, qr_strategy
    pizza = an_image("pizza", file=noise("JPEG"))
    an_image("unseen", file=a_file())
    context = sample_context()
    compiled = compile_campaign(subject="Hello", email_content=SOURCE, sms_content="")
    rendered = compiled.render_email(context)
    message = an_email(html=rendered.html, text=rendered.text, images=rendered.images)
    assert email_channel.send(message).kind is AnswerKind.ACCEPTED

    (entry,) = sendgrid.arrivals()
    assert entry.violations == []
    mail = json.loads(entry.raw)
    assert [part["type"] for part in mail["content"]] == ["text/plain", "text/html"]
    html = mail["content"][1]["value"]
    attached = {part["content_id"]: part for part in mail.get("attachments", [])}
    assert set(re.findall(r"cid:([^\"'\s)&]+)", html)) == attached.keys()
    assert len(attached) == (strategy == "cid") + (qr_strategy == "cid")
    for content_id, part in attached.items():
        kind = "png" if content_id.startswith("qr-") else "jpeg"
        assert part["disposition"] == "inline"
        assert part["type"] == f"image/{kind}"
        assert part["filename"] == f"{content_id.partition('@')[0]}.{kind}"

    def content_at(source: str) -> bytes:
        encoded = (
            attached[source.removeprefix("cid:")]["content"]
            if source.startswith("cid:")
            else source.partition(";base64,")[2]
        )
        return base64.b64decode(encoded, validate=True)

    shown = {source_of(html, alt) for alt in ("A pizza", "Again")}
    assert len(shown) == 1
    (source,) = shown
    if strategy == "hosted":
        assert source == f"https://coupons.example.com{pizza.content.path}"
    else:
        assert content_at(source) == bytes(pizza.content.data)
    code = source_of(html, "Code")
    if qr_strategy == "hosted":
        assert code == context["qr_code_url"]
    else:
        (read,) = zxingcpp.read_barcodes(Pillow.open(io.BytesIO(content_at(code))))
        assert read.text == redeem_url(SAMPLE_TOKEN)
    assert ("data:image/" in html) == ("inline" in {strategy, qr_strategy})
