import csv
import io
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from qrcodes.codes import display_short_code, short_code_of
from qrcodes.models import Location, QRCode, Redemption, ScanAttempt
from qrcodes.redeem import redeem_code
from qrcodes.undo_redemption import undo_redemption
from tests.factories import CustomerFactory, LocationFactory, UserFactory
from tests.public_pages import words_of
from tests.qrcodes.stored import make_code, staff_with

pytestmark = pytest.mark.django_db
MODELS = ["qrcode", "redemption", "scanattempt", "location"]
VIEW = [f"qrcodes.view_{model}" for model in MODELS]


def page(model: str, name: str = "changelist", *args: object) -> str:
    return reverse(f"admin:qrcodes_{model}_{name}", args=args)


@pytest.fixture
def viewer(client):
    user = staff_with(*VIEW)
    user.is_staff = True
    user.save()
    client.force_login(user)
    return client


@pytest.fixture
def superuser(client):
    client.force_login(UserFactory(is_superuser=True))
    return client


@pytest.fixture
def used():
    """A code that was used once, and one that was tried in vain."""
    customer = CustomerFactory(
        first_name="Maria", last_name="Rossi", email="maria@example.com", phone="+493012345678"
    )
    code = make_code(customer=customer, offer__title="20% off every pizza")
    redeem_code(
        text=code.token,
        source="scan_page",
        amount="23.50",
        discount="4.70",
        location=LocationFactory(name="Harbour"),
        staff=UserFactory(first_name="Anna"),
        note="=1+1",
    )
    redeem_code(text="ABCDE23456", source="scan_page")
    return code


@pytest.mark.parametrize("model", MODELS)
def test_every_list_needs_its_right(client, model):
    other = staff_with(*[right for right in VIEW if not right.endswith(f"_{model}")])
    other.is_staff = True
    other.save()
    client.force_login(other)
    assert client.get(page(model)).status_code == 403
    if model == "redemption":
        assert client.get(reverse("admin:qrcodes_redemption_export")).status_code == 403


@pytest.mark.parametrize("model", MODELS[:3])
def test_what_the_till_wrote_is_read_only_even_for_a_superuser(superuser, used, model):
    row = {"qrcode": QRCode, "redemption": Redemption, "scanattempt": ScanAttempt}[model]
    change = page(model, "change", row.objects.first().pk)
    assert superuser.get(page(model)).status_code == 200
    detail = superuser.get(change)
    assert detail.status_code == 200
    assert "<input" not in re_main(detail)
    assert superuser.post(change, {"note": "changed"}).status_code == 403
    assert superuser.get(page(model, "add")).status_code == 403
    delete = page(model, "delete", row.objects.first().pk)
    assert superuser.post(delete, {"post": "yes"}).status_code == 403


def re_main(response) -> str:
    """The form of a detail page, without the search and filters around it."""
    text = response.content.decode()
    form = text.partition('id="content-main"')[2].partition("</form>")[0]
    assert form
    return form.replace('<input type="hidden"', "")


@pytest.mark.parametrize("model", MODELS[:3])
def test_no_page_shows_a_code_or_an_address(viewer, used, model):
    row = {"qrcode": QRCode, "redemption": Redemption, "scanattempt": ScanAttempt}[model]
    addresses = [page(model)]
    addresses += [page(model, "change", pk) for pk in row.objects.values_list("pk", flat=True)]
    short_code = short_code_of(used.token)
    for address in addresses:
        text = viewer.get(address).content.decode()
        for secret in (used.token, short_code, display_short_code(short_code)):
            assert secret not in text
        assert "maria@example.com" not in text
        assert "12345678" not in text


def test_the_list_of_codes_says_state_and_use(viewer, used):
    words = words_of(viewer.get(page("qrcode")))
    for expected in ("Maria Rossi", "20% off every pizza", "Used", "1 of 1"):
        assert expected in words


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "Valid"),
        ({"is_test": True}, "Test"),
        ({"expires_at": "2026-01-01T00:00:00Z"}, "Expired"),
        ({"withdrawn_at": "2026-01-01T00:00:00Z"}, "Withdrawn"),
        ({"offer__state": "campaign_cancelled"}, "Withdrawn"),
        ({"offer__starts_at": "2099-01-01T00:00:00Z"}, "Not valid yet"),
    ],
)
def test_each_state_of_a_code_has_a_word(viewer, fields, state):
    code = make_code(**fields)
    assert state in words_of(viewer.get(page("qrcode", "change", code.pk)))


def found(client, text: str) -> set[int]:
    response = client.get(page("qrcode"), {"q": text})
    return {row.pk for row in response.context["cl"].result_list}


def test_codes_are_found_by_code_name_full_email_or_full_phone(viewer, used):
    other = make_code()
    for text in (
        used.token,
        short_code_of(used.token).lower(),
        "maria@example.com",
        "+49 30 12345678",
        "rossi",
    ):
        assert found(viewer, text) == {used.pk}
    assert found(viewer, "") == {used.pk, other.pk}
    assert found(viewer, "maria@") == set()
    assert viewer.get(page("qrcode"), {"q": "\x00"}).status_code == 200


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("unused", {"fresh", "expired", "withdrawn"}),
        ("used", {"used"}),
        ("expired", {"expired"}),
        ("withdrawn", {"withdrawn"}),
        ("test", {"test"}),
        ("nonsense", {"fresh", "used", "expired", "withdrawn", "test"}),
    ],
)
def test_codes_are_filtered_by_state(viewer, used, state, expected):
    codes = {
        "used": used,
        "fresh": make_code(),
        "expired": make_code(expires_at="2026-01-01T00:00:00Z"),
        "withdrawn": make_code(withdrawn_at="2026-01-01T00:00:00Z"),
        "test": make_code(is_test=True),
    }
    rows = viewer.get(page("qrcode"), {"state": state}).context["cl"].result_list
    assert {row.pk for row in rows} == {codes[name].pk for name in expected}


def test_withdrawing_needs_a_right_of_its_own(viewer, used):
    code = make_code()
    body = {"action": "withdraw", "_selected_action": [code.pk]}
    viewer.post(page("qrcode"), body)
    code.refresh_from_db()
    assert code.withdrawn_at is None


def test_codes_are_withdrawn_and_honoured_again(superuser):
    code, other = make_code(), make_code()
    answer = superuser.post(
        page("qrcode"), {"action": "withdraw", "_selected_action": [code.pk]}, follow=True
    )
    assert "1 codes withdrawn." in words_of(answer)
    assert redeem_code(text=code.token, source="command").reason == "withdrawn"
    assert redeem_code(text=other.token, source="command").is_accepted
    superuser.post(page("qrcode"), {"action": "reenable", "_selected_action": [code.pk]})
    assert redeem_code(text=code.token, source="command").is_accepted


def test_the_list_of_redemptions_says_who_what_where_and_how_much(viewer, used):
    words = words_of(viewer.get(page("redemption")))
    for expected in ("Maria Rossi", "20% off every pizza", "Harbour", "Anna", "23.50 EUR"):
        assert expected in words


def test_undone_redemptions_are_kept_apart_and_kept(viewer, used):
    undo_redemption(
        redemption_id=Redemption.objects.get().pk, reason="wrong table", user=UserFactory()
    )
    for chosen, count in (({}, 0), ({"undone": "yes"}, 1), ({"undone": "all"}, 1)):
        response = viewer.get(page("redemption"), chosen)
        assert len(response.context["cl"].result_list) == count
    detail = viewer.get(page("redemption", "change", Redemption.history.get().pk))
    assert "wrong table" in words_of(detail)


def export(client, **filters) -> list[dict[str, str]]:
    response = client.get(reverse("admin:qrcodes_redemption_export"), filters)
    assert response.headers["Content-Type"].startswith("text/csv")
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_the_list_is_exported_as_filtered_with_formulas_made_harmless(viewer, used):
    other = make_code()
    redeem_code(text=other.token, source="command")
    assert len(export(viewer)) == 2
    (row,) = export(viewer, offer=used.offer_id)
    assert row["offer"] == "20% off every pizza"
    assert row["customer"] == "Maria Rossi"
    assert (row["bill"], row["discount"]) == ("23.50", "4.70")
    assert (row["location"], row["staff"], row["note"]) == ("Harbour", "Anna", "'=1+1")
    assert row["redeemed_at"].endswith(("+01:00", "+02:00"))
    assert "maria@example.com" not in str(row)
    link = reverse("admin:qrcodes_redemption_export")
    shown = viewer.get(page("redemption"), {"offer": used.offer_id}).content.decode()
    assert f"{link}?offer={used.offer_id}" in shown


def test_an_export_with_a_wrong_filter_leads_back_to_the_list(viewer, used):
    response = viewer.get(reverse("admin:qrcodes_redemption_export"), {"nonsense__x": "1"})
    assert response.status_code == 302


@pytest.mark.parametrize("model", MODELS[:3])
def test_the_number_of_queries_does_not_grow_with_rows(viewer, model):
    def add(count: int) -> None:
        for _ in range(count):
            redeem_code(
                text=make_code(offer__minimum_amount=Decimal(1)).token,
                source="command",
                location=LocationFactory(),
                staff=UserFactory(),
            )

    add(2)
    viewer.get(page(model))
    with CaptureQueriesContext(
        connection,
    ) as few:
        viewer.get(page(model))
    add(12)
    with CaptureQueriesContext(connection) as many:
        viewer.get(page(model))
    assert len(many) == len(few)


def test_attempts_are_filtered_by_answer(viewer, used):
    for answer, count in (("accepted", 1), ("not_found", 1), ("expired", 0)):
        rows = viewer.get(page("scanattempt"), {"answer": answer}).context["cl"].result_list
        assert len(rows) == count
    assert "Not one of ours" in words_of(viewer.get(page("scanattempt")))


def test_locations_are_added_and_renamed(superuser):
    assert superuser.post(page("location", "add"), {"name": "Harbour"}).status_code == 302
    location = Location.objects.get()
    superuser.post(page("location", "change", location.pk), {"name": "Old Town"})
    location.refresh_from_db()
    assert location.name == "Old Town"


def test_a_location_with_history_may_go_and_the_history_stays(superuser, used):
    location = Location.objects.get()
    superuser.post(page("location", "delete", location.pk), {"post": "yes"})
    assert not Location.objects.exists()
    assert Redemption.objects.get().location is None


def test_filters_by_day_count_days_as_the_business_does(viewer, used):
    # Half past midnight in Berlin on the 21st is still the 20th in UTC.
    Redemption.objects.update(redeemed_at="2026-11-20T23:30:00Z")

    def between(start: str, end: str) -> int:
        return len(export(viewer, redeemed_at_from=start, redeemed_at_to=end))

    assert between("2026-11-21", "2026-11-21") == 1
    assert between("2026-11-20", "2026-11-20") == 0
    assert between("2026-11-22", "") == 0
    assert between("", "2026-11-21") == 1


def test_filters_take_any_nonsense(viewer, used):
    for start, end in (("x", "y"), ("2026-13-45", ""), ("99999-01-01", ""), ("", "9999-12-31")):
        query = {"redeemed_at_from": start, "redeemed_at_to": end}
        assert viewer.get(page("redemption"), query).status_code == 200
    for offer in ("9" * 30, "x", "-1", "²"):
        assert viewer.get(page("redemption"), {"offer": offer}).status_code == 200
