import pytest

from campaigns.content.sms_length import GSM_BASIC, GSM_EXTENSION, measure_sms


def test_the_alphabet_is_complete():
    # 128 positions of 3GPP TS 23.038, one of which is the escape; ten letters behind the escape.
    assert len(GSM_BASIC) == 127
    assert len(GSM_EXTENSION) == 10
    assert not GSM_BASIC & GSM_EXTENSION


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments", "per_segment"),
    [
        ("", "GSM-7", 0, 0, 160),
        ("a", "GSM-7", 1, 1, 160),
        ("a" * 160, "GSM-7", 160, 1, 160),
        ("a" * 161, "GSM-7", 161, 2, 153),
        ("a" * 306, "GSM-7", 306, 2, 153),
        ("a" * 307, "GSM-7", 307, 3, 153),
        ("€" * 80, "GSM-7", 160, 1, 160),
        ("€" * 81, "GSM-7", 162, 2, 153),
        ("ä" * 70, "GSM-7", 70, 1, 160),
        ("ș" * 70, "UCS-2", 70, 1, 70),
        ("ș" * 71, "UCS-2", 71, 2, 67),
        ("ș" * 134, "UCS-2", 134, 2, 67),
        ("ș" * 135, "UCS-2", 135, 3, 67),
        ("🍕" * 35, "UCS-2", 70, 1, 70),
        ("🍕" * 36, "UCS-2", 72, 2, 67),
        ("line\r\nline", "GSM-7", 10, 1, 160),
    ],
)
def test_it_counts_units_and_segments(text, encoding, units, segments, per_segment):
    length = measure_sms(text)
    assert (length.encoding, length.units, length.segments, length.per_segment) == (
        encoding,
        units,
        segments,
        per_segment,
    )


def test_an_escaped_character_is_not_torn_in_two():
    # 152 + 2 do not fit into the first part, so it stays one short and the third part is needed.
    assert measure_sms("a" * 152 + "€" + "a" * 152).segments == 3
    assert measure_sms("a" * 151 + "€" + "a" * 153).segments == 2


def test_a_surrogate_pair_is_not_torn_in_two():
    assert measure_sms("ș" * 66 + "🍕" + "ș" * 66).segments == 3
    assert measure_sms("ș" * 65 + "🍕" + "ș" * 67).segments == 2


def test_it_names_what_forces_the_long_alphabet_once_and_in_order():
    assert measure_sms("Hi “Ada” 🍕 “x” ç").forcing == ("“", "”", "🍕", "ç")
    assert measure_sms("Grüße für 5 €").forcing == ()
