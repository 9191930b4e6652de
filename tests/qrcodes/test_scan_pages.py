import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.signing import dumps
from django.test import Client
from django.urls import reverse

from qrcodes import codes, throttle
from qrcodes.models import QRCode, Redemption, ScanAttempt
from qrcodes.redeem import redeem_code
from qrcodes.views import scan as scan_views
from tests.factories import LocationFactory, OfferFactory, UserFactory
from tests.public_pages import assert_private, words_of
from tests.qrcodes.stored import make_code, staff_with

pytestmark = pytest.mark.django_db
SCAN = "/scan/"


@pytest.fixture
def anna():
    return staff_with("qrcodes.redeem", "qrcodes.undo_redemption", first_name="Anna")


@pytest.fixture
def till(anna) -> Client:
    browser = Client(enforce_csrf_checks=False)
    browser.force_login(anna)
    return browser


def look_at(till: Client, text: str, **fields) -> str:
    """Post a code and return where the till is sent."""
    response = till.post(SCAN, {"code": text, **fields})
    assert response.status_code == 302
    address = response.headers["Location"]
    assert text not in address
    return address


# --- Who may -------------------------------------------------------------------------------------


def addresses() -> list[str]:
    return [SCAN, "/scan/confirm/x/", "/scan/verdict/1/", "/scan/undo/1/"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_signing_in_one_is_sent_to_sign_in(client, method):
    for address in addresses():
        if method == "post" and "verdict" in address:
            continue
        response = getattr(client, method)(address)
        assert response.status_code == 302
        assert response.headers["Location"].startswith(reverse("qrcodes:login") + "?next=/scan/")


@pytest.mark.parametrize("rights", [(), ("qrcodes.view_redemption",), ("qrcodes.undo_redemption",)])
def test_without_the_right_nothing_can_be_redeemed(client, rights):
    client.force_login(staff_with(*rights))
    code = make_code()
    for address in addresses():
        response = client.get(address)
        assert response.status_code == 403
        assert_private(response)
        assert "may not redeem" in words_of(response)
    assert client.post(SCAN, {"code": code.token}).status_code == 403
    assert not ScanAttempt.objects.exists()


def test_an_admin_account_without_the_right_may_not_redeem_either(client):
    client.force_login(UserFactory(is_staff=True))
    assert client.get(SCAN).status_code == 403


def test_till_staff_sign_in_and_out_without_being_admin_staff(client):
    user = staff_with("qrcodes.redeem", username="anna")
    user.set_password("correct horse")
    user.save()
    page = client.get(reverse("qrcodes:login"))
    assert_private(page)
    wrong = client.post(reverse("qrcodes:login"), {"username": "anna", "password": "no"})
    assert "do not go together" in words_of(wrong)
    right = client.post(reverse("qrcodes:login"), {"username": "anna", "password": "correct horse"})
    assert right.headers["Location"] == SCAN
    assert client.get(SCAN).status_code == 200
    assert client.post(reverse("qrcodes:logout")).headers["Location"] == reverse("qrcodes:login")
    assert client.get(SCAN).status_code == 302


def test_signing_in_leads_back_but_never_to_another_site(client):
    user = staff_with("qrcodes.redeem", username="anna")
    user.set_password("correct horse")
    user.save()
    names = {"username": "anna", "password": "correct horse"}
    token = make_code().token
    back = client.post(reverse("qrcodes:login"), {**names, "next": f"/r/{token}"})
    assert back.headers["Location"] == f"/r/{token}"
    away = client.post(reverse("qrcodes:login"), {**names, "next": "https://evil.example/"})
    assert away.headers["Location"] == SCAN


def test_every_form_needs_its_csrf_token(anna):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(anna)
    code = make_code()
    assert strict.post(SCAN, {"code": code.token}).status_code == 403
    page = strict.get(SCAN).content.decode()
    csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    sent = strict.post(SCAN, {"code": code.token, "csrfmiddlewaretoken": csrf})
    assert sent.status_code == 302
    confirm = sent.headers["Location"]
    assert strict.post(confirm).status_code == 403
    assert not Redemption.objects.exists()
    assert strict.post(confirm, {"csrfmiddlewaretoken": csrf}).status_code == 302
    assert Redemption.objects.count() == 1


# --- Look, confirm, verdict ----------------------------------------------------------------------


def test_look_first_then_confirm_then_the_verdict(till, anna):
    shop = LocationFactory(name="Harbour")
    offer = OfferFactory(title="20% off every pizza", terms="One per table.")
    code = make_code(offer=offer)
    confirm = look_at(till, code.token, location=str(shop.pk))
    page = till.get(confirm)
    assert_private(page)
    words = words_of(page)
    for expected in ("Valid", "20% off every pizza", "One per table.", code.customer.first_name):
        assert expected in words
    for secret in (code.customer.email, code.customer.phone, code.customer.last_name, code.token):
        assert secret not in page.content.decode()
    assert not Redemption.objects.exists()

    done = till.post(confirm, {"amount": "23,50", "location": str(shop.pk)})
    assert done.status_code == 302
    verdict = till.get(done.headers["Location"])
    assert_private(verdict)
    assert "verdict-good" in verdict.content.decode()
    assert "Accepted" in words_of(verdict)
    assert "Harbour" in words_of(verdict)
    assert "23.50 EUR" in words_of(verdict)
    redemption = Redemption.objects.get()
    assert (redemption.qr_code, redemption.staff, redemption.location) == (code, anna, shop)
    assert redemption.amount == Decimal("23.50")
    assert redemption.attempt.source == "scan_page"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"withdrawn_at": "2026-01-01T00:00:00Z"}, "This coupon was withdrawn."),
        ({"expires_at": "2026-01-01T00:00:00Z"}, "Expired on 1 January 2026, 01:00."),
        ({"is_test": True}, "TEST"),
        ({"offer__state": "campaign_cancelled"}, "cancelled"),
    ],
)
def test_a_bad_code_is_rejected_at_the_look_with_its_reason(till, fields, words):
    address = look_at(till, make_code(**fields).token)
    page = till.get(address)
    assert "verdict-bad" in page.content.decode()
    assert "Rejected" in words_of(page)
    assert words in words_of(page)
    assert ScanAttempt.objects.count() == 1


def test_a_second_scan_says_when_where_and_by_whom(till, anna):
    code = make_code()
    redeem_code(
        text=code.token, source="scan_page", staff=anna, location=LocationFactory(name="Harbour")
    )
    words = words_of(till.get(look_at(till, codes.short_code_of(code.token))))
    assert "Already redeemed on" in words
    assert "at Harbour by Anna" in words


def test_all_wrong_codes_look_alike(till):
    code = make_code()
    pages = []
    for text in (code.token[:-1] + ("0" if code.token[-1] != "0" else "1"), "ABCDE23456", "what?"):
        page = till.get(look_at(till, text))
        assert text not in page.content.decode()
        pages.append(re.sub(r"\d\d:\d\d:\d\d|value=\S+", "", page.content.decode()))
    assert len(set(pages)) == 1


def test_pressing_confirm_twice_redeems_once_and_says_accepted_twice(till):
    code = make_code(max_usage=3)
    confirm = look_at(till, code.token)
    first, second = till.post(confirm), till.post(confirm)
    assert first.headers["Location"] == second.headers["Location"]
    assert "Accepted" in words_of(till.get(second.headers["Location"]))
    assert Redemption.objects.count() == 1


def test_reloading_the_verdict_or_going_back_to_confirm_does_nothing(till):
    code = make_code()
    confirm = look_at(till, code.token)
    verdict = till.post(confirm).headers["Location"]
    for _ in range(2):
        assert "Accepted" in words_of(till.get(verdict))
    assert "Already redeemed" in words_of(till.get(confirm))
    assert ScanAttempt.objects.count() == Redemption.objects.count() == 1


def test_a_code_that_was_used_between_look_and_confirm_is_rejected(till):
    code = make_code()
    confirm = look_at(till, code.token)
    redeem_code(text=code.token, source="api")
    page = till.get(till.post(confirm).headers["Location"])
    assert "Already redeemed" in words_of(page)
    assert Redemption.objects.count() == 1


def test_a_wrong_amount_is_explained_and_changes_nothing(till):
    confirm = look_at(till, make_code().token)
    for amount in ("-5", "abc", "1.234", "9" * 20, "\x00"):
        page = till.post(confirm, {"amount": amount})
        assert page.status_code == 400
        assert "cannot be read" in words_of(page)
    assert not ScanAttempt.objects.exists()
    assert till.post(confirm, {"amount": "5"}).status_code == 302


def test_a_coupon_with_a_minimum_asks_for_the_bill(till):
    code = make_code(offer__minimum_amount=Decimal(15))
    confirm = look_at(till, code.token)
    assert "Minimum bill 15.00 EUR" in words_of(till.get(confirm))
    assert till.post(confirm).status_code == 400
    page = till.get(till.post(confirm, {"amount": "14.99"}).headers["Location"])
    assert "needs at least 15.00 EUR" in words_of(page)
    confirm = look_at(till, code.token)
    page = till.get(till.post(confirm, {"amount": "15"}).headers["Location"])
    assert "Accepted" in words_of(page)


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_code_is_asked_for_again(till, text):
    response = till.post(SCAN, {"code": text})
    assert response.status_code == 400
    assert "Scan a code or type it in." in words_of(response)
    assert not ScanAttempt.objects.exists()


def test_nonsense_of_any_kind_is_a_rejection_not_an_error(till):
    for text in ("\x00", "'; drop table", "🍕" * 200, "9" * 400, "1-2-3", "<script>"):
        assert "Rejected" in words_of(till.get(look_at(till, text)))


# --- What the address of a confirmation is worth -------------------------------------------------


def test_a_look_belongs_to_who_looked(till):
    confirm = look_at(till, make_code().token)
    other = Client()
    other.force_login(staff_with("qrcodes.redeem"))
    assert other.post(confirm).headers["Location"] == SCAN
    assert other.get(confirm).headers["Location"] == SCAN
    assert "scan the code again" in words_of(other.get(SCAN))
    assert not Redemption.objects.exists()


def test_a_look_is_good_for_a_quarter_of_an_hour(till, monkeypatch):
    confirm = look_at(till, make_code().token)
    monkeypatch.setattr(scan_views, "LOOK_LASTS", timedelta(seconds=-1))
    assert till.post(confirm).headers["Location"] == SCAN
    assert not Redemption.objects.exists()


def test_a_look_cannot_be_made_up(till, anna):
    code = make_code()
    for forged in (
        dumps([code.pk, anna.pk, "nonce"], salt="another"),
        f"{code.pk}",
        look_at(till, code.token).split("/")[3][:-2] + "xx",
    ):
        assert till.post(f"/scan/confirm/{forged}/").headers["Location"] == SCAN
    assert not Redemption.objects.exists()


def test_a_verdict_is_shown_to_who_scanned_only(till):
    address = look_at(till, "nothing")
    other = Client()
    other.force_login(staff_with("qrcodes.redeem"))
    assert other.get(address).status_code == 404
    assert other.get("/scan/verdict/999999/").status_code == 404


# --- The rest of the page ------------------------------------------------------------------------


def test_the_location_is_remembered_and_a_wrong_one_ignored(till):
    shops = [LocationFactory(), LocationFactory()]
    look_at(till, "nothing", location=str(shops[1].pk))
    assert f'value="{shops[1].pk}" selected' in till.get(SCAN).content.decode()
    look_at(till, "nothing")
    assert ScanAttempt.objects.first().location == shops[1]
    for wrong in ("999999", "x", "9" * 40, "-1", "²"):
        assert till.post(SCAN, {"code": "nothing", "location": wrong}).status_code == 302


def test_the_page_lists_this_user_s_scans_of_today(till, anna):
    code = make_code()
    redeem_code(text=code.token, source="scan_page", staff=anna)
    old = make_code(offer__title="Yesterday's offer")
    redeem_code(text=old.token, source="scan_page", staff=anna)
    ScanAttempt.objects.filter(qr_code=old).update(at=old.created_at - timedelta(days=1))
    redeem_code(text=make_code(offer__title="Somebody's").token, source="scan_page")
    words = words_of(till.get(SCAN))
    assert code.offer.title in words
    assert "Yesterday" not in words
    assert "Somebody" not in words


def test_the_number_of_queries_does_not_grow_with_scans(till, anna, django_assert_max_num_queries):
    for _ in range(15):
        redeem_code(text=make_code().token, source="scan_page", staff=anna)
    with django_assert_max_num_queries(9):
        till.get(SCAN)


def test_staff_who_guess_too_much_have_to_wait_and_others_need_not(till):
    code = make_code()
    for _ in range(throttle.MISSES_ALLOWED):
        look_at(till, "ABCDE23456")
    assert till.post(SCAN, {"code": code.token}).status_code == 429
    assert till.get(f"/r/{code.token}").status_code == 429
    other = Client()
    other.force_login(staff_with("qrcodes.redeem"))
    assert other.post(SCAN, {"code": code.token}).status_code == 302


# --- A phone's camera opens the code's own address -----------------------------------------------


def test_the_code_s_address_is_a_redeem_page_for_the_till(till, anna):
    code = make_code()
    page = till.get(f"/r/{code.token}")
    assert_private(page)
    assert "Redeem now" in words_of(page)
    assert not ScanAttempt.objects.exists()
    action = re.search(r'action="(/scan/confirm/[^"]+)"', page.content.decode())[1]
    assert "Accepted" in words_of(till.get(till.post(action).headers["Location"]))
    assert Redemption.objects.get().staff == anna
    again = till.get(f"/r/{code.token}")
    assert "Already redeemed" in words_of(again)
    assert till.get(f"/r/{code.token[:-1]}x").status_code == 200
    assert "Rejected" in words_of(till.get(f"/r/{code.token[:-1]}x"))


# --- Undo ----------------------------------------------------------------------------------------


def test_a_redemption_is_undone_with_a_reason(till):
    code = make_code()
    verdict = till.post(look_at(till, code.token)).headers["Location"]
    undo = re.search(r'href="(/scan/undo/\d+/)"', till.get(verdict).content.decode())[1]
    assert_private(till.get(undo))
    assert Redemption.objects.exists()
    assert till.post(undo, {"reason": " "}).status_code == 400
    assert till.post(undo, {"reason": "Wrong table"}).headers["Location"] == SCAN
    assert "can be used again" in words_of(till.get(SCAN))
    assert "Undone" in words_of(till.get(verdict))
    assert "verdict-undone" in till.get(verdict).content.decode()
    assert till.post(undo, {"reason": "again"}).status_code == 404
    assert QRCode.objects.get().usage_count == 0
    assert "Accepted" in words_of(
        till.get(till.post(look_at(till, code.token)).headers["Location"])
    )


def test_undoing_needs_its_own_right(client):
    user = staff_with("qrcodes.redeem")
    client.force_login(user)
    verdict = redeem_code(text=make_code().token, source="scan_page", staff=user)
    page = client.get(f"/scan/verdict/{verdict.attempt_id}/")
    assert "/scan/undo/" not in page.content.decode()
    undo = f"/scan/undo/{verdict.redemption_id}/"
    assert client.get(undo).status_code == 404
    assert client.post(undo, {"reason": "because"}).status_code == 404
    assert Redemption.objects.count() == 1


def test_a_budget_of_discounts_asks_for_the_discount_and_ends_at_it(till):
    offer = OfferFactory(max_discount=Decimal(10))
    first, second = make_code(offer=offer), make_code(offer=offer)
    confirm = look_at(till, first.token)
    page = till.post(confirm, {"amount": "30"})
    assert page.status_code == 400
    assert "Type the discount you give" in words_of(page)
    assert not Redemption.objects.exists()
    till.post(confirm, {"amount": "30", "discount": "6"})
    assert Redemption.objects.get().discount == Decimal("6.00")
    page = till.get(
        till.post(look_at(till, second.token), {"amount": "30", "discount": "6"}).headers[
            "Location"
        ]
    )
    assert "verdict-bad" in page.content.decode()
    assert Redemption.objects.count() == 1


def test_without_such_a_budget_the_discount_is_as_one_likes(till):
    till.post(look_at(till, make_code().token), {"amount": "30"})
    till.post(look_at(till, make_code().token), {"amount": "30", "discount": "4,70"})
    assert [use.discount for use in Redemption.objects.order_by("id")] == [None, Decimal("4.70")]


def test_a_discount_above_the_bill_is_explained_and_keeps_what_was_typed(till):
    page = till.post(look_at(till, make_code().token), {"amount": "5", "discount": "50"})
    assert page.status_code == 400
    assert "larger than the bill" in words_of(page)
    assert 'value="50"' in page.content.decode()
    assert not Redemption.objects.exists()
