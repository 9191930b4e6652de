"""A series runs by itself, with real beat and workers, after a time when nothing ran (M-10)."""

import pytest

from tests.flows.business import compare, create_campaign, import_customers
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = pytest.mark.stack
MAKE = """
from datetime import date, time, timedelta
from campaigns.models import Series
from campaigns.series.make_series import make_series
from campaigns.series.rules import Repetition
from config.clock import database_now
every_day = Repetition(at=time(10), starts_on=date(2026, 1, 1), weekdays=range(1, 8))
made = make_series(campaign_id={campaign}, name={name!r}, repetition=every_day)
due = database_now() - timedelta(hours={hours})
Series.objects.filter(pk=made.pk).update(next_run_at=due)
"""


def make_series(stack: Stack, name: str, *, hours_ago: float) -> int:
    """A series whose run was due a while ago."""
    campaign = create_campaign(stack, name=name)
    stack.manage("shell", "-c", MAKE.format(campaign=campaign, name=name, hours=hours_ago))
    return campaign


def test_runs_missed_while_all_was_down_are_made_once_or_said_to_be_missed(
    stack: Stack, sendgrid: StandIn
) -> None:
    import_customers(stack, customers=50)
    make_series(stack, "Lunch", hours_ago=1)
    make_series(stack, "Breakfast", hours_ago=7)

    # More of everything than there should be: two beats, two workers.
    for name in ("beat", "second-beat"):
        stack.start_beat(name)
    stack.start_workers("first", "second")
    runs = "FROM campaigns_campaign WHERE series_id IS NOT NULL"
    stack.wait_for(
        lambda: stack.value(f"SELECT count(*) {runs} AND status = 'completed'") == 1,
        60,
        "the run that was due an hour ago is sent",
    )
    ((run, name),) = stack.rows(f"SELECT id, name {runs}")
    assert name.startswith("Lunch, ")
    compare(stack, run, sendgrid)
    assert len(sendgrid.ledger()) == 50

    told = dict(stack.rows("SELECT name, trouble FROM campaigns_series"))
    assert told == {"Lunch": "", "Breakfast": "missed"}
    left = "SELECT count(*) FROM campaigns_series WHERE state = 'active' AND runs_made = {}"
    assert (stack.value(left.format(1)), stack.value(left.format(0))) == (1, 1)
    originals = f"SELECT DISTINCT status {runs.replace('NOT NULL', 'NULL')}"
    assert stack.rows(originals) == [("draft",)]
