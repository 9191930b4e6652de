from datetime import timedelta

import pytest

from config.errors import DomainError
from qrcodes import undo_redemption as module
from qrcodes.models import QRCode, Redemption, ScanAttempt
from qrcodes.redeem import redeem_code
from qrcodes.undo_redemption import undo_redemption
from tests.factories import UserFactory
from tests.qrcodes.stored import make_code

pytestmark = pytest.mark.django_db


def redeemed(**fields) -> tuple[QRCode, int]:
    code = make_code(**fields)
    return code, redeem_code(text=code.token, source="command", nonce="first").redemption_id


def test_the_code_is_usable_again_and_history_keeps_both():
    code, redemption_id = redeemed()
    anna = UserFactory()
    undo_redemption(redemption_id=redemption_id, reason=" wrong\n table ", user=anna)
    code.refresh_from_db()
    assert (code.usage_count, code.redeemed_at) == (0, None)
    undone = Redemption.history.get()
    assert (undone.undo_reason, undone.undone_by) == ("wrong table", anna)
    assert undone.undone_at > undone.redeemed_at
    assert not Redemption.objects.exists()
    assert not code.redemptions.exists()
    assert redeem_code(text=code.token, source="command").is_accepted
    assert Redemption.objects.count() == 1
    assert Redemption.history.count() == ScanAttempt.objects.count() == 2


def test_of_several_uses_the_first_that_stands_stays_the_first():
    code = make_code(max_usage=3)
    first, second = (
        Redemption.objects.get(pk=redeem_code(text=code.token, source="command").redemption_id)
        for _ in range(2)
    )
    undo_redemption(redemption_id=first.pk, reason="mistake", user=None)
    code.refresh_from_db()
    assert (code.usage_count, code.redeemed_at) == (1, second.redeemed_at)


def test_an_undone_redemption_frees_the_budget():
    code, redemption_id = redeemed(offer__max_redemptions=1)
    other = make_code(offer=code.offer)
    assert redeem_code(text=other.token, source="command").reason == "budget_reached"
    undo_redemption(redemption_id=redemption_id, reason="mistake", user=None)
    assert redeem_code(text=other.token, source="command").is_accepted


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 201, "a\x00b"])
def test_a_reason_is_needed(reason):
    _, redemption_id = redeemed()
    with pytest.raises(DomainError) as refused:
        undo_redemption(redemption_id=redemption_id, reason=reason, user=None)
    assert refused.value.code == "reason_missing"
    assert Redemption.objects.count() == 1


def test_it_is_undone_once_only():
    code, redemption_id = redeemed()
    undo_redemption(redemption_id=redemption_id, reason="mistake", user=None)
    with pytest.raises(DomainError) as refused:
        undo_redemption(redemption_id=redemption_id, reason="again", user=None)
    assert refused.value.code == "already_undone"
    code.refresh_from_db()
    assert code.usage_count == 0


def test_after_the_time_for_it_it_stands(monkeypatch, settings):
    _, redemption_id = redeemed()
    settings.REDEMPTION_UNDO_MINUTES = 10
    later = Redemption.objects.get().redeemed_at + timedelta(minutes=10)
    monkeypatch.setattr(module, "database_now", lambda: later)
    with pytest.raises(DomainError) as refused:
        undo_redemption(redemption_id=redemption_id, reason="mistake", user=None)
    assert refused.value.code == "undo_too_late"
    assert "10 minutes" in refused.value.message
    later -= timedelta(seconds=1)
    undo_redemption(redemption_id=redemption_id, reason="mistake", user=None)


def test_an_unknown_redemption_is_named():
    with pytest.raises(DomainError) as refused:
        undo_redemption(redemption_id=99, reason="mistake", user=None)
    assert refused.value.code == "unknown_redemption"


def test_undone_many_times_at_once_it_gives_back_one_use(at_once):
    code, redemption_id = redeemed(max_usage=2)
    redeem_code(text=code.token, source="command")
    answers = at_once(
        lambda _: undo_redemption(redemption_id=redemption_id, reason="mistake", user=None),
        times=8,
        threads=8,
    )
    assert sum(isinstance(answer, Redemption) for answer in answers) == 1
    assert at_once.look(lambda: QRCode.objects.get().usage_count) == 1


def test_redeeming_and_undoing_at_once_keeps_count_and_rows_in_step(at_once):
    code = make_code(max_usage=5)

    def use_and_undo(number: int) -> None:
        verdict = redeem_code(text=code.token, source="api")
        if verdict.is_accepted and number % 2:
            undo_redemption(redemption_id=verdict.redemption_id, reason="mistake", user=None)

    answers = at_once(use_and_undo, times=30, threads=6)
    assert not [answer for answer in answers if answer is not None]
    used = at_once.look(lambda: QRCode.objects.get().usage_count)
    assert used == at_once.look(Redemption.objects.count) <= 5
