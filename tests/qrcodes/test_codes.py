from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrcodes import codes

TOKENS = st.builds(
    lambda campaign, customer, secret: f"{campaign}-{customer}-{secret:032x}",
    st.integers(1, 10**9),
    st.integers(1, 10**12),
    st.integers(0, 2**128 - 1),
)
STRAY = st.text(" \t\r\n\u00a0\u200b", max_size=3)


def test_a_token_names_campaign_and_customer_and_is_random():
    first, second = codes.make_token(7, 42), codes.make_token(7, 42)
    assert first != second
    campaign, customer, secret = first.split("-")
    assert (campaign, customer) == ("7", "42")
    assert len(secret) == 32
    assert int(secret, 16) >= 0


def test_a_short_code_has_ten_letters_without_look_alikes():
    made = "".join(codes.short_code_of(codes.make_token(1, 1)) for _ in range(300))
    assert len(made) == 3000
    assert set(made) == set(codes.SHORT_CODE_ALPHABET)
    assert not set(made) & set("01ILOU")


def test_a_short_code_cannot_be_worked_out_without_the_key(settings):
    token = codes.make_token(1, 1)
    before = codes.short_code_of(token)
    assert codes.short_code_of(token) == before
    settings.BLIND_INDEX_KEY = b"another key of thirty-two bytes!"
    assert codes.short_code_of(token) != before


@settings(deadline=None)
@given(token=TOKENS, before=STRAY, after=STRAY, upper=st.booleans(), as_address=st.booleans())
def test_it_reads_a_token_alone_or_in_an_address(token, before, after, upper, as_address):
    text = codes.redeem_url(token) if as_address else token
    parsed = codes.parse_code(before + (text.upper() if upper else text) + after)
    assert parsed.token == token
    assert parsed.short_code == codes.short_code_of(token)
    assert f"{parsed.campaign_id}-{parsed.customer_id}" == token.rpartition("-")[0]


@settings(deadline=None)
@given(token=TOKENS, upper=st.booleans(), data=st.data())
def test_it_reads_a_short_code_however_it_is_typed(token, upper, data):
    short_code = codes.short_code_of(token)
    forms = [short_code, codes.display_short_code(short_code), codes.coupon_url(token)]
    text = data.draw(st.sampled_from(forms))
    spot = data.draw(st.integers(0, len(text)))
    text = text[:spot] + data.draw(STRAY) + text[spot:]
    parsed = codes.parse_code(text.upper() if upper else text.lower())
    assert parsed.short_code == short_code
    assert not parsed.token
    assert parsed.digest == codes.parse_code(token).digest == codes.short_code_hash(short_code)


@pytest.mark.parametrize(
    "text", ["1-2-{}?utm_source=mail", "1-2-{}/", "1-2-{}#top", "1\u20112\u2013{}", "１-２-{}"]
)
def test_it_reads_what_mail_programs_and_keyboards_make_of_a_token(text):
    secret = "0123456789abcdef" * 2
    text = text.format(secret)
    assert codes.parse_code(f"https://elsewhere.example/r/{text}").token == f"1-2-{secret}"


@settings(deadline=None)
@given(st.text(max_size=600))
def test_any_other_text_is_malformed_and_never_an_error(text):
    parsed = codes.parse_code(text)
    assert len(parsed.digest) == 64
    if parsed.is_malformed:
        assert (parsed.token, parsed.campaign_id, parsed.customer_id) == ("", 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "1-2-",
        "1-2-" + "g" * 32,
        "1-2-" + "a" * 31,
        "1-2-" + "a" * 33,
        "9" * 19 + "-1-" + "a" * 32,  # no 64-bit key
        "ABCDE1234",
        "ABCDE123456",
        "ABCDE-1234O",
        "https://coupons.example.com/scan/",
        "\x00",
        "a" * 100_000,
    ],
)
def test_it_calls_malformed_what_cannot_be_a_code(text):
    assert codes.parse_code(text).is_malformed


@pytest.mark.parametrize(
    ("made_at", "days", "expires_at"),
    [
        # Berlin is two hours ahead in summer, one in winter.
        ("2026-07-01T10:00:00", 30, "2026-07-31T21:59:59.999999"),
        ("2026-07-01T22:30:00", 1, "2026-07-03T21:59:59.999999"),
        ("2026-10-24T10:00:00", 1, "2026-10-25T22:59:59.999999"),
    ],
)
def test_a_code_lasts_to_the_end_of_the_nth_day_after_it_was_made(made_at, days, expires_at):
    made = datetime.fromisoformat(made_at).replace(tzinfo=UTC)
    assert codes.expiry_of(made, days) == datetime.fromisoformat(expires_at).replace(tzinfo=UTC)


def test_the_last_day_ends_at_midnight_where_the_clock_skips_it(settings):
    settings.TIME_ZONE = "Africa/Cairo"  # 24 April 2026 begins at one o'clock
    made = datetime(2026, 4, 22, 12, tzinfo=UTC)
    assert codes.expiry_of(made, 1) == datetime(2026, 4, 23, 21, 59, 59, 999999, tzinfo=UTC)


def test_addresses_lie_under_the_public_one():
    token = codes.make_token(1, 2)
    short_code = codes.short_code_of(token)
    assert codes.redeem_url(token) == f"https://coupons.example.com/r/{token}"
    assert codes.coupon_url(token) == f"https://coupons.example.com/c/{short_code}"
    assert codes.image_url(token) == f"https://coupons.example.com/c/{short_code}.png"


def test_the_image_says_the_address_or_by_setting_the_bare_token(settings):
    token = codes.make_token(1, 2)
    assert codes.qr_payload(token) == codes.redeem_url(token)
    settings.QR_PAYLOAD = "token"
    assert codes.qr_payload(token) == token
