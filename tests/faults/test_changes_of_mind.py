"""People unsubscribe and staff pause while a campaign is being sent (C-7, M-2, D-3)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests import services
from tests.faults.invariants import check_consent, check_invariants
from tests.flows.business import create_campaign, email_of, import_customers, phone_of
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.slow]
WORKERS = 2
CALLS_AT_ONCE = 10 * WORKERS
# PROVIDER_TIMEOUT_SECONDS of the stack: no call lasts longer.
LONGEST_CALL_SECONDS = 2
# Prints one JSON object for each event, with the time just after its commit.
PEOPLE = """
import json, random, time
from campaigns.lifecycle import pause_campaign, resume_campaign
from campaigns.models import Delivery
from customers.consent import record_consent
from customers.models import Customer
chance = random.Random({seed})

def say(**event):
    print(json.dumps(event | {{"at": time.time()}}))

def opt_out(people, channel):
    record_consent(
        customer_ids=[pk for pk, _ in people], channel=channel, action="opt_out", source="test"
    )
    say(what="opt_out", channel=channel, names=[name for _, name in people])

def wait_until_left(count):
    while Delivery.objects.filter(status__in=["pending", "sending"]).count() > count:
        time.sleep(0.02)

people = list(Customer.objects.values_list("pk", "first_name"))
for number in chance.sample(range(len(people)), 60):
    opt_out([people[number]], chance.choice(["email", "sms"]))
    time.sleep(chance.uniform(0, 0.03))
for left in (1000, 850):
    wait_until_left(left)
    pause_campaign(campaign_id={campaign})
    say(what="pause")
    time.sleep(3)
    say(what="resume")
    resume_campaign(campaign_id={campaign})
# All whose messages the workers hold in their hands and are not calling yet, at one instant.
held = Delivery.objects.filter(channel="email", status="sending", call_started_at=None)
for left in (700, 400):
    wait_until_left(left)
    while held.count() < 80:
        time.sleep(0.02)
    names = list(held.values_list("customer_id", "customer__first_name"))
    opt_out(names, "email")
"""


def test_consent_and_pause_hold_from_their_commit_on(
    make_stack: Callable[..., Stack],
    database: services.PrivatePostgres,
    broker: services.PrivateRedis,
    sendgrid: StandIn,
    twilio: StandIn,
) -> None:
    # Long turns and slow calls: each worker holds many messages that it has not called yet.
    stack = make_stack(
        "postgresql", postgres_url=database.url, redis_url=broker.url, LEASE_SECONDS="40"
    )
    import_customers(stack, customers=1200, with_phone=60)
    sendgrid.behave("slow", seconds=0.3)
    campaign = create_campaign(stack, sms="{{ offer.title }} {{ coupon_url }}")
    stack.start_workers(*(f"worker-{number}" for number in range(WORKERS)))
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    stack.wait_for_status(campaign, "sending", 30)
    said = stack.manage("shell", "-c", PEOPLE.format(seed=7, campaign=campaign)).stdout
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    stack.wait_for_status(campaign, "completed", 60)

    ledger = [*sendgrid.ledger(), *twilio.ledger()]
    opted_out = addresses_of(events)
    under_way, latest = check_consent(ledger, opted_out, seconds=LONGEST_CALL_SECONDS)
    for many in events[-2:]:
        at_once = addresses_of([many])
        assert len(at_once) > 50
        still, _ = check_consent(ledger, at_once, seconds=LONGEST_CALL_SECONDS)
        assert still <= CALLS_AT_ONCE
    pauses = [event["at"] for event in events if event["what"] in {"pause", "resume"}]
    arrivals = [entry.arrived_at for entry in ledger]
    for paused, resumed in zip(pauses[::2], pauses[1::2], strict=True):
        during = [at - paused for at in arrivals if paused < at < resumed]
        assert len(during) <= CALLS_AT_ONCE
        assert max(during, default=0) <= LONGEST_CALL_SECONDS
        print(f"paused for {resumed - paused:.1f} s: {len(during)} under way still arrived")
    figures = check_invariants(stack, campaign, customers=1200, sendgrid=sendgrid, twilio=twilio)
    assert figures.twice == {"email": 0, "sms": 0}
    skipped = stack.value("SELECT count(*) FROM campaigns_delivery WHERE code = 'unsubscribed'")
    assert skipped > 50
    print(
        f"{len(opted_out)} opted out, {under_way} of them while being called, "
        f"the latest {latest:.2f} s before it arrived: {figures}"
    )


CANCEL = """
import time
from campaigns.lifecycle import cancel_campaign
cancel_campaign(campaign_id={campaign})
print(time.time())
"""


def test_nothing_leaves_a_cancelled_campaign_but_what_was_being_called(
    stack: Stack, sendgrid: StandIn
) -> None:
    import_customers(stack, customers=1500)
    sendgrid.behave("slow", seconds=0.05)
    campaign = create_campaign(stack)
    stack.start_workers(*(f"worker-{number}" for number in range(WORKERS)))
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] > 50)
    said = stack.manage("shell", "-c", CANCEL.format(campaign=campaign)).stdout
    cancelled_at = float(said.splitlines()[-1])
    waiting = "SELECT count(*) FROM campaigns_delivery WHERE status IN ('pending', 'sending')"
    took = stack.wait_for(lambda: stack.value(waiting) == 0, 30, "nothing waits any more")
    figures = check_invariants(
        stack, campaign, customers=1500, sendgrid=sendgrid, status="cancelled"
    )
    late = [e for e in sendgrid.ledger() if e.arrived_at > cancelled_at]
    assert len(late) <= CALLS_AT_ONCE
    assert figures.rows["email", "cancelled"] > 100
    assert figures.arrived["email"] == figures.rows["email", "sent"]
    print(f"cancelled, {len(late)} under way still arrived, quiet after {took:.1f} s: {figures}")


def addresses_of(events: list[dict[str, Any]]) -> dict[str, float]:
    """Return address → time after the commit of its owner's opt-out."""
    return {
        (email_of if event["channel"] == "email" else phone_of)(int(name[3:])): event["at"]
        for event in events
        if event["what"] == "opt_out"
        for name in event["names"]
    }
