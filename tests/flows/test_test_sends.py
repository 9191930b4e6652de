"""Test messages through real workers, a broker and providers that misbehave (M-9)."""

from collections import Counter

import pytest

from tests.flows.business import create_campaign, import_customers
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = pytest.mark.stack
ASK = """
from campaigns.models import Campaign
from campaigns.send_test import send_test
send_test(campaign=Campaign.objects.get(pk={campaign}), addresses={addresses!r})
"""
EMAILS = [f"tester{number}@example.com" for number in range(10)]
NUMBERS = [f"+49151120001{number:02d}" for number in range(10)]


def ask(stack: Stack, campaign: int, addresses: list[str]) -> None:
    """Press the button: rows are saved and a message is published, as the web process does."""
    stack.manage("shell", "-c", ASK.format(campaign=campaign, addresses=addresses))


def states(stack: Stack) -> Counter[str]:
    return Counter(state for (state,) in stack.rows("SELECT status FROM campaigns_testsend"))


def is_over(stack: Stack) -> bool:
    return not states(stack).keys() & {"waiting", "sending"}


def outcomes(stack: Stack) -> dict[int, tuple[str, str]]:
    """Position in what was typed → status and code."""
    rows = stack.rows("SELECT status, code FROM campaigns_testsend ORDER BY id")
    return {position: (status, code) for position, (status, code) in enumerate(rows)}


def test_each_of_twenty_gets_at_most_one_from_providers_that_misbehave(
    stack: Stack, sendgrid: StandIn, twilio: StandIn
) -> None:
    import_customers(stack, customers=5, with_phone=5)
    campaign = create_campaign(stack, sms="Hello {{ customer.first_name }} {{ coupon_url }}")
    patience = {"status": 429, "headers": {"Retry-After": "2"}, "times": 1}
    sendgrid.behave("hang", recipients=EMAILS[:1], seconds=20)
    sendgrid.behave("answer", recipients=EMAILS[1:2], **patience)
    sendgrid.behave("close", recipients=EMAILS[2:3], accept=True)
    twilio.behave("hang", recipients=NUMBERS[:1], seconds=20, accept=True)
    twilio.behave("answer", recipients=NUMBERS[1:2], **patience)
    twilio.behave("drop", recipients=NUMBERS[2:3], accept=True)
    twilio.behave("garble", recipients=NUMBERS[3:4])
    twilio.behave("answer", recipients=NUMBERS[4:5], status=503)
    stack.start_workers("first", "second")
    stack.start_beat()

    ask(stack, campaign, EMAILS + NUMBERS)
    stack.wait_for(lambda: is_over(stack), 40, "every test is over")

    lost, refused, sent = ("unconfirmed", "no_answer"), ("failed", "provider_error"), ("sent", "")
    told = outcomes(stack)
    assert {n: how for n, how in told.items() if how != sent} == {
        **dict.fromkeys([0, 2, 10, 12, 13], lost),
        14: refused,
    }
    for provider, addresses in ((sendgrid, EMAILS), (twilio, NUMBERS)):
        assert provider.violations() == []
        arrived = Counter(entry.recipient for entry in provider.arrivals())
        # Asked for patience it comes again; nothing else does, whatever became of it.
        assert arrived == Counter([*addresses, addresses[1]])


def test_a_text_whose_worker_was_killed_in_the_call_never_leaves_again(
    stack: Stack, twilio: StandIn
) -> None:
    import_customers(stack, customers=1, with_phone=1)
    campaign = create_campaign(stack, sms="Hello {{ customer.first_name }} {{ coupon_url }}")
    twilio.behave("hang", seconds=20, accept=True)
    worker = stack.start_worker()
    ask(stack, campaign, NUMBERS)
    twilio.wait_for(lambda provider: len(provider.ledger()) == 10)
    stack.kill(worker)
    twilio.obey()

    stack.start_worker("another")
    stack.start_beat()
    stack.wait_for(lambda: is_over(stack), 40, "every test is over")

    assert set(outcomes(stack).values()) == {("unconfirmed", "lease_expired")}
    assert Counter(entry.recipient for entry in twilio.arrivals()) == Counter(NUMBERS)
