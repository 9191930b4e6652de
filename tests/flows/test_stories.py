"""The stories of the specification, word for word (the first one is in tests/qrcodes too)."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.flows.business import compare, create_campaign, email_of, import_customers
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = pytest.mark.stack


def test_story_1_a_coupon_is_accepted_once_and_not_after_its_date(
    stack: Stack, sendgrid: StandIn
) -> None:
    import_customers(stack, customers=2)
    campaign = create_campaign(stack)
    stack.start_worker()
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    stack.wait_for_status(campaign, "completed", 60)
    shown, late = (entry.token for entry in sendgrid.ledger())
    where = ("--location", "Harbour Street")

    def redeem(*arguments: str) -> tuple[int, dict[str, str]]:
        result = stack.manage("redeem", *arguments, "--json", check=False)
        return result.returncode, json.loads(result.stdout)

    code, first = redeem(shown, *where)
    assert (code, first["status"]) == (0, "accepted")
    code, second = redeem(shown, *where)
    assert (code, second["status"], second["reason"]) == (3, "rejected", "already_redeemed")
    assert second["redeemed_at"] == first["redeemed_at"]
    said = stack.manage("redeem", shown, check=False).stdout
    assert "Harbour Street" in said

    stack.execute(f"UPDATE qrcodes_qrcode SET expires_at = created_at WHERE token = '{late}'")
    code, expired = redeem(late, *where)
    assert (code, expired["reason"]) == (3, "expired")


def test_story_2_a_segment_reaches_its_members_and_no_one_else(
    stack: Stack, sendgrid: StandIn
) -> None:
    import_customers(stack, customers=5000, tagged=150, tag="inactive-6months")
    members = create_campaign(stack, targets='["inactive-6months"]')
    stack.start_worker("first")
    stack.start_worker("second")
    stack.start_beat()
    stack.manage("send_campaign", members)
    stack.wait_for_status(members, "completed", 60)
    assert {entry.recipient for entry in sendgrid.ledger()} == {email_of(n) for n in range(150)}
    compare(stack, members, sendgrid)

    sendgrid.reset()
    stack.execute(
        "UPDATE customers_customer SET email_subscribed = false WHERE first_name = 'Ada7'"
    )
    everyone = create_campaign(stack)
    stack.manage("send_campaign", everyone)
    took = stack.wait_for_status(everyone, "completed", 180)
    print(f"{stack.kind}: 5,000 emails in {took:.1f} s")
    expected = {email_of(n) for n in range(5000)} - {email_of(7)}
    assert {entry.recipient for entry in sendgrid.ledger()} == expected
    compare(stack, everyone, sendgrid)


def test_story_3_ten_addresses_that_keep_failing_fail_after_exactly_three_retries(
    stack: Stack, sendgrid: StandIn, tmp_path: Path
) -> None:
    import_customers(stack, customers=5000)
    failing = [email_of(n) for n in range(0, 5000, 500)]
    sendgrid.behave(status=500, recipients=failing)
    campaign = create_campaign(stack)
    stack.start_worker("first")
    stack.start_worker("second")
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    stack.wait_for_status(campaign, "completed", 180)

    tries = Counter(entry.recipient for entry in sendgrid.arrivals())
    assert {recipient: tries[recipient] for recipient in failing} == dict.fromkeys(failing, 4)
    status = stack.json("campaign_status", campaign)
    assert (status["emails_sent"], status["emails_failed"]) == (4990, 10)
    compare(stack, campaign, sendgrid)
    report = json.loads(stack.manage("campaign_report", campaign, "--format", "json").stdout)
    assert report["emails_failed"] == 10
    assert [(r["code"], r["messages"]) for r in report["reasons"] if r["status"] == "failed"] == [
        ("provider_error", 10)
    ]
