import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from config.errors import DomainError
from qrcodes import codes, redeem
from qrcodes.models import Offer, QRCode, Redemption, ScanAttempt
from qrcodes.redeem import check_code, examine_code, redeem_code
from tests.factories import LocationFactory, OfferFactory, UserFactory
from tests.qrcodes import stored
from tests.settings import TEST_DATABASE

NOW = datetime(2026, 11, 21, 13, 3, 0, tzinfo=UTC)  # 14:03 in Berlin


@pytest.fixture
def clock(monkeypatch):
    """The database's clock, stopped at NOW; set ``clock.now`` to move it."""

    class Clock:
        now = NOW

    monkeypatch.setattr(redeem, "database_now", lambda: Clock.now)
    return Clock


def make_code(**fields) -> QRCode:
    dates = {"created_at": NOW - timedelta(days=1), "expires_at": NOW + timedelta(days=30)}
    return stored.make_code(**dates | fields)


def redeem_it(code: QRCode, **details):
    return redeem_code(**{"text": code.token, "source": "command"} | details)


@pytest.mark.django_db
def test_a_good_code_is_accepted_once_and_everything_is_kept(clock):
    code = make_code()
    shop, anna = LocationFactory(name="Harbour"), UserFactory(first_name="Anna")
    verdict = redeem_it(
        code,
        location=shop,
        staff=anna,
        amount="23.50",
        discount=Decimal("4.70"),
        note="birthday",
        nonce="n1",
    )
    assert (verdict.status, verdict.reason, verdict.offer) == ("accepted", "", code.offer.title)
    assert verdict.redeemed_at == NOW
    redemption = Redemption.objects.get()
    assert verdict.redemption_id == redemption.pk
    assert (redemption.qr_code, redemption.offer) == (code, code.offer)
    assert (redemption.location, redemption.staff, redemption.note) == (shop, anna, "birthday")
    assert (redemption.amount, redemption.discount) == (Decimal("23.50"), Decimal("4.70"))
    assert redemption.redeemed_at == NOW
    attempt = ScanAttempt.objects.get()
    assert redemption.attempt == attempt
    assert (attempt.accepted, attempt.reason, attempt.nonce, attempt.at) == (True, "", "n1", NOW)
    assert (attempt.qr_code, attempt.location, attempt.staff) == (code, shop, anna)
    code.refresh_from_db()
    assert (code.usage_count, code.redeemed_at) == (1, NOW)


@pytest.mark.django_db
def test_the_second_scan_says_when_where_and_by_whom(clock):
    code = make_code()
    redeem_it(code, location=LocationFactory(name="Harbour"), staff=UserFactory(username="anna"))
    clock.now = NOW + timedelta(hours=2)
    verdict = redeem_it(code)
    assert (verdict.status, verdict.reason) == ("rejected", "already_redeemed")
    assert verdict.message == ("Already redeemed on 21 November 2026, 14:03 at Harbour by anna.")
    assert (verdict.redeemed_at, verdict.location, verdict.staff) == (NOW, "Harbour", "anna")
    assert verdict.redemption_id is None
    assert Redemption.objects.count() == 1
    assert list(ScanAttempt.objects.values_list("accepted", "reason")) == [
        (False, "already_redeemed"),
        (True, ""),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["token", "address", "short code", "page", "untidy"])
def test_every_form_of_a_code_is_accepted(clock, form):
    code = make_code()
    short_code = codes.short_code_of(code.token)
    text = {
        "token": code.token,
        "address": codes.redeem_url(code.token),
        "short code": codes.display_short_code(short_code),
        "page": codes.coupon_url(code.token),
        "untidy": f"  {short_code[:3].lower()} {short_code[3:]}\n",
    }[form]
    assert redeem_it(code, text=text).is_accepted


BROKEN = {
    "test_code": {"is_test": True},
    "withdrawn": {"withdrawn_at": NOW - timedelta(hours=1)},
    "campaign_cancelled": {"offer__state": Offer.State.CAMPAIGN_CANCELLED},
    "not_started": {"offer__starts_at": NOW + timedelta(minutes=1)},
    "expired": {"expires_at": NOW - timedelta(microseconds=1)},
    "already_redeemed": {"usage_count": 1, "redeemed_at": NOW - timedelta(hours=1)},
    "below_minimum": {"offer__minimum_amount": Decimal("23.51")},
    "budget_reached": {"offer__max_discount": Decimal("4.69")},
}


@pytest.mark.django_db
@pytest.mark.parametrize("reason", BROKEN)
def test_each_rule_has_its_own_reason_and_consumes_nothing(clock, reason):
    code = make_code(**BROKEN[reason])
    before = QRCode.objects.values().get()
    verdict = redeem_it(code, amount="23.50", discount="4.70")
    assert (verdict.status, verdict.reason) == ("rejected", reason)
    assert verdict.message.endswith(".")
    assert not Redemption.history.exists()
    assert QRCode.objects.values().get() == before
    attempt = ScanAttempt.objects.get()
    assert (attempt.accepted, attempt.reason, attempt.qr_code) == (False, reason, code)


@pytest.mark.django_db
@pytest.mark.parametrize("first", range(len(BROKEN) - 1))
def test_the_rules_are_checked_in_order(clock, first):
    """Break this rule and all after it: this one is named."""
    reasons = list(BROKEN)[first:]
    fields = {}
    for reason in reversed(reasons):
        fields |= BROKEN[reason]
    code = make_code(**fields)
    assert redeem_it(code, amount="23.50", discount="4.70").reason == reasons[0]


@pytest.mark.django_db
def test_an_offer_that_was_withdrawn_withdraws_its_codes(clock):
    code = make_code(offer__state=Offer.State.WITHDRAWN)
    assert redeem_it(code).reason == "withdrawn"


@pytest.mark.django_db
def test_a_code_is_good_in_its_first_and_in_its_last_moment(clock):
    first = make_code(offer__starts_at=NOW)
    last = make_code(expires_at=NOW)
    assert redeem_it(first).is_accepted
    assert redeem_it(last).is_accepted


@pytest.mark.django_db
def test_a_minimum_is_met_by_itself_and_not_asked_without_an_amount(clock):
    offer = OfferFactory(minimum_amount=Decimal("20.00"))
    exact, unknown = make_code(offer=offer), make_code(offer=offer)
    assert redeem_it(exact, amount="20").is_accepted
    assert redeem_it(unknown).is_accepted


@pytest.mark.django_db
def test_unknown_wrong_and_malformed_codes_answer_alike(clock):
    code = make_code()
    head, _, secret = code.token.rpartition("-")
    last = "0" if secret[-1] != "0" else "1"
    wrong = [
        f"{head}-{secret[:-1]}{last}",  # a wrong secret
        f"{code.campaign_id}-{code.customer_id + 1}-{secret}",
        "9999-9999-" + "a" * 32,
        codes.short_code_of("another token"),
        "hello",
        "",
    ]
    answers = []
    for number, text in enumerate(wrong):
        verdict = redeem_it(code, text=text)
        assert verdict.qr_code_id is None
        assert not verdict.is_accepted
        answers.append(json.dumps(verdict.as_dict()))
        attempt = ScanAttempt.objects.first()
        assert ScanAttempt.objects.count() == number + 1
        assert attempt.qr_code is None
        assert attempt.reason == "not_found"
    assert len(set(answers)) == 1
    assert '"not_found"' in answers[0]


@pytest.mark.django_db
def test_a_wrong_code_is_kept_as_a_keyed_hash_only(clock, settings):
    secret = "0123456789abcdef" * 2
    redeem_code(text=f"7-8-{secret}", source="command")
    redeem_code(text="my secret password", source="command")
    stored = json.dumps(list(ScanAttempt.objects.values()), default=str)
    assert secret not in stored
    assert "password" not in stored
    hashes = set(ScanAttempt.objects.values_list("code_hash", flat=True))
    settings.BLIND_INDEX_KEY = b"another key of thirty-two bytes!"
    redeem_code(text=f"7-8-{secret}", source="command")
    assert ScanAttempt.objects.first().code_hash not in hashes


@pytest.mark.django_db
def test_a_code_may_be_used_as_often_as_it_says(clock):
    code = make_code(max_usage=2)
    assert redeem_it(code).message == "Accepted: use 1 of 2."
    clock.now = NOW + timedelta(hours=1)
    assert redeem_it(code).message == "Accepted: use 2 of 2."
    clock.now = NOW + timedelta(hours=2)
    verdict = redeem_it(code)
    assert verdict.message.startswith("Already redeemed 2 times, the last time on 21 November")
    assert verdict.redeemed_at == NOW + timedelta(hours=1)
    code.refresh_from_db()
    assert code.redeemed_at == NOW  # the first use


@pytest.mark.django_db
def test_a_budget_of_money_stops_where_the_next_discount_exceeds_it(clock):
    offer = OfferFactory(max_discount=Decimal("10.00"))
    assert redeem_it(make_code(offer=offer), discount="6").is_accepted
    assert redeem_it(make_code(offer=offer), discount="4.01").reason == "budget_reached"
    assert redeem_it(make_code(offer=offer), discount="4").is_accepted
    assert redeem_it(make_code(offer=offer)).reason == "budget_reached"


@pytest.mark.django_db
def test_a_budget_of_redemptions_is_shared_by_all_codes_of_the_offer(clock):
    offer = OfferFactory(max_redemptions=2)
    other = make_code()
    answers = [redeem_it(make_code(offer=offer)).reason for _ in range(3)]
    assert answers == ["", "", "budget_reached"]
    assert redeem_it(other).is_accepted


# --- Nonces --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_repeated_nonce_returns_the_first_answer_and_consumes_nothing(clock):
    code = make_code(max_usage=3)
    first = redeem_it(code, nonce="abc", location=LocationFactory(name="Harbour"))
    clock.now = NOW + timedelta(minutes=1)
    again = redeem_it(code, nonce="abc", text=codes.short_code_of(code.token))
    assert again == first
    assert Redemption.objects.count() == ScanAttempt.objects.count() == 1


@pytest.mark.django_db
def test_a_repeated_nonce_returns_a_rejection_too_even_if_the_code_is_good_by_now(clock):
    code = make_code(withdrawn_at=NOW)
    first = redeem_it(code, nonce="abc")
    QRCode.objects.update(withdrawn_at=None)
    assert redeem_it(code, nonce="abc") == first
    assert not Redemption.objects.exists()


@pytest.mark.django_db
def test_a_nonce_belongs_to_one_code(clock):
    first, second = make_code(), make_code()
    redeem_it(first, nonce="abc")
    with pytest.raises(DomainError) as refused:
        redeem_it(second, nonce="abc")
    assert refused.value.code == "nonce_reused"
    second.refresh_from_db()
    assert second.usage_count == 0
    assert ScanAttempt.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("details", "code"),
    [
        ({"amount": "-1"}, "invalid_amount"),
        ({"amount": "1.234"}, "invalid_amount"),
        ({"amount": "1e3"}, "invalid_amount"),
        ({"amount": Decimal("NaN")}, "invalid_amount"),
        ({"amount": "100000000"}, "invalid_amount"),
        ({"discount": "-0.01"}, "invalid_amount"),
        ({"discount": "5,5,5"}, "invalid_amount"),
        ({"amount": "5", "discount": "6"}, "invalid_amount"),
        ({"nonce": "x" * 65}, "invalid_nonce"),
        ({"nonce": "a\x00b"}, "invalid_nonce"),
        ({"note": "x" * 201}, "invalid_note"),
    ],
)
def test_wrong_details_are_refused_and_leave_no_trace(clock, details, code):
    qr_code = make_code()
    with pytest.raises(DomainError) as refused:
        redeem_it(qr_code, **details)
    assert refused.value.code == code
    qr_code.refresh_from_db()
    assert qr_code.usage_count == 0
    assert not ScanAttempt.objects.exists()


# --- Looking -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_look_consumes_nothing_and_is_kept_only_when_it_is_rejected(clock):
    good, expired = make_code(), make_code(expires_at=NOW - timedelta(days=1))
    verdict = check_code(text=good.token, source="scan_page")
    assert (verdict.status, verdict.redemption_id, verdict.redeemed_at) == ("accepted", None, None)
    assert not ScanAttempt.objects.exists()
    shop = LocationFactory()
    assert check_code(text=expired.token, source="scan_page", location=shop).reason == "expired"
    attempt = ScanAttempt.objects.get()
    assert (attempt.qr_code, attempt.location, attempt.accepted) == (expired, shop, False)
    assert redeem_it(good).is_accepted


@pytest.mark.django_db
def test_examining_leaves_no_trace_at_all(clock, django_assert_num_queries):
    code = make_code(offer__minimum_amount=Decimal(20))
    before = QRCode.objects.values().get()
    assert examine_code(text=code.token).is_accepted
    assert examine_code(text=code.token, amount="10").reason == "below_minimum"
    assert examine_code(text="nonsense").reason == "not_found"
    assert not ScanAttempt.objects.exists()
    assert QRCode.objects.values().get() == before


# --- Many at once --------------------------------------------------------------------------------


def accepted(verdicts) -> list:
    return [verdict for verdict in verdicts if verdict.is_accepted]


def scan_at_once(at_once, code, *, times, threads, **details):
    return at_once(
        lambda number: redeem_code(text=code.token, source="api", **details),
        times=times,
        threads=threads,
    )


@pytest.mark.skipif(TEST_DATABASE != "postgresql", reason="needs 50 PostgreSQL connections")
def test_200_attempts_over_50_connections_accept_exactly_one(at_once):
    code = make_code(expires_at=datetime.now(UTC) + timedelta(days=1))
    verdicts = scan_at_once(
        at_once, code, times=200, threads=50, location=LocationFactory(name="Harbour")
    )
    (winner,) = accepted(verdicts)
    others = [verdict for verdict in verdicts if verdict is not winner]
    assert len(others) == 199
    for verdict in others:
        assert verdict.reason == "already_redeemed"
        assert (verdict.redeemed_at, verdict.location) == (winner.redeemed_at, "Harbour")
        assert "at Harbour" in verdict.message
    code.refresh_from_db()
    assert code.usage_count == Redemption.history.count() == 1
    assert ScanAttempt.objects.filter(accepted=True).count() == 1
    assert ScanAttempt.objects.filter(reason="already_redeemed").count() == 199


def test_attempts_at_the_same_moment_accept_exactly_one(at_once):
    code = make_code(expires_at=datetime.now(UTC) + timedelta(days=1))
    verdicts = scan_at_once(at_once, code, times=24, threads=6)
    assert len(accepted(verdicts)) == 1
    assert {verdict.reason for verdict in verdicts} == {"", "already_redeemed"}
    assert at_once.look(Redemption.history.count) == 1
    assert at_once.look(ScanAttempt.objects.count) == 24


def test_three_uses_are_exactly_three_whoever_scans(at_once):
    code = make_code(max_usage=3, expires_at=datetime.now(UTC) + timedelta(days=1))
    verdicts = scan_at_once(at_once, code, times=30, threads=10)
    assert len(accepted(verdicts)) == 3
    assert {verdict.message for verdict in accepted(verdicts)} == {
        f"Accepted: use {number} of 3." for number in (1, 2, 3)
    }
    assert at_once.look(lambda: QRCode.objects.get().usage_count) == 3
    assert at_once.look(Redemption.history.count) == 3


def test_a_budget_of_five_is_exactly_five_over_many_codes(at_once):
    offer = OfferFactory(max_redemptions=5)
    expires_at = datetime.now(UTC) + timedelta(days=1)
    tokens = [make_code(offer=offer, expires_at=expires_at).token for _ in range(24)]
    verdicts = at_once(
        lambda number: redeem_code(text=tokens[number], source="api"), times=24, threads=8
    )
    assert len(accepted(verdicts)) == 5
    assert {verdict.reason for verdict in verdicts} == {"", "budget_reached"}
    assert at_once.look(Redemption.history.count) == 5
    used = at_once.look(lambda: QRCode.objects.filter(usage_count=1).count())
    assert used == 5


def test_one_request_sent_many_times_at_once_gets_one_answer(at_once):
    code = make_code(max_usage=20, expires_at=datetime.now(UTC) + timedelta(days=1))
    verdicts = scan_at_once(at_once, code, times=20, threads=10, nonce="the same")
    assert all(verdict.is_accepted for verdict in verdicts)
    assert len({json.dumps(verdict.as_dict()) for verdict in verdicts}) == 1
    assert at_once.look(lambda: QRCode.objects.get().usage_count) == 1
    assert at_once.look(ScanAttempt.objects.count) == 1


def test_a_nonce_sent_with_two_codes_at_once_redeems_one(at_once):
    expires_at = datetime.now(UTC) + timedelta(days=1)
    tokens = [make_code(expires_at=expires_at).token for _ in range(8)]
    answers = at_once(
        lambda number: redeem_code(text=tokens[number], source="api", nonce="the same"),
        times=8,
        threads=8,
    )
    refused = [answer for answer in answers if isinstance(answer, DomainError)]
    assert {answer.code for answer in refused} == {"nonce_reused"}
    assert len(refused) == 7
    assert at_once.look(Redemption.history.count) == 1
    assert at_once.look(lambda: QRCode.objects.filter(usage_count=1).count()) == 1


def test_the_database_itself_refuses_one_use_too_many(db):
    code = make_code()
    with pytest.raises(Exception, match="qr_code_not_overused"):
        QRCode.objects.filter(pk=code.pk).update(usage_count=2, redeemed_at=NOW)
    assert connection.needs_rollback
