"""Workers killed without warning, and put to sleep past their lease (D-3, D-6)."""

import os
import random
import re
import signal
import subprocess
import time

import pytest

from campaigns.delivery.wake import SEND_TASK
from tests.faults.invariants import Interruption, check_invariants
from tests.flows.business import create_campaign, import_customers
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.slow]
SMS = "{{ customer.first_name }}: {{ offer.title }} {{ coupon_url }}"
SEED = 20_261_124
KILLS = 20


def test_twenty_kills_lose_nothing_and_repeat_only_what_was_being_called(
    stack: Stack, sendgrid: StandIn, twilio: StandIn
) -> None:
    chance = random.Random(SEED)
    import_customers(stack, customers=10_000, with_phone=800)
    # As slow as real providers are: most kills hit a call. The limit makes it last until the end.
    sendgrid.behave("slow", seconds=0.1)
    twilio.behave("slow", seconds=0.05)
    campaign = create_campaign(stack, sms=SMS, send_rate_limit_emails=4500)
    workers = stack.start_workers("first", "second")
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    started = time.monotonic()
    stack.wait_for_status(campaign, "sending", 30)
    kills = []
    for number in range(KILLS):
        time.sleep(chance.uniform(0, 1.0))
        assert stack.value(f"SELECT status FROM campaigns_campaign WHERE id = {campaign}") == (
            "sending"
        )
        victim = chance.randrange(2)
        kills.append(Interruption(at=time.time()))
        stack.kill(workers[victim])
        workers[victim] = stack.start_worker(f"after-kill-{number}")
    sendgrid.obey()
    stack.execute("UPDATE campaigns_campaign SET send_rate_limit_emails = 0")
    stack.wait_for_status(campaign, "completed", 120)
    took = time.monotonic() - started
    figures = check_invariants(
        stack,
        campaign,
        customers=10_000,
        sendgrid=sendgrid,
        twilio=twilio,
        interruptions=kills,
    )
    assert figures.rows["email", "sent"] == 10_000
    print(f"{KILLS} kills in {took:.0f} s: {figures}")


def called_by_others(stack: Stack, ids: list[int], token: object) -> bool:
    """Tell whether all these deliveries are being called under another lease than ``token``."""
    query = (
        "SELECT lease_token FROM campaigns_delivery WHERE call_started_at IS NOT NULL "
        f"AND id IN ({', '.join(map(str, ids))})"
    )
    tokens = [row[0] for row in stack.rows(query)]
    return len(tokens) == len(ids) and token not in tokens


def turns_ended(stack: Stack, worker: str) -> int:
    """Return how many turns of sending a worker has brought to their end."""
    return len(re.findall(rf"Task {SEND_TASK}\[\S+\] succeeded", stack.log(worker)))


def test_a_worker_that_slept_through_its_lease_changes_nothing_others_took_over(
    stack: Stack, sendgrid: StandIn
) -> None:
    import_customers(stack, customers=60)
    sendgrid.behave("slow", seconds=1.0)
    campaign = create_campaign(stack)
    sleeper = stack.start_worker("sleeper")
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    held = (
        "SELECT id, lease_token FROM campaigns_delivery "
        "WHERE status = 'sending' AND call_started_at IS NOT NULL ORDER BY id"
    )
    stack.wait_for(lambda: len(stack.rows(held)) == 10, 30, "ten are being called")
    stack.kill(sleeper, signal.SIGSTOP)
    fell_asleep = time.time()
    taken = stack.rows(held)
    ids = [row[0] for row in taken]
    assert len(ids) == 10

    # Another worker takes them over, and is stopped with them in its hands.
    heir = stack.start_worker("heir")
    stack.wait_for(lambda: called_by_others(stack, ids, taken[0][1]), 60, "they are taken over")
    stack.kill(heir, signal.SIGSTOP)
    second_stop = time.time()
    columns = "id, status, code, attempts, lease_token, lease_until, not_before, sent_at"
    everything = f"SELECT {columns} FROM campaigns_delivery ORDER BY id"
    counters = "SELECT emails_sent, emails_failed FROM campaigns_campaign"
    before = stack.rows(everything), stack.rows(counters)
    assert [row[1] for row in before[0] if row[0] in ids] == ["sending"] * 10

    turns = turns_ended(stack, "sleeper")
    # The child first: its parent would kill it for the time it has slept.
    child = subprocess.check_output(["pgrep", "-P", str(sleeper.pid)], text=True)
    os.kill(int(child), signal.SIGCONT)
    stack.wait_for(lambda: turns_ended(stack, "sleeper") > turns, 20, "the sleeper's turn ends")
    slept = time.time() - fell_asleep
    assert (stack.rows(everything), stack.rows(counters)) == before
    stack.kill(heir, signal.SIGCONT)
    stack.kill(sleeper, signal.SIGCONT)
    sendgrid.obey()
    stack.wait_for_status(campaign, "completed", 60)
    figures = check_invariants(
        stack,
        campaign,
        customers=60,
        sendgrid=sendgrid,
        interruptions=[Interruption(fell_asleep), Interruption(second_stop)],
    )
    print(f"stopped for {slept:.0f} s, lease of 6 s: {figures}")
