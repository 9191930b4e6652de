import io
import random
import struct
import time
import zlib
from xml.etree import ElementTree

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from qrcode.constants import ERROR_CORRECT_M
from qrcode.main import QRCode
from qrcode.util import MODE_8BIT_BYTE, QRData

from qrcodes import images
from qrcodes.codes import make_token, redeem_url


def decode(image: Image.Image) -> str | None:
    found = zxingcpp.read_barcode(image, formats=zxingcpp.BarcodeFormat.QRCode)
    return found.text if found else None


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(images.qr_png(text)))


def library_modules(text: str) -> list[list[bool]]:
    symbol = QRCode(error_correction=ERROR_CORRECT_M, mask_pattern=images.MASK, border=4)
    symbol.add_data(QRData(text.encode(), MODE_8BIT_BYTE))
    symbol.make(fit=True)
    return symbol.get_matrix()


def modules_of(image: Image.Image) -> list[list[bool]]:
    step = images.PIXELS_PER_MODULE
    small = image.convert("L").resize((image.width // step,) * 2, Image.Resampling.NEAREST)
    pixels = list(small.get_flattened_data())
    return [
        [pixel == 0 for pixel in pixels[start : start + small.width]]
        for start in range(0, len(pixels), small.width)
    ]


@settings(deadline=None, max_examples=60)  # the first picture of each size takes its time
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_the_picture_is_the_library_s_module_for_module(text):
    assert modules_of(opened(text)) == library_modules(text)


@pytest.mark.parametrize("length", [1, 14, 15, 62, 63, 84, 85, 106, 122, 152, 180, 181, 213])
def test_it_agrees_with_the_library_where_the_symbol_grows(length):
    text = "".join(random.Random(length).choices("abcdef0123456789-/:.", k=length))
    assert modules_of(opened(text)) == library_modules(text)


def test_the_file_is_a_sound_png_of_about_360_pixels():
    content = images.qr_png(redeem_url(make_token(12, 3456)))
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    position, kinds = 8, []
    while position < len(content):
        (length,) = struct.unpack_from(">I", content, position)
        body = content[position + 4 : position + 8 + length]
        assert struct.unpack_from(">I", content, position + 8 + length) == (zlib.crc32(body),)
        kinds.append(body[:4])
        position += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    image = Image.open(io.BytesIO(content))
    image.load()
    assert (image.mode, image.size) == ("1", (360, 360))
    assert len(content) < 1000


def test_the_quiet_zone_is_four_modules_of_white():
    image = opened(redeem_url(make_token(12, 3456))).convert("L")
    zone = 4 * images.PIXELS_PER_MODULE
    inner = image.crop((zone, zone, image.width - zone, image.height - zone))
    assert inner.getpixel((0, 0)) == 0
    image.paste(255, (zone, zone, image.width - zone, image.height - zone))
    assert image.getextrema() == (255, 255)


def smaller(image: Image.Image) -> Image.Image:
    return image.convert("L").resize((200, 200), Image.Resampling.BILINEAR)


def on(colour: int, image: Image.Image) -> Image.Image:
    around = Image.new("L", (image.width + 80, image.height + 80), colour)
    around.paste(image, (40, 40))
    return around


def turned(image: Image.Image, degrees: float) -> Image.Image:
    return on(255, image).rotate(
        degrees, resample=Image.Resampling.BICUBIC, expand=True, fillcolor=200
    )


def photographed(image: Image.Image, *, seed: int) -> Image.Image:
    """A photo of a screen: dim, uneven light, grain, moiré of lines, strong JPEG."""
    photo = on(70, image).rotate(7, resample=Image.Resampling.BICUBIC, expand=True, fillcolor=60)
    grain = random.Random(seed)
    width = photo.width
    values = [
        max(
            0,
            min(
                255,
                int(
                    pixel * (0.55 + 0.3 * (index % width) / width)
                    + 30
                    + (12 if index // width % 3 else 0)
                    + grain.gauss(0, 14)
                ),
            ),
        )
        for index, pixel in enumerate(photo.get_flattened_data())
    ]
    photo.putdata(values)
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=25)
    return Image.open(file)


@pytest.mark.parametrize("number", range(10))
def test_it_decodes_small_turned_in_the_dark_and_on_a_photo_of_a_screen(number):
    text = redeem_url(make_token(number + 1, 10**number))
    small = smaller(opened(text))
    assert decode(small) == text
    assert decode(on(128, small)) == text
    assert decode(on(0, small)) == text
    assert decode(turned(small, 33)) == text
    assert decode(turned(small, 180)) == text
    assert decode(photographed(small, seed=number)) == text


def test_500_codes_all_decode_at_200_pixels():
    for number in range(500):
        text = redeem_url(make_token(number, 7 * number))
        assert decode(smaller(opened(text))) == text


def test_the_svg_draws_the_same_modules_on_its_own_white():
    text = redeem_url(make_token(12, 3456))
    svg = images.qr_svg(text)
    root = ElementTree.fromstring(svg)
    size = int(root.get("viewBox").split()[2])
    background, drawing = root.iterfind("{http://www.w3.org/2000/svg}path")
    assert background.get("fill") == "#fff"
    dark = [[False] * size for _ in range(size)]
    for stroke in drawing.get("d").split("z")[:-1]:
        corner, across = stroke.removeprefix("M").split("h", 1)
        x, y = map(int, corner.split())
        for column in range(x, x + int(across.split("v")[0])):
            dark[y][column] = True
    assert dark == library_modules(text)


def test_a_text_that_fits_no_code_is_refused():
    with pytest.raises(ValueError, match="too long"):
        images.qr_png("x" * 3000)


def test_it_draws_at_least_1000_codes_a_second():
    texts = [redeem_url(make_token(1, number)) for number in range(1000, 2000)]
    images.qr_png(texts[0])
    started = time.process_time()
    for text in texts:
        images.qr_png(text)
    assert time.process_time() - started < 1
