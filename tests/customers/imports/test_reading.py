import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import DomainError
from customers.imports.reading import EncodingDetector, open_list
from customers.imports.storage import PartsStream, csv_line


def detect(data: bytes, size: int = 7) -> str:
    detector = EncodingDetector()
    for start in range(0, len(data), size):
        detector.feed(data[start : start + size])
    return detector.encoding()


def read(data: bytes | str) -> tuple[list[str], list[tuple[int, list[str], bool]]]:
    data = data.encode() if isinstance(data, str) else data
    header, records = open_list(as_stream(data), detect(data))
    return header.names, [(record.line, record.cells, bool(record.problem)) for record in records]


def as_stream(data: bytes) -> io.RawIOBase:
    return PartsStream(iter([data[start : start + 11] for start in range(0, len(data), 11)]))


UMLAUTS = "Email;Vorname\r\nanna@example.com;Änne\r\n"


@pytest.mark.parametrize(
    "data",
    [
        UMLAUTS.encode(),
        b"\xef\xbb\xbf" + UMLAUTS.encode(),
        UMLAUTS.encode("latin-1"),
        UMLAUTS.encode("cp1252"),
        UMLAUTS.encode("utf-16"),
        b"\xfe\xff" + UMLAUTS.encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8 with BOM", "latin-1", "cp1252", "utf-16-le", "utf-16-be"],
)
def test_it_reads_every_encoding_that_people_export(data: bytes) -> None:
    assert read(data) == (
        ["Email", "Vorname"],
        [(2, ["anna@example.com", "Änne"], False)],
    )


def test_it_reads_the_typography_of_windows() -> None:
    assert read("Email,Note\na@example.com,“10 €”\n".encode("cp1252"))[1][0][1][1] == "“10 €”"


def test_bytes_that_windows_leaves_undefined_are_read_as_latin_1() -> None:
    assert detect(b"Email,Name\na@example.com,\x81\xe4\n") == "latin-1"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_it_finds_the_delimiter(delimiter: str) -> None:
    text = f'Email{delimiter}Note\na@example.com{delimiter}"one, two; three\tfour"\n'
    assert read(text) == (
        ["Email", "Note"],
        [(2, ["a@example.com", "one, two; three\tfour"], False)],
    )


def test_it_reads_a_single_column() -> None:
    assert read("Email\na@example.com\n") == (["Email"], [(2, ["a@example.com"], False)])


def test_it_heeds_excels_separator_line_and_counts_it() -> None:
    assert read("sep=;\nEmail;Name\na@example.com;A, B\n") == (
        ["Email", "Name"],
        [(3, ["a@example.com", "A, B"], False)],
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_it_counts_lines_whatever_ends_them(end: str) -> None:
    text = end.join(["Email,Note", "a@example.com,x", "", ",", "b@example.com,y", ""])
    assert [line for line, _, _ in read(text)[1]] == [2, 5]


def test_a_quoted_cell_may_span_lines() -> None:
    text = 'Email,Note\na@example.com,"one\ntwo ""2""\n\nthree"\nb@example.com,y\n'
    assert read(text)[1] == [
        (2, ["a@example.com", 'one\ntwo "2"\n\nthree'], False),
        (6, ["b@example.com", "y"], False),
    ]


def test_a_header_may_span_lines() -> None:
    assert read('"E-\nMail",Note\na@example.com,x\n')[1] == [(3, ["a@example.com", "x"], False)]


def test_a_quotation_mark_that_is_not_closed_costs_its_own_line_only() -> None:
    text = 'Email,Note\n"a@example.com,x\nb@example.com,y\nc@example.com,"z"\n'
    assert read(text)[1] == [
        (2, ['"a@example.com', "x"], True),
        (3, ["b@example.com", "y"], False),
        (4, ["c@example.com", "z"], False),
    ]


def test_a_quotation_mark_at_the_end_of_the_file_is_not_the_end_of_the_rows() -> None:
    rows = "".join(f"c{number}@example.com,y\n" for number in range(100))
    records = read(f'Email,Note\n"a@example.com,x\n{rows}')[1]
    assert records[0] == (2, ['"a@example.com', "x"], True)
    assert len(records) == 101
    assert not any(problem for _, _, problem in records[1:])


def test_inches_in_a_cell_are_no_quotation_mark() -> None:
    assert read('Email,Note\na@example.com,a 12" pizza\n')[1] == [
        (2, ["a@example.com", 'a 12" pizza'], False)
    ]


def test_a_cell_that_never_ends_is_a_problem_of_its_row() -> None:
    text = f"Email,Note\na@example.com,{'x' * 200_000}\nb@example.com,y\n"
    assert [(line, problem) for line, _, problem in read(text)[1]] == [(2, True), (3, False)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   \n\n",
        b"PK\x03\x04 a workbook",
        b"\xd0\xcf\x11\xe0 an old workbook",
        b"%PDF-1.7 a page",
        b"\x89PNG\r\n\x1a\n",
        bytes(range(256)),
        "Email,Name\na@example.com,A".encode("utf-16-le"),
        b"anna@example.com,Anna\nbert@example.com,Bert\n",
        b",,,\n",
        ("x" * 300 + ",b\n").encode(),
        (",".join(f"c{number}" for number in range(300)) + "\n").encode(),
    ],
)
def test_it_says_what_to_do_with_a_file_it_cannot_read(data: bytes) -> None:
    with pytest.raises(DomainError) as error:
        read(data)
    assert error.value.code == "unreadable_file"
    assert "anna" not in error.value.message
    assert error.value.message.endswith((".", "?"))


CELLS = st.lists(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=2, max_size=2),
    max_size=5,
)


@given(CELLS, st.sampled_from([",", ";", "\t"]))
def test_it_reads_back_what_was_written(rows: list[list[str]], delimiter: str) -> None:
    text = csv_line(["Email", "Note"], delimiter)
    text += "".join(csv_line(row, delimiter) for row in rows)
    expected = [row for row in rows if any(cell.strip() for cell in row)]
    assert [cells for _, cells, _ in read(text)[1]] == expected
