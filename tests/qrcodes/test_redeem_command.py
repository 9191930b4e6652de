import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from qrcodes.codes import coupon_url
from qrcodes.models import Location, QRCode, Redemption, ScanAttempt
from tests.factories import LocationFactory, OfferFactory
from tests.qrcodes.stored import make_code

pytestmark = pytest.mark.django_db
KEYS = {"status", "reason", "redemption_id", "offer", "redeemed_at"}


def run(*arguments: str) -> tuple[int, str]:
    """Return exit code and output."""
    out = StringIO()
    try:
        call_command("redeem", *arguments, stdout=out)
    except SystemExit as ended:
        return ended.code, out.getvalue()
    return 0, out.getvalue()


def answer(*arguments: str) -> tuple[int, dict]:
    status, output = run(*arguments, "--json")
    return status, json.loads(output)


def test_it_accepts_a_code_and_then_says_when_and_where():
    code = make_code()
    LocationFactory(name="Harbour")
    status, first = answer(coupon_url(code.token), "--amount", "23.50", "--location", "harbour")
    assert status == 0
    assert set(first) >= KEYS
    redemption = Redemption.objects.get()
    assert first["status"] == "accepted"
    assert first["reason"] == ""
    assert first["redemption_id"] == redemption.pk
    assert first["offer"] == code.offer.title
    assert first["redeemed_at"] == redemption.redeemed_at.isoformat()
    assert str(redemption.amount) == "23.50"
    assert redemption.attempt.source == "command"
    status, second = answer(code.token)
    assert status == 3
    assert set(second) >= KEYS
    assert (second["status"], second["reason"]) == ("rejected", "already_redeemed")
    assert second["redeemed_at"] == first["redeemed_at"]
    assert second["location"] == "Harbour"
    assert second["redemption_id"] is None


def test_a_person_reads_sentences():
    code = make_code()
    assert run(code.token) == (0, f"Accepted: {code.offer.title}\nAccepted.\n")
    status, output = run("nonsense")
    assert status == 3
    assert output.startswith("Rejected: unknown code\nThis code is not one of ours.")


def test_an_expired_code_is_expired():
    code = make_code()
    QRCode.objects.update(expires_at=code.created_at + timedelta(hours=1))
    status, verdict = answer(code.token)
    assert (status, verdict["reason"]) == (3, "expired")


def test_checking_redeems_nothing():
    code = make_code()
    status, verdict = answer(code.token, "--check")
    assert (status, verdict["status"], verdict["redemption_id"]) == (0, "accepted", None)
    assert not Redemption.objects.exists()
    assert not ScanAttempt.objects.exists()
    assert answer("nonsense", "--check")[0] == 3


def test_a_nonce_makes_a_retry_safe():
    code = make_code(max_usage=2)
    assert answer(code.token, "--nonce", "42") == answer(code.token, "--nonce", "42")
    assert Redemption.objects.count() == 1
    other = make_code()
    status, refusal = answer(other.token, "--nonce", "42")
    assert status == 1
    assert refusal["errors"][0]["code"] == "nonce_reused"


@pytest.mark.parametrize("amount", ["much", "-5", "1.234", "nan"])
def test_a_wrong_amount_is_a_sentence_and_changes_nothing(amount):
    code = make_code()
    with pytest.raises(CommandError, match="cannot be read: write it as a number"):
        call_command("redeem", code.token, f"--amount={amount}", "--location", "Harbour")
    status, refusal = answer(code.token, f"--amount={amount}")
    assert (status, refusal["errors"][0]["code"]) == (1, "invalid_amount")
    assert not ScanAttempt.objects.exists()
    assert not Location.objects.exists()


def test_the_first_location_is_made_and_a_slip_later_is_not():
    assert answer(make_code().token, "--location", "  Harbour   Street ")[0] == 0
    assert Redemption.objects.get().location.name == "Harbour Street"
    status, refusal = answer(make_code().token, "--location", "Harbor")
    assert status == 1
    assert refusal["errors"][0]["code"] == "unknown_location"
    assert "“Harbour Street”" in refusal["errors"][0]["message"]
    assert Location.objects.count() == Redemption.objects.count() == 1


@pytest.mark.parametrize("name", ["   ", "x" * 121, "a\x00b"])
def test_a_location_needs_a_name(name):
    status, refusal = answer(make_code().token, f"--location={name}")
    assert (status, refusal["errors"][0]["code"]) == (1, "unknown_location")
    assert not Location.objects.exists()


def test_the_discount_counts_towards_the_budget():
    offer = OfferFactory(max_discount=10)
    status, _ = answer(make_code(offer=offer).token, "--amount=30", "--discount=6")
    assert status == 0
    status, second = answer(make_code(offer=offer).token, "--amount=30", "--discount=6")
    assert (status, second["reason"]) == (3, "budget_reached")
    assert str(Redemption.objects.get().discount) == "6.00"
