import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import zxingcpp
from django.core import serializers
from django.urls import reverse
from PIL import Image

from customers.models import Customer
from qrcodes import codes, throttle
from qrcodes.models import MissCount, Offer, QRCode, Redemption, ScanAttempt
from qrcodes.redeem import redeem_code
from tests.factories import LocationFactory, OfferFactory, UserFactory
from tests.public_pages import assert_private, words_of
from tests.qrcodes.stored import make_code, staff_with

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def page_of(code: QRCode) -> str:
    return f"/c/{codes.short_code_of(code.token)}"


def everything() -> str:
    models = [QRCode, Offer, Redemption, ScanAttempt, Customer, MissCount]
    return "".join(serializers.serialize("json", model.objects.all()) for model in models)


def test_the_page_shows_offer_terms_expiry_image_and_a_code_to_type(client):
    expires_at = datetime(2099, 12, 21, 22, 59, 59, tzinfo=UTC)
    offer = OfferFactory(
        title="20% off <every> pizza",
        value="20%",
        terms="One per table.\nNot with other offers.",
        minimum_amount=Decimal("15.00"),
    )
    code = make_code(offer=offer, expires_at=expires_at)
    response = client.get(page_of(code))
    assert response.status_code == 200
    assert_private(response)
    words = words_of(response)
    for expected in (
        "Pizzeria Vesuvio",
        "20% off &lt;every&gt; pizza",
        "One per table.",
        "From a bill of 15.00 EUR",
        "Valid until 21 December 2099",
        codes.display_short_code(codes.short_code_of(code.token)),
    ):
        assert expected in words
    image = reverse("qrcodes:image", args=[codes.short_code_of(code.token), "svg"])
    assert f'src="{image}"' in response.content.decode()
    # Neither the secret nor the person is on a page that may be passed on.
    assert code.token not in response.content.decode()
    assert code.customer.first_name not in words


STATES = [
    ({}, "Valid until", True),
    ({"max_usage": 3}, "You can use it 3 more times.", True),
    ({"offer__starts_at": datetime(2099, 1, 1, 9, tzinfo=UTC)}, "Valid from 1 January 2099", True),
    ({"is_test": True}, "Test coupon", True),
    ({"expires_at": datetime(2026, 1, 5, 22, 59, tzinfo=UTC)}, "Expired on 5 January 2026", False),
    ({"withdrawn_at": datetime(2026, 1, 5, tzinfo=UTC)}, "No longer valid", False),
    ({"offer__state": "withdrawn"}, "No longer valid", False),
    ({"offer__state": "campaign_cancelled"}, "No longer valid", False),
]


@pytest.mark.parametrize(("fields", "words", "shows_image"), STATES)
def test_the_page_says_in_which_state_the_coupon_is(client, fields, words, shows_image):
    response = client.get(page_of(make_code(**fields)))
    assert response.status_code == 200
    assert words in words_of(response)
    assert ("<img" in response.content.decode()) is shows_image


def test_a_used_coupon_says_when_and_where_but_not_by_whom(client):
    code = make_code()
    redeem_code(
        text=code.token,
        source="command",
        location=LocationFactory(name="Harbour"),
        staff=UserFactory(username="anna"),
    )
    words = words_of(client.get(page_of(code)))
    assert "Used on" in words
    assert "At Harbour" in words
    assert "anna" not in words


def test_an_offer_whose_budget_is_spent_is_all_gone(client):
    offer = OfferFactory(max_redemptions=1)
    redeem_code(text=make_code(offer=offer).token, source="command")
    assert "All gone" in words_of(client.get(page_of(make_code(offer=offer))))


@pytest.mark.parametrize("shape", [str.lower, codes.display_short_code, lambda text: text + "/"])
def test_the_address_may_be_typed_in_any_way(client, shape):
    code = make_code()
    assert client.get("/c/" + shape(codes.short_code_of(code.token))).status_code == 200


def test_every_wrong_code_gets_the_same_friendly_page(client):
    code = make_code()
    right = codes.short_code_of(code.token)
    wrong = [f"/c/{right[:-1]}{'2' if right[-1] != '2' else '3'}", "/c/AAAAA22222", "/c/x", "/c/é"]
    wrong += [f"/r/{code.token[:-1]}x", f"/r/1-1-{'a' * 32}", "/r/x"]
    answers = [client.get(address) for address in wrong]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert_private(answers[0])
    assert "We do not know this code" in words_of(answers[0])


def test_looking_at_a_coupon_changes_nothing(client):
    code = make_code()
    before = everything()
    for address in (page_of(code), f"{page_of(code)}.png", f"{page_of(code)}.svg"):
        assert client.get(address).status_code == 200
        assert client.head(address).status_code == 200
        assert client.post(address).status_code == 405
    assert client.get(f"/r/{code.token}").status_code == 200
    assert client.post(f"/r/{code.token}").status_code == 405
    assert everything() == before


def test_the_image_says_the_code_and_only_its_reader_keeps_it(client):
    code = make_code()
    png = client.get(f"{page_of(code)}.png")
    assert png.headers["Content-Type"] == "image/png"
    assert zxingcpp.read_barcode(Image.open(io.BytesIO(png.content))).text == codes.redeem_url(
        code.token
    )
    svg = client.get(f"{page_of(code)}.svg")
    assert svg.headers["Content-Type"] == "image/svg+xml"
    assert svg.content.startswith(b"<svg")
    for image in (png, svg):
        assert "private" in image.headers["Cache-Control"]
        assert_private(image)
    assert client.get("/c/AAAAA22222.png").status_code == 404
    assert client.get(f"{page_of(code)}.gif").status_code == 404


def test_the_code_s_own_address_shows_its_customer_the_coupon(client):
    code = make_code()
    response = client.get(f"/r/{code.token}")
    assert code.offer.title in words_of(response)
    assert_private(response)
    assert reverse("qrcodes:login") in response.content.decode()


def test_someone_signed_in_without_the_right_sees_the_customer_s_page(client):
    client.force_login(staff_with("qrcodes.view_redemption"))
    words = words_of(client.get(f"/r/{make_code().token}"))
    assert "Show this at the till" in words
    assert "Redeem now" not in words


# --- Guessing ------------------------------------------------------------------------------------


def guess(client, times: int, address: str = "/c/AAAAA22222", **headers) -> list[int]:
    return [client.get(address, **headers).status_code for _ in range(times)]


def test_who_guesses_too_much_is_not_answered_for_right_codes_either(client):
    code = make_code()
    assert set(guess(client, throttle.MISSES_ALLOWED)) == {404}
    for address in ("/c/AAAAA22222", page_of(code), f"{page_of(code)}.png", f"/r/{code.token}"):
        response = client.get(address)
        assert response.status_code == 429
        assert int(response.headers["Retry-After"]) > 0
        assert_private(response)
    assert client.get(page_of(code), REMOTE_ADDR="192.0.2.9").status_code == 200


def test_right_codes_never_count(client):
    code = make_code()
    assert set(guess(client, throttle.MISSES_ALLOWED + 5, page_of(code))) == {200}


def test_images_and_tokens_count_as_well(client):
    guess(client, throttle.MISSES_ALLOWED - 2)
    client.get("/c/AAAAA22222.png")
    client.get("/r/1-1-" + "a" * 32)
    assert guess(client, 1) == [429]


def test_the_wait_ends_and_old_counts_are_forgotten(client, monkeypatch):
    now = datetime.now(UTC)
    monkeypatch.setattr(throttle, "database_now", lambda: now)
    guess(client, throttle.MISSES_ALLOWED)
    assert guess(client, 1) == [429]
    now += throttle.SPAN
    assert guess(client, 1) == [404]
    now += throttle.KEPT + throttle.SPAN
    assert guess(client, 1) == [404]
    assert MissCount.objects.count() == 1


def test_the_address_of_who_guesses_is_not_stored(client):
    guess(client, 2, REMOTE_ADDR="203.0.113.77")
    assert "203.0.113.77" not in serializers.serialize("json", MissCount.objects.all())


def test_behind_a_proxy_the_client_counts_and_not_what_it_claims(client, settings):
    settings.TRUSTED_PROXIES = 1
    for claimed in range(throttle.MISSES_ALLOWED):
        address = f"198.51.100.{claimed}, 203.0.113.5"
        guess(client, 1, HTTP_X_FORWARDED_FOR=address)
    assert guess(client, 1, HTTP_X_FORWARDED_FOR="203.0.113.5") == [429]
    assert guess(client, 1, HTTP_X_FORWARDED_FOR="203.0.113.6") == [404]


def test_without_a_proxy_the_header_is_not_believed(client, settings):
    settings.TRUSTED_PROXIES = 0
    for claimed in range(throttle.MISSES_ALLOWED):
        guess(client, 1, HTTP_X_FORWARDED_FOR=f"198.51.100.{claimed}")
    assert guess(client, 1, HTTP_X_FORWARDED_FOR="198.51.100.99") == [429]


def test_a_line_with_many_ipv6_addresses_is_one_client(client, settings):
    settings.TRUSTED_PROXIES = 0
    for number in range(throttle.MISSES_ALLOWED):
        guess(client, 1, REMOTE_ADDR=f"2001:db8:1:2::{number:x}")
    assert guess(client, 1, REMOTE_ADDR="2001:db8:1:2:ffff::1") == [429]
    assert guess(client, 1, REMOTE_ADDR="2001:db8:1:3::1") == [404]


def test_many_misses_at_once_are_all_counted(at_once):
    at_once(lambda _: throttle.record_miss("somebody"), times=12, threads=6)
    assert at_once.look(lambda: sum(MissCount.objects.values_list("misses", flat=True))) == 12
