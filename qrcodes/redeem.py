"""Redeeming a code: find it, check it, use it up, all in one atomic step (X-1 to X-5)."""

import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Sum
from django.db.models.functions import Coalesce

from config.clock import database_now
from config.errors import DomainError
from qrcodes.amounts import read_amount
from qrcodes.codes import ParsedCode, parse_code
from qrcodes.models import Location, Offer, QRCode, Redemption, ScanAttempt
from qrcodes.verdicts import ACCEPTED, REJECTED, Verdict, say_amount, say_time, say_use

LONGEST_NONCE = 64
LONGEST_NOTE = 200
_NOT_FOUND = "This code is not one of ours. Check it and scan or type it again."


@dataclass(frozen=True, slots=True)
class _Scan:
    """One try, its details checked."""

    parsed: ParsedCode
    source: str
    nonce: str
    amount: Decimal | None
    discount: Decimal | None
    location: Location | None
    staff: User | None
    note: str


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable()).strip()


def _read_scan(
    *,
    text: str,
    source: str,
    nonce: str = "",
    amount: Decimal | float | str | None = None,
    discount: Decimal | float | str | None = None,
    location: Location | None = None,
    staff: User | None = None,
    note: str = "",
) -> _Scan:
    if len(nonce) > LONGEST_NONCE or _printable(nonce) != nonce:
        raise DomainError(
            "invalid_nonce", f"The nonce must have up to {LONGEST_NONCE} printable characters."
        )
    note = _printable(note)
    if len(note) > LONGEST_NOTE:
        raise DomainError("invalid_note", f"The note is too long: use {LONGEST_NOTE} characters.")
    bill = read_amount(amount, what="bill")
    given = read_amount(discount, what="discount")
    if bill is not None and given is not None and given > bill:
        raise DomainError(
            "invalid_amount", "The discount is larger than the bill: check both amounts."
        )
    return _Scan(
        parsed=parse_code(text),
        source=source,
        nonce=nonce or secrets.token_urlsafe(24),
        amount=bill,
        discount=given,
        location=location,
        staff=staff,
        note=note,
    )


def name_staff(user: User | None) -> str:
    """Return how colleagues know a member of staff; nothing for a script."""
    return (user.get_full_name() or user.get_username()) if user else ""


def find_code(parsed: ParsedCode) -> QRCode | None:
    """Return the stored code with its offer, or None for a wrong or malformed one (X-1)."""
    codes = QRCode.objects.select_related("offer")
    if parsed.token:
        rows = codes.filter(campaign_id=parsed.campaign_id, customer_id=parsed.customer_id)
        for row in rows:
            if hmac.compare_digest(row.token, parsed.token):
                return row
        return None
    if parsed.short_code:
        return codes.filter(short_code_hash=parsed.digest).first()
    return None


def _is_spent(offer: Offer, discount: Decimal | None) -> bool:
    """Tell whether one more redemption, giving ``discount``, would exceed the offer's budget."""
    if not offer.has_budget:
        return False
    spent = Redemption.objects.filter(offer=offer).aggregate(count=Count("pk"), sum=Sum("discount"))
    if offer.max_redemptions is not None and spent["count"] >= offer.max_redemptions:
        return True
    if offer.max_discount is None:
        return False
    given = spent["sum"] or Decimal(0)
    over: bool = given + (discount or 0) > offer.max_discount or given >= offer.max_discount
    return over


def _reject_used(code: QRCode) -> Verdict:
    last = (
        Redemption.objects.filter(qr_code=code)
        .select_related("location", "staff")
        .order_by("-redeemed_at", "-pk")
        .first()
    )
    verdict = Verdict(REJECTED, "already_redeemed", "This code was already redeemed.")
    if last is None:
        return verdict
    where = last.location.name if last.location else ""
    by_whom = name_staff(last.staff)
    when = say_use(last.redeemed_at, location=where, staff=by_whom)
    times = "" if code.max_usage == 1 else f" {code.max_usage} times, the last time"
    return replace(
        verdict,
        message=f"Already redeemed{times} {when}.",
        redeemed_at=last.redeemed_at,
        location=where,
        staff=by_whom,
    )


def judge(
    code: QRCode | None,
    *,
    now: datetime,
    amount: Decimal | None = None,
    discount: Decimal | None = None,
) -> Verdict:
    """Return what a scan at ``now`` would be answered; the first rule broken names the reason.

    A minimum bill can be checked only when an amount is given (X-4: it is optional).
    """
    if code is None:
        return Verdict(REJECTED, "not_found", _NOT_FOUND)
    offer = code.offer
    minimum = offer.minimum_amount
    if code.is_test:
        verdict = Verdict(
            REJECTED, "test_code", "This is a TEST code: it works, and it is worth nothing."
        )
    elif code.withdrawn_at or offer.state == Offer.State.WITHDRAWN:
        verdict = Verdict(REJECTED, "withdrawn", "This coupon was withdrawn.")
    elif offer.state == Offer.State.CAMPAIGN_CANCELLED:
        verdict = Verdict(
            REJECTED, "campaign_cancelled", "This campaign was cancelled: its coupons are void."
        )
    elif offer.starts_at and now < offer.starts_at:
        verdict = Verdict(
            REJECTED, "not_started", f"Not valid yet: it starts on {say_time(offer.starts_at)}."
        )
    elif now > code.expires_at:
        verdict = Verdict(REJECTED, "expired", f"Expired on {say_time(code.expires_at)}.")
    elif code.usage_count >= code.max_usage:
        verdict = _reject_used(code)
    elif minimum is not None and amount is not None and amount < minimum:
        verdict = Verdict(
            REJECTED,
            "below_minimum",
            f"The bill is too small: this coupon needs at least {say_amount(minimum)}.",
        )
    elif _is_spent(offer, discount):
        verdict = Verdict(
            REJECTED, "budget_reached", "This offer has been used as often as it could be."
        )
    else:
        verdict = Verdict(ACCEPTED, "", "This code can be redeemed.")
    return replace(verdict, offer=offer.title, qr_code_id=code.pk)


def _record(scan: _Scan, code: QRCode | None, verdict: Verdict, now: datetime) -> ScanAttempt:
    return ScanAttempt.objects.create(
        at=now,
        nonce=scan.nonce,
        code_hash=scan.parsed.digest,
        qr_code=code,
        accepted=verdict.is_accepted,
        reason=verdict.reason,
        source=scan.source,
        location=scan.location,
        staff=scan.staff,
        answer=verdict.as_dict(),
    )


def _first_answer(scan: _Scan) -> Verdict | None:
    """Return what was answered to this nonce before (X-3).

    Raises DomainError ``nonce_reused`` when it came with another code.
    """
    attempt = ScanAttempt.objects.filter(nonce=scan.nonce).first()
    if attempt is None:
        return None
    if not hmac.compare_digest(attempt.code_hash, scan.parsed.digest):
        raise DomainError(
            "nonce_reused",
            "This nonce was used for another code: use a new one for every new scan.",
        )
    return Verdict.from_attempt(attempt)


def _use_up(code: QRCode, now: datetime) -> bool:
    """Take one use, unless somebody took the last one since ``code`` was read."""
    free = QRCode.objects.filter(
        pk=code.pk, withdrawn_at=None, expires_at__gte=now, usage_count__lt=F("max_usage")
    )
    used = free.update(
        usage_count=F("usage_count") + 1, redeemed_at=Coalesce(F("redeemed_at"), now)
    )
    return used == 1


def _accept(scan: _Scan, code: QRCode, now: datetime) -> Verdict:
    """Store the redemption of a code whose use was just taken."""
    message = "Accepted."
    if code.max_usage > 1:
        # The row is ours until the transaction ends, so this count is the one just made.
        code.refresh_from_db(fields=["usage_count"])
        message = f"Accepted: use {code.usage_count} of {code.max_usage}."
    verdict = Verdict(
        ACCEPTED,
        "",
        message,
        offer=code.offer.title,
        redeemed_at=now,
        location=scan.location.name if scan.location else "",
        staff=name_staff(scan.staff),
        qr_code_id=code.pk,
    )
    attempt = _record(scan, code, verdict, now)
    redemption = Redemption.objects.create(
        qr_code=code,
        offer=code.offer,
        attempt=attempt,
        redeemed_at=now,
        location=scan.location,
        staff=scan.staff,
        amount=scan.amount,
        discount=scan.discount,
        note=scan.note,
    )
    verdict = replace(verdict, redemption_id=redemption.pk, attempt_id=attempt.pk)
    attempt.answer = verdict.as_dict()
    attempt.save(update_fields=["answer"])
    return verdict


def _redeem(scan: _Scan) -> Verdict:
    code = find_code(scan.parsed)
    if code and code.offer.has_budget:
        # A budget is shared by all codes of the offer, so they queue here; others never do.
        Offer.objects.select_for_update().get(pk=code.offer_id)
        code.refresh_from_db()
    now = database_now()
    for _ in range(2):
        verdict = judge(code, now=now, amount=scan.amount, discount=scan.discount)
        if not code or not verdict.is_accepted:
            return replace(verdict, attempt_id=_record(scan, code, verdict, now).pk)
        if _use_up(code, now):
            return _accept(scan, code, now)
        # Somebody was faster: look again at what is left, with the row held this time.
        QRCode.objects.select_for_update().get(pk=code.pk)
        code.refresh_from_db()
    raise DomainError("try_again", "This code is being changed at the moment: scan it again.")


def redeem_code(
    *,
    text: str,
    source: str,
    nonce: str = "",
    amount: Decimal | float | str | None = None,
    discount: Decimal | float | str | None = None,
    location: Location | None = None,
    staff: User | None = None,
    note: str = "",
) -> Verdict:
    """Use a code once, if it may be, and record the attempt.

    The same ``nonce`` again returns the first answer and consumes nothing. Raises DomainError
    ``invalid_amount``, ``invalid_note``, ``invalid_nonce``, ``nonce_reused`` or ``try_again``; then
    nothing is recorded.
    """
    scan = _read_scan(
        text=text,
        source=source,
        nonce=nonce,
        amount=amount,
        discount=discount,
        location=location,
        staff=staff,
        note=note,
    )
    first = _first_answer(scan) if nonce else None
    if first:
        return first
    try:
        with transaction.atomic():
            return _redeem(scan)
    except IntegrityError:
        # The same request arrived twice at once: the other one won, its answer is the answer.
        first = _first_answer(scan)
        if first is None:
            raise
        return first


def examine_code(*, text: str, amount: Decimal | float | str | None = None) -> Verdict:
    """Return what redeeming would be answered now, and leave no trace.

    Raises DomainError ``invalid_amount``.
    """
    return judge(
        find_code(parse_code(text)), now=database_now(), amount=read_amount(amount, what="bill")
    )


def check_code(
    *,
    text: str,
    source: str,
    amount: Decimal | float | str | None = None,
    location: Location | None = None,
    staff: User | None = None,
) -> Verdict:
    """Return what redeeming would be answered now, without redeeming.

    A rejected look is recorded as an attempt, since the customer is sent away; a look at a good
    code is not a try yet (X-5). Raises DomainError ``invalid_amount``.
    """
    scan = _read_scan(text=text, source=source, amount=amount, location=location, staff=staff)
    code = find_code(scan.parsed)
    now = database_now()
    verdict = judge(code, now=now, amount=scan.amount)
    if verdict.is_accepted:
        return verdict
    return replace(verdict, attempt_id=_record(scan, code, verdict, now).pk)
