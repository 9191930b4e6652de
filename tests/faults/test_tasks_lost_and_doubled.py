"""Celery's messages doubled, mixed up and thrown away, and two beats at once (D-1, D-7)."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.invariants import check_invariants
from tests.flows.business import create_campaign, import_customers
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.slow]
# Until the campaign has ended: at random moments every task several times over, or none at all.
UPROAR = """
import json, random, time
from celery import current_app
from campaigns.delivery.wake import FREEZE_TASK, SEND_TASK, enqueue
from campaigns.models import Campaign
chance = random.Random({seed})
published = purged = 0
while Campaign.objects.get(pk={campaign}).status != "completed":
    time.sleep(chance.uniform(0, 0.3))
    if chance.random() < 0.2:
        purged += current_app.control.purge()
        continue
    for _ in range(5):
        enqueue(SEND_TASK, chance.randrange(8), queue="sending")
        enqueue(FREEZE_TASK, {campaign})
        enqueue("campaigns.tick")
        published += 3
print(json.dumps([published, purged]))
"""


def test_doubled_and_lost_tasks_and_a_second_beat_change_nothing(
    stack: Stack, sendgrid: StandIn, twilio: StandIn
) -> None:
    import_customers(stack, customers=1500, with_phone=100)
    for standin in (sendgrid, twilio):
        standin.behave("slow", seconds=0.05)
    campaign = create_campaign(stack, sms="{{ offer.title }} {{ coupon_url }}")
    stack.start_workers("first", "second")
    stack.start_beat("beat")
    stack.start_beat("second-beat")
    with ThreadPoolExecutor() as threads:
        uproar = UPROAR.format(seed=5, campaign=campaign)
        ended = threads.submit(stack.manage, "shell", "-c", uproar)
        stack.manage("send_campaign", campaign)
        published, purged = json.loads(ended.result().stdout.splitlines()[-1])
    figures = check_invariants(stack, campaign, customers=1500, sendgrid=sendgrid, twilio=twilio)
    assert figures.twice == {"email": 0, "sms": 0}
    assert published > 100
    assert purged > 10
    print(f"two beats, {published} tasks too many, {purged} thrown away: {figures}")
