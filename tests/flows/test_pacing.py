"""What a provider sees of a limit, with real workers: whatever clocks, crashes and delays (D-4)."""

import random
import time
from collections.abc import Iterator

import pytest

from tests import services
from tests.flows.business import create_campaign, email_of, import_customers, most_in_a_window
from tests.flows.conftest import require_services
from tests.stack import Stack, running_stack
from tests.standins.client import StandIn
from tests.standins.ledger import LedgerEntry

pytestmark = pytest.mark.stack

WINDOW = 8.0
# A new rate has five seconds (M-3); it needs less.
EFFECT_SECONDS = 2.0
TWO_SEGMENTS = "{{ customer.first_name }}: {{ offer.title }} " + "with olives " * 13


@pytest.fixture
def stack(sendgrid: StandIn, twilio: StandIn) -> Iterator[Stack]:
    require_services()
    environment = {
        **sendgrid.environment(),
        **twilio.environment(),
        "PACING_WINDOW_SECONDS": str(WINDOW),
        "PROVIDER_TIMEOUT_SECONDS": "3",
        "LEASE_SECONDS": "12",
        "UNCONFIRMED_GRACE_SECONDS": "4",
    }
    with running_stack("postgresql", **environment) as running:
        yield running


def wait_for_arrivals(standin: StandIn, number: int, *, seconds: float = 60) -> list[LedgerEntry]:
    standin.wait_for(lambda running: running.stats()["arrived"] >= number, seconds=seconds)
    return standin.arrivals()


def permits_of(entries: list[LedgerEntry]) -> list[float]:
    """When each permit was used: a text takes as many as it has segments."""
    return [entry.arrived_at for entry in entries for _ in range(entry.segments or 1)]


def share_used(times: list[float], limit: int) -> float:
    """The largest share of a limit in a stretch of two windows, without the burst at the start.

    A machine that is busy otherwise stalls now and then; a pace that wastes never gets that far.
    """
    after_burst = [moment for moment in times if moment > times[0] + 0.5]
    return most_in_a_window(after_burst, 2 * WINDOW) / (2 * limit)


def change_rate(stack: Stack, campaign: int, rate: int) -> float:
    """Set emails a minute behind Handbill's back; return when that was done."""
    stack.execute(
        f"UPDATE campaigns_campaign SET send_rate_limit_emails = {rate} WHERE id = {campaign}"
    )
    return time.time()


@pytest.mark.alone
def test_workers_whose_clocks_are_wrong_keep_the_limit_and_use_it(
    stack: Stack, sendgrid: StandIn
) -> None:
    services.require(faketime=services.find_binary("faketime"))
    import_customers(stack, customers=600)
    campaign = create_campaign(stack, send_rate_limit_emails=100)
    clocks = {"ahead": "+10m", "behind": "-10m"}
    stack.start_workers("right", *clocks, clocks=clocks)
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    times = permits_of(wait_for_arrivals(sendgrid, 250))[:250]
    busiest, used = most_in_a_window(times, WINDOW), share_used(times, 100)
    print(f"clocks wrong by ten minutes: busiest window {busiest}, {used:.1%} of the limit used")
    assert busiest <= 100
    assert used >= 0.95
    # What is written has the database's time, whoever writes it.
    wrong = "now() - interval '5 minutes' AND now() + interval '5 minutes'"
    for table, column in (("campaigns_delivery", "sent_at"), ("qrcodes_qrcode", "created_at")):
        written = f"SELECT count(*), sum(({column} BETWEEN {wrong})::int) FROM {table}"
        [(rows, rightly)] = stack.rows(f"{written} WHERE {column} IS NOT NULL")
        assert rows == rightly >= 240
    for name in ("right", *clocks):
        assert "Discarding" not in stack.log(name)
        assert "Task campaigns.send[" in stack.log(name)


def test_workers_that_are_killed_and_started_again_keep_the_limit(
    stack: Stack, sendgrid: StandIn
) -> None:
    import_customers(stack, customers=300)
    campaign = create_campaign(stack, send_rate_limit_emails=100)
    workers = stack.start_workers("first", "second")
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    for number in (60, 140):
        wait_for_arrivals(sendgrid, number)
        for worker in workers:
            stack.kill(worker)
        workers = stack.start_workers("first", "second")
    times = permits_of(wait_for_arrivals(sendgrid, 240))
    busiest = most_in_a_window(times, WINDOW)
    print(f"both workers killed twice: busiest window {busiest}")
    assert busiest <= 100


@pytest.mark.alone
@pytest.mark.parametrize(
    ("delays", "least_used"), [([], 0.95), ([0.05, 0.2, 0.4, 0.8], 0.75)], ids=["fast", "slow"]
)
def test_a_provider_limit_holds_over_all_campaigns_and_counts_segments(
    stack: Stack,
    sendgrid: StandIn,
    twilio: StandIn,
    delays: list[float],
    least_used: float,
) -> None:
    stack.environment |= {"EMAIL_PROVIDER_RATE_LIMIT": "100", "SMS_PROVIDER_RATE_LIMIT": "40"}
    import_customers(stack, customers=250, with_phone=50)
    campaigns = [create_campaign(stack, sms=TWO_SEGMENTS) for _ in range(2)]
    for delay in delays:
        several = random.Random(delay).sample(range(250), 50)
        sendgrid.behave("slow", seconds=delay, recipients=[email_of(n) for n in several])
    stack.start_workers("first", "second", concurrency=3)
    stack.start_beat()
    for campaign in campaigns:
        stack.manage("send_campaign", campaign)
    emails = permits_of(wait_for_arrivals(sendgrid, 250))[:250]
    texts = wait_for_arrivals(twilio, 50)[:50]
    assert {entry.segments for entry in texts} == {2}
    assert len({entry.delivery_id for entry in texts}) == 50
    segments = permits_of(texts)
    figures = most_in_a_window(emails, WINDOW), share_used(emails, 100)
    text_figures = most_in_a_window(segments, WINDOW), share_used(segments, 40)
    print(f"provider limit, delays {delays}: emails {figures}, segments {text_figures}")
    assert figures[0] <= 100
    assert text_figures[0] <= 40
    assert figures[1] >= least_used
    assert text_figures[1] >= 0.9
    served = {
        campaign: f"SELECT emails_sent FROM campaigns_campaign WHERE id = {campaign}"
        for campaign in campaigns
    }
    assert all(stack.value(query) > 50 for query in served.values())


@pytest.mark.alone
@pytest.mark.parametrize(
    ("large_rate", "small_rate", "seconds"),
    [(100, 60, 40 / 60 * WINDOW), (0, 0, 2.0)],
    ids=["limits", "none"],
)
def test_a_small_campaign_beside_a_large_one_takes_no_longer_than_alone(
    stack: Stack, sendgrid: StandIn, large_rate: int, small_rate: int, seconds: float
) -> None:
    """Forty emails at sixty a window take two thirds of one; without a limit, next to nothing."""
    audience = 300 if large_rate else 3000
    # So that on a quick machine too the large one is under way when the small one is done.
    sendgrid.behave("slow", seconds=0.1)
    import_customers(stack, customers=audience, tagged=40, tag="regulars")
    large = create_campaign(stack, subject="large", send_rate_limit_emails=large_rate)
    small = create_campaign(
        stack, subject="small", send_rate_limit_emails=small_rate, targets='["regulars"]'
    )
    stack.start_workers("first", "second")
    stack.start_beat()
    stack.manage("send_campaign", large)
    wait_for_arrivals(sendgrid, 20)
    stack.manage("send_campaign", small)

    def small_ones(standin: StandIn) -> list[float]:
        return [entry.arrived_at for entry in standin.arrivals() if entry.subject == "small"]

    sendgrid.wait_for(lambda standin: len(small_ones(standin)) == 40, seconds=30)
    times = small_ones(sendgrid)
    took, arrived = times[-1] - times[0], sendgrid.stats()["arrived"]
    print(f"40 emails beside {audience} at {large_rate}: {took:.1f} s, {arrived} had arrived")
    assert took <= seconds * 1.25
    assert arrived < audience


def test_a_changed_rate_takes_effect_within_five_seconds(stack: Stack, sendgrid: StandIn) -> None:
    import_customers(stack, customers=2500)
    campaign = create_campaign(stack)
    stack.start_workers("first", "second")
    stack.start_beat()
    stack.manage("send_campaign", campaign)
    wait_for_arrivals(sendgrid, 50)
    limited = change_rate(stack, campaign, 60)
    time.sleep(EFFECT_SECONDS + WINDOW)
    raised = change_rate(stack, campaign, 300)
    time.sleep(EFFECT_SECONDS + 3)
    lowered = change_rate(stack, campaign, 30)
    time.sleep(EFFECT_SECONDS + WINDOW)
    over = time.time()
    times = permits_of(sendgrid.arrivals())
    assert len(times) < 2500

    def between(start: float, end: float) -> list[float]:
        return [moment for moment in times if start + EFFECT_SECONDS <= moment < end]

    first, second, third = (
        between(limited, raised),
        between(raised, lowered),
        between(lowered, over),
    )
    print(f"no limit to 60: {len(first)}; to 300, in 3 s: {len(second)}; to 30: {len(third)}")
    assert 0.9 * 60 <= most_in_a_window(first, WINDOW) <= 60
    expected = 300 * 3 / WINDOW
    assert 0.9 * expected <= len(second) <= 1.1 * expected
    assert most_in_a_window(second, WINDOW) <= 300
    assert len(third) <= 30
