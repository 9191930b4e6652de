"""What becomes of an uploaded file, hostile ones above all (Z-3)."""

import io
import json
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from campaigns.images.clean_picture import MAX_BYTES, clean_picture
from config.errors import DomainError
from tests.pictures import a_file, noise, opened


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, *, before: bytes = b"", data: bytes | None = None) -> bytes:
    """A black PNG, which compresses a thousandfold."""
    if data is None:
        packer = zlib.compressobj(9)
        row = bytes(3 * width + 1)
        data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = header + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def webp_of(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "WEBP", lossless=True)
    return file.getvalue()


def moving(encoding: str) -> bytes:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    file = io.BytesIO()
    frames[0].save(file, encoding, save_all=True, append_images=frames[1:])
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("evil.js", "alert(1)")
    return file.getvalue()


BOMB = b"a\0\0" + zlib.compress(bytes(200_000_000), 9)
BOMB_TEXT, BOMB_PROFILE = chunk(b"zTXt", BOMB), chunk(b"iCCP", BOMB)
HOSTILE = {
    "empty": (b"", "empty_file"),
    "too many bytes": (a_file() + bytes(MAX_BYTES), "file_too_large"),
    "a text": (b"hello", "not_an_image"),
    "html": (b"<!doctype html><script>alert(1)</script>", "not_an_image"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "not_an_image"),
    "pdf": (b"%PDF-1.7\n1 0 obj", "not_an_image"),
    "zip": (zipped(), "not_an_image"),
    "a program": (b"MZ" + bytes(200), "not_an_image"),
    "tiff": (a_file("TIFF"), "not_an_image"),
    "bmp": (a_file("BMP"), "not_an_image"),
    "ico": (a_file("ICO"), "not_an_image"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
    "html that calls itself a gif": (b"GIF89a<script>alert(1)</script>", "image_broken"),
    "png signature only": (b"\x89PNG\r\n\x1a\n", "not_an_image"),
    "png without points": (png_of(9, 9, data=b"x"), "image_broken"),
    "png of no size": (png_of(0, 9, data=b""), "not_an_image"),
    "png bomb": (png_of(20_000, 20_000, data=b"x"), "image_too_large"),
    "png that claims the largest size": (
        png_of(2**31 - 1, 2**31 - 1, data=b"x"),
        "image_too_large",
    ),
    "png bomb in a text": (png_of(9, 9, before=BOMB_TEXT), "not_an_image"),
    "png bomb in a profile": (png_of(9, 9, before=BOMB_PROFILE), "not_an_image"),
    "webp bomb": (webp_of(3_000, 2_000), "image_too_large"),
    "truncated png": (noise()[:9000], "image_broken"),
    "truncated jpeg": (noise("JPEG")[:9000], "image_broken"),
    "truncated gif": (noise("GIF")[:9000], "image_broken"),
    "truncated webp": (noise("WEBP")[:9000], "not_an_image"),
    "moving gif": (moving("GIF"), "image_moves"),
    "moving png": (moving("PNG"), "image_moves"),
    "moving webp": (moving("WEBP"), "image_moves"),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_get_one_sentence(name: str) -> None:
    file, code = HOSTILE[name]
    with pytest.raises(DomainError) as refused:
        clean_picture(file)
    # A GIF without a picture in it may be found out when it is opened or when it is read.
    assert refused.value.code in {code, "not_an_image" if code == "image_broken" else code}
    assert refused.value.message.endswith(".")
    assert "Traceback" not in refused.value.message


def test_a_gif_whose_frame_is_larger_than_it_says_is_refused_by_the_frame() -> None:
    file = bytearray(a_file("GIF"))
    frame = file.index(b",", 13)
    file[frame + 5 : frame + 9] = struct.pack("<HH", 60_000, 60_000)
    with pytest.raises(DomainError) as refused:
        clean_picture(bytes(file))
    assert refused.value.code == "image_too_large"


BOMBS = """
import gc, io, json, sys, time, warnings
warnings.simplefilter("ignore")
from campaigns.images.clean_picture import clean_picture
from config.errors import DomainError

def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024

file = open(sys.argv[1], "rb").read()
clean_picture(open(sys.argv[2], "rb").read())
open("/proc/self/clear_refs", "w").write("5")
before, start = peak(), time.process_time()
try:
    outcome = clean_picture(file).format
except DomainError as error:
    outcome = error.code
print(json.dumps([outcome, peak() - before, time.process_time() - start]))
"""
LARGEST = {
    "refused png": (lambda: png_of(10_000, 10_000), "image_too_large"),
    "refused webp": (lambda: webp_of(8_000, 8_000), "image_too_large"),
    "largest png": (lambda: png_of(3_400, 2_500), "png"),
    "largest png with a palette": (
        lambda: a_file(size=(3_400, 2_500), mode="P", colour=0, transparency=0),
        "png",
    ),
    "largest webp": (lambda: webp_of(2_500, 2_000), "png"),
    "largest gif": (lambda: a_file("GIF", size=(3_400, 2_500), mode="P", colour=0), "png"),
    "largest photo": (lambda: a_file("JPEG", size=(5_000, 5_000)), "jpeg"),
    "largest progressive photo": (
        lambda: a_file("JPEG", size=(4_000, 2_500), progressive=True, subsampling=0),
        "jpeg",
    ),
}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures as Linux does")
@pytest.mark.parametrize("name", LARGEST)
def test_no_file_takes_a_hundred_megabytes_or_a_second(name: str, tmp_path: Path) -> None:
    make, expected = LARGEST[name]
    (tmp_path / "bomb").write_bytes(make())
    (tmp_path / "small").write_bytes(a_file())
    command = [sys.executable, "-c", BOMBS, str(tmp_path / "bomb"), str(tmp_path / "small")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    outcome, megabytes, seconds = json.loads(run.stdout)
    assert outcome == expected
    assert megabytes < 100
    # Twice the promise, in its own time: other tests share this machine.
    assert seconds < 2


# --- what is kept ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "kept", "mode"),
    [
        (a_file("PNG"), "png", "RGB"),
        (a_file("GIF"), "png", "RGB"),
        (a_file("WEBP"), "png", "RGB"),
        (a_file("JPEG"), "jpeg", "RGB"),
        (a_file("JPEG", mode="CMYK", colour=0), "jpeg", "RGB"),
        (a_file("JPEG", mode="L", colour=9), "jpeg", "L"),
        (a_file("PNG", mode="1", colour=1), "png", "L"),
        (a_file("PNG", mode="I;16", colour=40_000), "png", "L"),
        (a_file("PNG", mode="RGBA", colour=(1, 2, 3, 255)), "png", "RGB"),
        (a_file("PNG", mode="RGBA", colour=(1, 2, 3, 9)), "png", "RGBA"),
        (a_file("PNG", mode="LA", colour=(1, 9)), "png", "RGBA"),
        (a_file("PNG", mode="P", colour=0, transparency=0), "png", "RGBA"),
        (a_file("WEBP", mode="RGBA", colour=(1, 2, 3, 9)), "png", "RGBA"),
    ],
)
def test_every_kind_of_picture_becomes_one_that_every_mail_program_shows(file, kept, mode) -> None:
    picture = clean_picture(file)
    shown = opened(picture.data)
    assert (picture.format, shown.format, shown.mode) == (kept, kept.upper(), mode)
    assert (picture.width, picture.height) == shown.size == (40, 30)


def test_sixteen_bits_keep_their_brightness() -> None:
    shown = opened(clean_picture(a_file("PNG", mode="I;16", colour=40_000)).data)
    assert shown.getpixel((0, 0)) == 40_000 // 256


def test_the_name_of_the_file_decides_nothing() -> None:
    assert clean_picture(a_file("JPEG")).format == "jpeg"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1200, 100), (1200, 100)),
        ((1201, 100), (1200, 100)),
        ((2400, 1000), (1200, 500)),
        ((100, 6000), (83, 5000)),
        ((1300, 20), (1200, 18)),
        ((1, 1), (1, 1)),
        ((4000, 1), (1200, 1)),
    ],
)
@pytest.mark.parametrize("encoding", ["PNG", "JPEG"])
def test_a_picture_is_at_most_twice_as_wide_as_a_message(encoding, size, expected) -> None:
    picture = clean_picture(a_file(encoding, size=size))
    assert (picture.width, picture.height) == expected


def photo(orientation: int, encoding: str = "JPEG") -> bytes:
    """A photo, red on the left and blue on the right, with a place and a turn in its EXIF."""
    image = Image.new("RGB", (1600, 400), "blue")
    image.paste("red", (0, 0, 800, 400))
    exif = image.getexif()
    exif[0x0112] = orientation
    exif[0x010F] = "Camera of Ada"
    exif.get_ifd(0x8825).update({1: "N", 2: (53.0, 33.0, 0.0), 3: "E", 4: (9.0, 59.0, 0.0)})
    file = io.BytesIO()
    options = {"comment": b"secret comment"} if encoding == "JPEG" else {}
    image.save(file, encoding, exif=exif, xmp=b"<x:xmpmeta>secret place</x:xmpmeta>", **options)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["JPEG", "PNG", "WEBP"])
def test_nothing_but_the_picture_goes_on(encoding: str) -> None:
    file = photo(1, encoding)
    assert b"Camera of Ada" in file
    picture = clean_picture(file)
    for secret in (b"Camera of Ada", b"Exif", b"secret", b"xmpmeta"):
        assert secret not in picture.data
    shown = opened(picture.data)
    assert dict(shown.getexif()) == {}
    assert not shown.getexif().get_ifd(0x8825)
    assert not {"exif", "xmp", "icc_profile", "comment"} & shown.info.keys()


def test_texts_of_a_png_do_not_go_on() -> None:
    texts = PngInfo()
    texts.add_text("Comment", "secret words")
    assert b"secret" not in clean_picture(a_file(pnginfo=texts)).data


@pytest.mark.parametrize("encoding", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("orientation", "size", "red_at"),
    [
        (1, (1200, 300), (100, 150)),
        (3, (1200, 300), (1100, 150)),
        (6, (400, 1600), (200, 100)),
        (8, (400, 1600), (200, 1500)),
    ],
)
def test_a_photo_stands_upright(encoding, orientation, size, red_at) -> None:
    shown = opened(clean_picture(photo(orientation, encoding)).data)
    assert shown.size == size
    red, _, blue = shown.getpixel(red_at)
    assert red > 200
    assert blue < 60


def test_a_profile_is_dropped_and_a_wrong_one_does_no_harm() -> None:
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert clean_picture(a_file("JPEG", icc_profile=swapped)).format == "jpeg"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    shown = opened(clean_picture(a_file("PNG", icc_profile=srgb)).data)
    assert "icc_profile" not in shown.info
    assert shown.getpixel((0, 0)) == (255, 99, 71)


@pytest.mark.parametrize("more", [zipped(), b"<script>alert(1)</script>", b"%PDF-1.7"])
@pytest.mark.parametrize("encoding", ["PNG", "JPEG", "GIF"])
def test_a_second_file_behind_the_picture_does_not_go_on(encoding: str, more: bytes) -> None:
    picture = clean_picture(a_file(encoding) + more)
    assert more not in picture.data
    assert opened(picture.data).size == (40, 30)


def test_a_script_inside_a_picture_does_not_go_on() -> None:
    script = b"=1;alert(document.domain)//"
    file = a_file("JPEG", comment=b"*/" + script)
    assert script in file
    assert script not in clean_picture(file).data


def test_a_phones_second_picture_is_no_film() -> None:
    file = io.BytesIO()
    two = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    two[0].save(file, "MPO", save_all=True, append_images=two[1:])
    assert clean_picture(file.getvalue()).format == "jpeg"


def test_a_photo_in_png_is_kept_as_a_photo_and_a_logo_stays_sharp() -> None:
    gradient = Image.radial_gradient("L").resize((1200, 900))
    mixed = Image.merge("RGB", (gradient, gradient.rotate(90), Image.effect_noise((1200, 900), 40)))
    file = io.BytesIO()
    mixed.save(file, "PNG")
    assert clean_picture(file.getvalue()).format == "jpeg"
    assert clean_picture(a_file(size=(1200, 900))).format == "png"


def test_what_is_too_heavy_for_an_email_is_refused() -> None:
    file = io.BytesIO()
    channels = [Image.effect_noise((1000, 900), 100 + n) for n in range(4)]
    Image.merge("RGBA", channels).save(file, "PNG")
    with pytest.raises(DomainError) as refused:
        clean_picture(file.getvalue())
    assert refused.value.code == "image_too_large"


def test_a_jpeg_of_a_thousand_passes_is_refused_before_it_is_decoded() -> None:
    file = a_file("JPEG", size=(3000, 3000), mode="L", colour=128, progressive=True)
    last = file[file.rfind(b"\xff\xc4") : -2]
    started = time.process_time()
    with pytest.raises(DomainError) as refused:
        clean_picture(file[:-2] + last * 1_000 + file[-2:])
    assert refused.value.code == "image_broken"
    assert time.process_time() - started < 0.5
    assert clean_picture(file[:-2] + last * 5 + file[-2:]).width == 1_200


def test_the_same_file_gives_the_same_bytes() -> None:
    assert clean_picture(a_file()).digest == clean_picture(a_file()).digest
    assert clean_picture(a_file()).digest != clean_picture(a_file(colour="navy")).digest
