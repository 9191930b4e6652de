"""The embedded installation: broken files in its broker, and a killed worker (D-1, O-1)."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.invariants import Interruption, check_invariants
from tests.flows.business import create_campaign, import_customers
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.slow]
BROKEN = ["", '{"body": "W1tdLCB7fSwg', "[]", "null", '{"properties": {}}', "\x00\x00"]


def leave_broken_files(broker: Path, chance: random.Random) -> int:
    """Write what a full disk, a crash or a stranger leaves behind; return how many files."""
    written = 0
    for queue in ("default", "sending"):
        for number, content in enumerate(BROKEN):
            # Some before, some behind the messages that wait.
            when = chance.choice([0, time.time_ns(), 10**20 - 1])
            name = f"{queue}.{when:020d}.broken{number}.msg"
            (broker / "messages" / name).write_text(content)
            written += 1
    # A worker killed between claiming a message and reading it.
    for waiting in list((broker / "messages").glob("sending.*.msg"))[:2]:
        waiting.rename(waiting.with_name(f".claimed.{waiting.name}"))
        written += 1
    for bindings in (broker / "control").glob("*.exchange"):
        bindings.write_text("")
        written += 1
    return written


def test_broken_files_and_a_killed_worker_lose_nothing(
    make_stack: Callable[..., Stack], sendgrid: StandIn, twilio: StandIn
) -> None:
    chance = random.Random(10)
    stack = make_stack("sqlite")
    import_customers(stack, customers=1200, with_phone=60)
    for standin in (sendgrid, twilio):
        standin.behave("slow", seconds=0.05)
    campaign = create_campaign(stack, sms="{{ offer.title }} {{ coupon_url }}")
    broker = stack.folder / "broker"
    written = leave_broken_files(broker, chance)
    survivor, victim = stack.start_workers("survivor", "victim")
    beat = stack.start_beat()
    stack.manage("send_campaign", campaign)
    for accepted in (200, 400):
        sendgrid.wait_for(
            lambda standin, accepted=accepted: standin.stats()["accepted"] > accepted, seconds=60
        )
        written += leave_broken_files(broker, chance)
    time.sleep(chance.uniform(0, 1))
    killed = Interruption(at=time.time())
    stack.kill(victim)
    assert stack.value("SELECT status FROM campaigns_campaign") == "sending"
    stack.start_worker("successor")
    written += leave_broken_files(broker, chance)
    stack.wait_for_status(campaign, "completed", 120)
    assert [process.poll() for process in (survivor, beat)] == [None, None]
    figures = check_invariants(
        stack,
        campaign,
        customers=1200,
        sendgrid=sendgrid,
        twilio=twilio,
        interruptions=[killed],
    )
    assert figures.rows["email", "sent"] == 1200
    logs = "".join(stack.log(name) for name in ("survivor", "victim", "successor"))
    dropped = logs.count("dropped a broken message file")
    assert dropped > 10
    print(f"embedded, {written} broken files, {dropped} dropped, one kill: {figures}")
