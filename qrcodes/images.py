"""QR images: error correction M, a fixed mask, a quiet zone of four modules (Q-3).

Over GF(2) a QR symbol of one version and mask is a linear function of its data bits, error
correction included. So the ``qrcode`` library is asked once per version what each data bit does to
the picture, and every further symbol is the exclusive or of the bits it has. The picture is the
library's, module for module. Measured on one core: 6,000 PNGs a second, 80 with its defaults.
"""

import functools
import itertools
import operator
import struct
import zlib
from bisect import bisect_left

from qrcode import base, util
from qrcode.constants import ERROR_CORRECT_M
from qrcode.main import QRCode as Symbol

MASK = 0
QUIET_ZONE = 4
# One module is one byte of a 1-bit scan line; a usual code comes out 360 pixels wide.
PIXELS_PER_MODULE = 8
# 650 bytes in 0.05 ms; level 6 saves 100 bytes and takes four times as long.
DEFLATE_LEVEL = 3
_BYTE_MODE = 4
_PADDING = (0xEC, 0x11)
_BIT_BYTES = bytes.maketrans(b"01", b"\x00\x01")
_ROW_BYTES = bytes.maketrans(b"01", b"\xff\x00")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _version_for(length: int) -> int:
    """Return the smallest version whose symbol holds ``length`` bytes.

    Raises ValueError when none does.
    """
    limits = util.BIT_LIMIT_TABLE[ERROR_CORRECT_M]
    version = bisect_left(limits, 4 + 8 + 8 * length)
    if version >= 10:
        version = bisect_left(limits, 4 + 16 + 8 * length, 10)
    if version >= len(limits):
        raise ValueError("the text is too long for a QR code")
    return version


def _modules_of(version: int, codewords: list[int]) -> int:
    """Return the library's picture of finished codewords: one bit a module, row by row."""
    symbol = Symbol(version=version, error_correction=ERROR_CORRECT_M, mask_pattern=MASK)
    symbol.data_cache = codewords
    symbol.makeImpl(False, MASK)
    dark = (module for row in symbol.modules for module in row)
    return int("".join("1" if module else "0" for module in dark), 2)


def _codewords_of(version: int, data: bytes) -> list[int]:
    """Return ``data`` with its error correction, interleaved, as the library orders them."""
    buffer = util.BitBuffer()
    buffer.buffer = list(data)
    codewords: list[int] = util.create_bytes(buffer, base.rs_blocks(version, ERROR_CORRECT_M))
    return codewords


def _bits_of(value: int, count: int) -> bytes:
    """Return the last ``count`` bits of ``value``, first bit first, a byte of 0 or 1 for each."""
    return f"{value:0{count}b}".encode().translate(_BIT_BYTES)


def _times(codewords: list[int], factor: int) -> int:
    """Return codewords multiplied by ``factor`` in the library's GF(256), as one number."""
    power = base.glog(factor)
    return int.from_bytes(bytes(base.gexp(base.glog(c) + power) if c else 0 for c in codewords))


def _landing_of(version: int, blank: int, codeword_count: int) -> list[int]:
    """Return where each codeword bit lands in the picture, as a number with that one bit set.

    It is learnt from few pictures: in the n-th those bits are set whose number, counted from one,
    has a one in its n-th place.
    """
    bit_count = 8 * codeword_count
    size = (version * 4 + 17) ** 2
    numbers = [0] * size
    for place in range(bit_count.bit_length()):
        pattern = int("".join(str(number >> place & 1) for number in range(1, bit_count + 1)), 2)
        picture = _modules_of(version, list(pattern.to_bytes(codeword_count)))
        for module, changed in enumerate(_bits_of(picture ^ blank, size)):
            numbers[module] |= changed << place
    landing = [0] * (bit_count + 1)
    for module, number in enumerate(numbers):
        landing[number] = 1 << size - 1 - module
    return landing[1:]


@functools.lru_cache(maxsize=8)
def _effects_of(version: int) -> tuple[int, tuple[int, ...]]:
    """Return the picture of all-zero data, and the modules that each data bit flips in it."""
    blocks = base.rs_blocks(version, ERROR_CORRECT_M)
    codeword_count = sum(block.total_count for block in blocks)
    blank = _modules_of(version, [0] * codeword_count)
    landing = _landing_of(version, blank, codeword_count)
    # The library divides by the first byte of a block, so bytes are changed in ones, not in zeros.
    ones = b"\xff" * sum(block.data_count for block in blocks)
    before = _codewords_of(version, ones)
    effects = []
    for position in range(len(ones)):
        data = bytearray(ones)
        data[position] ^= 1
        after = _codewords_of(version, bytes(data))
        change = [new ^ old for new, old in zip(after, before, strict=True)]
        for bit in range(8):
            flips = _bits_of(_times(change, 0x80 >> bit), 8 * codeword_count)
            effects.append(functools.reduce(operator.or_, itertools.compress(landing, flips)))
    return blank, tuple(effects)


def _rows_of(text: str) -> list[bytes]:
    """Return the symbol of ``text`` without its quiet zone: rows of the digits 0 and 1."""
    content = text.encode()
    version = _version_for(len(content))
    blank, effects = _effects_of(version)
    data_length = len(effects) // 8
    length_bits = 8 if version < 10 else 16
    message = (_BYTE_MODE << length_bits | len(content)) << 8 * len(content)
    message |= int.from_bytes(content)
    # Mode and length leave half a byte, so the four zero bits of the terminator always fit.
    used = (4 + length_bits + 8 * len(content) + 4) // 8
    padding = bytes(itertools.islice(itertools.cycle(_PADDING), data_length - used))
    data = (message << 4) << 8 * len(padding) | int.from_bytes(padding)
    flipped = itertools.compress(effects, _bits_of(data, len(effects)))
    picture = functools.reduce(operator.xor, flipped, blank)
    size = version * 4 + 17
    digits = f"{picture:0{size * size}b}".encode()
    return [digits[start : start + size] for start in range(0, size * size, size)]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def qr_png(text: str) -> bytes:
    """Return a black and white PNG that says ``text``, its quiet zone included.

    Raises ValueError when the text is too long for a QR code.
    """
    rows = _rows_of(text)
    modules = len(rows) + 2 * QUIET_ZONE
    pixels = modules * PIXELS_PER_MODULE
    quiet = b"\xff" * QUIET_ZONE
    white = b"\x00" + b"\xff" * modules
    # Filter 2, «as the line above», turns repeated lines into zeros, which deflate at once.
    same = b"\x02" + bytes(modules)
    lines = [white, same * (QUIET_ZONE * PIXELS_PER_MODULE - 1)]
    repeats = same * (PIXELS_PER_MODULE - 1)
    for row in rows:
        lines += (b"\x00", quiet, row.translate(_ROW_BYTES), quiet, repeats)
    lines += (white, same * (QUIET_ZONE * PIXELS_PER_MODULE - 1))
    # Width, height, one bit, greyscale, and the only compression, filter and interlace methods.
    header = struct.pack(">IIBBBBB", pixels, pixels, 1, 0, 0, 0, 0)
    return b"".join(
        (
            _PNG_SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(b"".join(lines), DEFLATE_LEVEL)),
            _chunk(b"IEND", b""),
        )
    )


def qr_svg(text: str) -> str:
    """Return an SVG image that says ``text``: black on its own white, so dark pages do not matter.

    Raises ValueError when the text is too long for a QR code.
    """
    rows = _rows_of(text)
    size = len(rows) + 2 * QUIET_ZONE
    strokes = []
    for y, row in enumerate(rows, QUIET_ZONE):
        x = QUIET_ZONE
        for digit, run in itertools.groupby(row):
            length = len(list(run))
            if digit == ord("1"):
                strokes.append(f"M{x} {y}h{length}v1h-{length}z")
            x += length
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" '
        f'width="{size * PIXELS_PER_MODULE}" height="{size * PIXELS_PER_MODULE}" '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{size}v{size}H0z"/>'
        f'<path d="{"".join(strokes)}"/></svg>'
    )
