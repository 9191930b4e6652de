"""The starters as they are seen: docs/email-checklist.md, as far as it can be measured.

Screenshots are left in test-results/starters/ for the rest of it.
"""

import io
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page

from campaigns.content.placeholders import SAMPLE_TOKEN
from campaigns.starters import STARTERS, Starter
from qrcodes.codes import redeem_url
from tests.campaigns.test_starters import NAMES, context_of, rendered

pytestmark = pytest.mark.browser

MEASURE = Path(__file__).with_name("measure_email.js").read_text(encoding="utf-8")
SCREENSHOTS = Path("test-results/starters")
LONG_NAME = "Maximiliane-Wolfeschlegelsteinhausen"


@pytest.fixture(params=STARTERS, ids=NAMES)
def starter(request) -> Starter:
    return request.param


def opened(browser: Browser, html: str, *, width: int, scheme: str = "light") -> Page:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.set_content(html)
    return page


def shot(page: Page, name: str = "") -> Image.Image:
    content = page.screenshot(full_page=True)
    if name:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        (SCREENSHOTS / f"{name}.png").write_bytes(content)
    return Image.open(io.BytesIO(content))


def html_of(starter: Starter, settings, *, strategy: str = "inline", **options) -> str:
    settings.QR_IMAGE_STRATEGY = strategy
    return rendered(starter, context_of(starter, **options))[0].html


def is_on_a_white_tile(page: Page, picture: Image.Image) -> bool:
    """Whether what is around the code's picture is white, whatever is around that."""
    box = page.locator("img").bounding_box()
    left, top, side = box["x"], box["y"], box["width"]
    middle = side / 2
    places = [(left - 5, top + middle), (left + side + 5, top + middle)]
    places += [(left + middle, top - 5), (left + middle, top + side + 5)]
    grey = picture.convert("L")
    return all(grey.getpixel((int(x), int(y))) > 250 for x, y in places)


def painted_contrast(picture: Image.Image, box: list[float]) -> float:
    """The contrast of the lightest with the darkest pixel in a box: of letters with their ground.

    Thin letters are never painted in their full colour, so this is less than the computed one.
    """
    colours = (
        picture.convert("RGB").crop(tuple(round(edge) for edge in box)).getcolors(maxcolors=1 << 20)
    )
    shades = sorted(luminance(colour) for _, colour in colours)
    return (shades[-1] + 0.05) / (shades[0] + 0.05)


def luminance(pixel: tuple[int, int, int]) -> float:
    parts = [value / 255 for value in pixel]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 600])
def test_it_is_readable_whole_and_scans(settings, browser, starter, width, scheme) -> None:
    page = opened(browser, html_of(starter, settings), width=width, scheme=scheme)
    seen = page.evaluate(MEASURE)
    picture = shot(page, f"{starter.name}-{width}-{scheme}")
    assert is_on_a_white_tile(page, picture)
    page.close()
    assert len(seen["texts"]) > 10
    assert seen["faint"] == []
    assert seen["cut"] == []
    assert seen["width"] == width
    assert seen["smallest"] >= 13
    assert seen["buttons"]
    assert [button for button in seen["buttons"] if button[1] < 44] == []
    assert [code.text for code in zxingcpp.read_barcodes(picture)] == [redeem_url(SAMPLE_TOKEN)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 600])
def test_its_code_can_be_read_without_pictures(settings, browser, starter, width, scheme) -> None:
    # Parts of a mail are not loaded here: as in a mail program that blocks pictures.
    html = html_of(starter, settings, strategy="cid")
    page = opened(browser, html, width=width, scheme=scheme)
    seen = page.evaluate(MEASURE)
    picture = shot(page, f"{starter.name}-{width}-{scheme}-no-pictures")
    code = context_of(starter)["short_code"]
    image = page.locator("img")
    assert image.evaluate("image => image.naturalWidth") == 0
    assert code in image.get_attribute("alt")
    page.close()
    assert code in seen["texts"]
    assert (seen["faint"], seen["cut"], seen["width"]) == ([], [], width)
    assert zxingcpp.read_barcodes(picture) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_whole_without_a_code_and_with_a_long_name(
    settings, browser, starter, scheme
) -> None:
    settings.QR_IMAGE_STRATEGY = "inline"
    context = context_of(starter, with_qr=False)
    context["customer"]["first_name"] = LONG_NAME
    html = rendered(starter, context)[0].html
    page = opened(browser, html, width=320, scheme=scheme)
    seen = page.evaluate(MEASURE)
    shot(page, f"{starter.name}-320-{scheme}-no-code")
    page.close()
    assert (seen["faint"], seen["cut"], seen["width"]) == ([], [], 320)
    assert LONG_NAME in " ".join(seen["texts"]) or "first_name" not in starter.email_content


def test_it_survives_a_mail_program_that_turns_the_colours_round(
    settings, browser, starter
) -> None:
    # As for a message that has no dark colours of its own: the program makes them.
    html = html_of(starter, settings).replace("color-scheme", "x-scheme")
    page = opened(browser, html, width=320)
    before = shot(page).convert("L").getpixel((2, 2))
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setAutoDarkModeOverride", {"enabled": True})
    picture = shot(page, f"{starter.name}-320-inverted")
    places = page.evaluate(MEASURE)["places"]
    page.close()
    assert len(places) > 10
    assert [place[0] for place in places if painted_contrast(picture, place[1:]) < 3] == []
    assert picture.convert("L").getpixel((2, 2)) < 80 < before
    assert [code.text for code in zxingcpp.read_barcodes(picture)] == [redeem_url(SAMPLE_TOKEN)]
