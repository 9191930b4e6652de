"""Celery's doors: ids in, one call out. Any task may run twice, late, or never."""

from celery import shared_task

from campaigns import health
from campaigns.channels.capture import forget_old_captured
from campaigns.delivery import send_tests, sender, sweeper
from campaigns.delivery.wake import FREEZE_TASK, SEND_TASK, TESTS_TASK
from campaigns.webhooks import events


@shared_task(name=SEND_TASK, queue="sending")
def send(slot: int, wake: int | None = None) -> None:
    """Run one turn of a sender, then complete what it finished."""
    if sender.run_turn(slot=slot, wake=wake):
        sweeper.finish_campaigns()
    # A tick may wait behind senders that keep every process busy; what it does must not.
    sweep()


@shared_task(name=FREEZE_TASK)
def freeze(campaign_id: int) -> None:
    """Freeze the audience of a queued campaign."""
    sweeper.freeze_campaign(campaign_id=campaign_id)


@shared_task(name=TESTS_TASK)
def send_waiting_tests() -> None:
    """Send the test messages that wait."""
    send_tests.send_waiting()


@shared_task(name="campaigns.tick")
def tick() -> None:
    """Leave beat's sign of life and sweep; beat calls this every few seconds."""
    health.beat_heart(health.BEAT)
    sweep()


def sweep() -> None:
    """Sweep, and act on what providers told, unless another process has within the last seconds."""
    if health.take_turn(health.SWEEPER, every=sweeper.SWEEP_SECONDS):
        # First what providers say has arrived, then what is tried again.
        events.process_stored_events()
        sweeper.sweep()
        events.prune_events()
    if health.take_turn(health.CAPTURED, every=3600):
        forget_old_captured()
