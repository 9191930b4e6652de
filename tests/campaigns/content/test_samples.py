"""The two sample campaigns of demo/: nothing wrong with them, and a pleasure on every screen."""

import io
import re
import tomllib
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from campaigns.content.checks import check_content
from campaigns.content.placeholders import SAMPLE_TOKEN, sample_context
from campaigns.content.rendering import compile_campaign
from campaigns.content.sms_length import measure_sms
from qrcodes.codes import redeem_url

FOLDER = Path(__file__).parents[3] / "demo"
SAMPLES = ["pizza_20_percent", "we_miss_you"]


def read_sample(name: str) -> dict:
    content = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    html = (FOLDER / content.pop("email_content_file")).read_text()
    return {**content, "email_content": html}


def messages_of(sample: dict) -> dict:
    return {field: sample[field] for field in ("subject", "email_content", "sms_content")}


@pytest.mark.parametrize("name", SAMPLES)
def test_it_passes_every_check(name):
    sample = read_sample(name)
    assert check_content(**messages_of(sample), has_qr_code=True) == []
    without_code = {**messages_of(sample), "sms_content": ""}
    assert check_content(**without_code, has_qr_code=False) == []


def test_they_go_to_whom_they_say():
    assert read_sample("pizza_20_percent")["name"] == "20% off pizza"
    assert read_sample("pizza_20_percent")["target_segments"] == "ALL"
    assert read_sample("we_miss_you")["target_segments"] == ["inactive-6months"]


@pytest.mark.parametrize("name", SAMPLES)
def test_it_can_do_without_pictures_and_without_html(name):
    context = sample_context()
    email = compile_campaign(**messages_of(read_sample(name))).render_email(context)
    needed = ("short_code", "expires_at", "coupon_url", "unsubscribe_url")
    assert [value for value in needed if context[value] not in email.text] == []
    assert re.findall(r"(?:src|background)=\"http[^\"]*|url\([^)]*", email.html) == []
    assert "data:image" not in email.text


@pytest.mark.parametrize("name", SAMPLES)
def test_its_text_message_is_one_part(name):
    sms = compile_campaign(**messages_of(read_sample(name))).render_sms(sample_context())
    length = measure_sms(sms)
    assert (length.encoding, length.segments) == ("GSM-7", 1)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 600, 1280])
@pytest.mark.parametrize("name", SAMPLES)
def test_its_code_scans_from_the_screen_and_nothing_is_cut(settings, browser, name, width, scheme):
    settings.QR_IMAGE_STRATEGY = "inline"
    email = compile_campaign(**messages_of(read_sample(name))).render_email(sample_context())
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.set_content(email.html)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    screenshot = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    page.close()
    assert [code.text for code in zxingcpp.read_barcodes(screenshot)] == [redeem_url(SAMPLE_TOKEN)]
