"""Senders, providers' reports and people at the same campaign at once never lock each other out."""

import random
import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection

from campaigns import lifecycle
from campaigns.delivery import outbox, stops
from campaigns.delivery.outcomes import Action, Outcome
from campaigns.models import Campaign, Delivery, Pace
from config.clock import database_now
from config.errors import DomainError
from tests.campaigns.delivery.lanes import claim_and_mark
from tests.factories import CampaignFactory, DeliveryFactory

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 6.0
SEED = 20_261_124
OUTCOMES = [
    Outcome(Action.SENT),
    Outcome(Action.FAIL, "rejected"),
    Outcome(Action.UNCONFIRMED, "no_answer"),
    Outcome(Action.RETRY, "provider_error", 0),
    Outcome(Action.SLOW_DOWN, "slow_down", 0),
]


class Crowd:
    """Threads that do their part over and over until the time is up."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.done: dict[str, int] = {}
        self.parts: list[str] = []
        self.errors: list[str] = []
        self._until = time.monotonic() + SECONDS

    def run(self, **parts: Callable[[random.Random], None]) -> None:
        threads = [
            threading.Thread(target=self._repeat, args=(name, part, number))
            for number, (name, part) in enumerate(parts.items())
        ]
        self.parts = list(parts)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    def _repeat(self, name: str, part: Callable[[random.Random], None], number: int) -> None:
        chance = random.Random(SEED + number)
        while time.monotonic() < self._until:
            try:
                part(chance)
            except DomainError:
                pass  # somebody else was quicker: it has locked what it wanted all the same
            except Exception as error:
                self.errors.append(f"{name}: {type(error).__name__}")
            self.done[name] = self.done.get(name, 0) + 1
        connection.close()

    def send(self, channel: str) -> Callable[[random.Random], None]:
        def part(chance: random.Random) -> None:
            lane, token, marked = claim_and_mark(self.campaign_row(), channel, limit=5)
            outcomes = {pk: chance.choice(OUTCOMES) for pk in marked.attempts}
            if outcomes:
                outbox.record(lane=lane, token=token, marked=marked, outcomes=outcomes)
                stops.pause_stopped()

        return part

    def campaign_row(self) -> Campaign:
        return Campaign.objects.get(pk=self.campaign.pk)

    def report(self, chance: random.Random) -> None:
        ids = list(Delivery.objects.values_list("public_id", flat=True))
        kind = chance.choice(list(outbox.Report))
        outbox.note_report(public_id=chance.choice(ids), report=kind, at=database_now())

    def decide(self, chance: random.Random) -> None:
        decision = chance.choice(list(outbox.Decision))
        lifecycle.decide_unconfirmed(campaign_id=self.campaign.pk, decision=decision)

    def retry(self, _chance: random.Random) -> None:
        Campaign.objects.filter(pk=self.campaign.pk).update(status="completed")
        lifecycle.retry_failed(campaign_id=self.campaign.pk)

    def resume(self, _chance: random.Random) -> None:
        Campaign.objects.filter(pk=self.campaign.pk).update(status="paused")
        lifecycle.resume_campaign(campaign_id=self.campaign.pk)


def test_everybody_at_once_meets_no_deadlock(monkeypatch: pytest.MonkeyPatch, settings) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite admits one writer at a time")
    settings.EMAIL_PROVIDER_RATE_LIMIT = settings.SMS_PROVIDER_RATE_LIMIT = 1_000_000
    settings.FAILURES_BEFORE_PAUSE = 5
    monkeypatch.setattr("campaigns.delivery.wake.enqueue", lambda *args, **options: True)
    campaign = CampaignFactory(status="sending", send_rate_limit_emails=0)
    for channel in ("email", "sms"):
        Pace.objects.create(campaign=campaign, channel=channel)
        DeliveryFactory.create_batch(300, campaign=campaign, channel=channel)
    crowd = Crowd(campaign)
    crowd.run(
        first=crowd.send("email"),
        second=crowd.send("email"),
        texts=crowd.send("sms"),
        report=crowd.report,
        other_report=crowd.report,
        decide=crowd.decide,
        retry=crowd.retry,
        resume=crowd.resume,
    )
    assert crowd.errors == []
    assert min(crowd.done[name] for name in crowd.parts) >= 5
    for channel, sent, failed in (
        ("email", "emails_sent", "emails_failed"),
        ("sms", "sms_sent", "sms_failed"),
    ):
        rows = Delivery.objects.filter(channel=channel)
        counted = crowd.campaign_row()
        assert getattr(counted, sent) == rows.filter(status="sent").count()
        assert getattr(counted, failed) == rows.filter(status="failed").count()
