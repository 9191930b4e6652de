"""Many claims at the same instant, each of a worker that then dies (D-3, D-7)."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.invariants import check_invariants
from tests.flows.business import create_campaign, import_customers
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.slow]
CLAIMERS = 4
FREEZE = """
from campaigns.delivery.sweeper import freeze_campaign
freeze_campaign(campaign_id={campaign})
"""
# Claims everything, few rows at a time so that they meet often, and leaves it to its fate.
CLAIM = """
import json, time, uuid
from campaigns.delivery.outbox import claim
from campaigns.delivery.pacing import Lane
from campaigns.models import Pace
pace = Pace.objects.get(campaign={campaign}, channel="email")
lane, taken = Lane({campaign}, "email", 0, pace), []
while time.time() < {start}:
    pass
while rows := claim(lane=lane, limit=10, token=uuid.uuid4()):
    taken += [row.pk for row in rows]
print(json.dumps(taken))
"""


def test_claims_at_the_same_instant_never_share_a_row_and_all_are_freed(
    stack: Stack, sendgrid: StandIn
) -> None:
    import_customers(stack, customers=2000)
    campaign = create_campaign(stack)
    stack.manage("send_campaign", campaign)
    stack.manage("shell", "-c", FREEZE.format(campaign=campaign))
    script = CLAIM.format(campaign=campaign, start=time.time() + 6)
    with ThreadPoolExecutor(CLAIMERS) as threads:
        claimers = [threads.submit(stack.manage, "shell", "-c", script) for _ in range(CLAIMERS)]
        taken = [json.loads(each.result().stdout.splitlines()[-1]) for each in claimers]
    claimed = [pk for part in taken for pk in part]
    assert len(claimed) == len(set(claimed)) == 2000
    assert sum(bool(part) for part in taken) > 1
    assert stack.value("SELECT count(*) FROM campaigns_delivery WHERE status = 'sending'") == 2000

    stack.start_workers("first", "second")
    stack.start_beat()
    stack.wait_for_status(campaign, "completed", 60)
    figures = check_invariants(stack, campaign, customers=2000, sendgrid=sendgrid)
    assert figures.twice["email"] == 0
    shares = ", ".join(str(len(part)) for part in taken)
    print(f"claimed at once by {CLAIMERS} who then died ({shares}): {figures}")
