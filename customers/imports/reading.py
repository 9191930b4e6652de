"""From the bytes of an uploaded list to its records, each with the number of its line (C-5)."""

import codecs
import contextlib
import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from config.errors import DomainError
from customers.contact import holds_address

MAX_COLUMNS = 200
MAX_HEADER_CHARACTERS = 200
# A quotation mark that is not closed within this many lines is a slip, not a long note.
MAX_LINES_IN_RECORD = 40
DELIMITERS = (",", ";", "\t")
# All bytes but the five that Windows-1252 leaves undefined.
_CP1252_DEFINED = bytes(set(range(256)) - {0x81, 0x8D, 0x8F, 0x90, 0x9D})


@dataclass(frozen=True, slots=True)
class Record:
    """One row as it came. ``problem`` says why its cells cannot be told apart, if so."""

    line: int
    cells: list[str]
    problem: str = ""


def unreadable(message: str) -> DomainError:
    """Return the error for a file of which nothing can be used."""
    return DomainError("unreadable_file", message)


class EncodingDetector:
    """Finds a file's encoding while its bytes pass by."""

    def __init__(self) -> None:
        self._start = b""
        self._utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._fits_cp1252 = True
        self._has_nul = False

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        self._start = (self._start + chunk[:8])[:8]
        self._has_nul = self._has_nul or b"\x00" in chunk
        if self._utf8 is not None:
            try:
                self._utf8.decode(chunk)
            except UnicodeDecodeError:
                self._utf8 = None
        self._fits_cp1252 = self._fits_cp1252 and not chunk.translate(None, _CP1252_DEFINED)

    def encoding(self) -> str:
        """Return the codec that reads the file.

        Raises DomainError ``unreadable_file`` for what is no text at all.
        """
        if not self._start:
            raise unreadable("The file is empty: export your list again and choose that file.")
        if self._start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
            raise unreadable("This is an Excel workbook: save it as CSV UTF-8, and choose that.")
        if self._start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if self._start.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8", b"\x1f\x8b", b"GIF8")):
            raise unreadable("This is no list: save your customers as CSV, and choose that file.")
        if self._utf8 is not None:
            try:
                self._utf8.decode(b"", final=True)
            except UnicodeDecodeError:
                self._utf8 = None
        if self._utf8 is not None:
            return "utf-8-sig"
        if self._has_nul:
            raise unreadable("This is no text file: save your list as CSV UTF-8, and choose that.")
        return "cp1252" if self._fits_cp1252 else "latin-1"


def open_lines(stream: io.RawIOBase, encoding: str) -> Iterator[str]:
    """Return the file's lines, their ends kept."""
    buffered = io.BufferedReader(stream, 1 << 16)
    return io.TextIOWrapper(buffered, encoding=encoding, errors="replace", newline="")


def _parse(text: str, delimiter: str) -> list[str]:
    return next(csv.reader([text], delimiter=delimiter, strict=True), [])


def _needs_more(error: csv.Error) -> bool:
    """Tell whether a quotation mark was still open at the end of the text."""
    return "unexpected end of data" in str(error)


def _problem(error: csv.Error) -> str:
    if "field limit" in str(error):
        return "A cell in it is too long: shorten it, or check its quotation marks."
    return "A quotation mark in it is not closed or stands in the wrong place: mend it."


def read_records(lines: Iterable[str], delimiter: str, *, start: int = 1) -> Iterator[Record]:
    """Yield every record that is not blank, with the number of its line, counted from ``start``.

    A record whose quotation marks cannot be understood is yielded with a ``problem``; the next one
    starts on the next line, so a slip costs its own line only.
    """
    source = iter(lines)
    waiting: list[str] = []
    number = start
    while first := waiting.pop(0) if waiting else next(source, ""):
        text, taken = first, list[str]()
        while True:
            try:
                cells = _parse(text, delimiter)
            except csv.Error as error:
                following = ""
                if _needs_more(error) and len(taken) < MAX_LINES_IN_RECORD:
                    following = waiting.pop(0) if waiting else next(source, "")
                if following:
                    taken.append(following)
                    text += following
                    continue
                waiting = taken + waiting
                yield Record(number, first.rstrip("\r\n").split(delimiter), _problem(error))
                number += 1
            else:
                if any(cell.strip() for cell in cells):
                    yield Record(number, cells)
                number += 1 + len(taken)
            break


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns, what separates them, and how many lines they took."""

    names: list[str]
    delimiter: str
    lines: int


def read_header(lines: Iterator[str]) -> Header:
    """Return the header, consuming it.

    Raises DomainError ``unreadable_file`` when the first line holds no column names.
    """
    taken = 0
    text = ""
    for line in lines:
        taken += 1
        text += line
        says_separator = line.lower().startswith("sep=") and taken == 1
        if says_separator or not text.strip():
            text = ""
        elif text.count('"') % 2 == 0 or taken > MAX_LINES_IN_RECORD:
            break
    candidates: list[Header] = []
    for delimiter in DELIMITERS:
        with contextlib.suppress(csv.Error):
            names = [name.strip() for name in _parse(text, delimiter)]
            candidates.append(Header(names, delimiter, taken))
    header = max(candidates, key=lambda candidate: len(candidate.names), default=None)
    if header is None or not any(header.names):
        raise unreadable(
            "The first line holds no names of columns: it must be such as Email, First name, "
            "Last name. Is this a CSV file?"
        )
    _check_names(header.names)
    return header


def _check_names(names: list[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise unreadable(f"The file has more than {MAX_COLUMNS} columns: remove those not needed.")
    if any(holds_address(name) for name in names):
        raise unreadable(
            "The first line holds a customer, not the names of the columns: add a line such as "
            "Email, First name, Last name above it."
        )
    if any("\x00" in name or len(name) > MAX_HEADER_CHARACTERS for name in names):
        raise unreadable(
            "The first line is no list of column names: save your list as CSV UTF-8, and choose "
            "that file."
        )


def open_list(stream: io.RawIOBase, encoding: str) -> tuple[Header, Iterator[Record]]:
    """Return the header and the records below it.

    Raises DomainError ``unreadable_file`` when the first line holds no column names.
    """
    lines = open_lines(stream, encoding)
    header = read_header(lines)
    return header, read_records(lines, header.delimiter, start=header.lines + 1)
