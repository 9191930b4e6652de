"""``send_campaign ID``: queue it, schedule it, or send tests of it."""

import time
import uuid
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from campaigns import lifecycle
from campaigns.audience import count_audience
from campaigns.delivery.send_tests import send_waiting
from campaigns.management.commands._campaigns import CampaignCommand, get_campaign
from campaigns.models import Campaign, TestSend
from campaigns.moments import zoned_moment
from campaigns.progress import progress_of
from campaigns.send_test import TestResult, read_results, send_test
from config.errors import DomainError
from config.times import read_wall_time

# A provider that asks for more patience than this is told as what it is.
TEST_PATIENCE_SECONDS = 120
WAITING = {Campaign.Status.SCHEDULED, Campaign.Status.QUEUED, Campaign.Status.SENDING}


class Command(CampaignCommand):
    help = "Send a campaign: workers do it, this command returns at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int)
        parser.add_argument("--at", metavar="TIME", help="Schedule it, such as 2026-12-01T09:00.")
        parser.add_argument(
            "--test",
            nargs="+",
            metavar="ADDRESS",
            help="Send a test to these addresses or numbers instead.",
        )
        parser.add_argument("--wait", action="store_true", help="Return when it has finished.")

    def run(self, **options: Any) -> None:
        campaign = get_campaign(options["id"])
        if options["test"]:
            self._send_tests(campaign, options["test"], as_json=options["json"])
            return
        if options["at"]:
            campaign = lifecycle.schedule_campaign(
                campaign_id=campaign.pk, at=_parse_time(options["at"])
            )
            assert campaign.scheduled_for is not None
            when = zoned_moment(campaign.scheduled_for)
            sentence = f"Campaign {campaign.pk} is scheduled for {when}."
        else:
            counts = count_audience(campaign)
            campaign = lifecycle.send_campaign(campaign_id=campaign.pk)
            sentence = counts.queued_sentence(with_codes=campaign.has_qr_code)
        if options["wait"]:
            campaign = self._wait(campaign)
            sentence = f"Campaign {campaign.pk} is {campaign.get_status_display().lower()}."
        if campaign.status == Campaign.Status.FAILED:
            raise DomainError("campaign_failed", campaign.status_reason)
        if options["json"]:
            self.print_json(progress_of([campaign])[0].as_dict())
        else:
            self.stdout.write(sentence)

    def _wait(self, campaign: Campaign) -> Campaign:
        while campaign.status in WAITING:
            time.sleep(0.5)
            campaign.refresh_from_db()
        return campaign

    def _send_tests(self, campaign: Campaign, addresses: list[str], *, as_json: bool) -> None:
        batch = send_test(campaign=campaign, addresses=addresses)[0].batch
        results = self._wait_for_tests(batch)
        failed = [result for result in results if result.status != TestSend.Status.SENT]
        error = DomainError("test_failed", f"{len(failed)} of {len(results)} were not sent.")
        if as_json:
            self.print_json(_tests_as_dict(results, error if failed else None))
            if failed:
                raise SystemExit(1)
            return
        for result in results:
            self.stdout.write(f"{result.address}: {result.sentence}")
        if failed:
            raise error

    def _wait_for_tests(self, batch: uuid.UUID) -> list[TestResult]:
        """Send them here, so that no worker is needed, and wait for those that a worker took."""
        give_up = time.monotonic() + TEST_PATIENCE_SECONDS
        while True:
            send_waiting(batch=batch)
            results = read_results(batch)
            under_way = any(result.is_open for result in results)
            if not under_way or time.monotonic() > give_up:
                return results
            time.sleep(0.5)


def _tests_as_dict(results: list[TestResult], error: DomainError | None) -> dict[str, Any]:
    """Return one document: what became of each, and as for any other failure what went wrong."""
    tests = [
        {
            "channel": result.channel,
            "sent": result.status == TestSend.Status.SENT,
            "message": result.sentence,
        }
        for result in results
    ]
    if error is None:
        return {"tests": tests}
    return {"tests": tests, "errors": [{"code": error.code, "message": error.message}]}


def _parse_time(raw: str) -> datetime:
    try:
        moment = parse_datetime(raw)
    except ValueError:
        moment = None
    if moment is None:
        raise DomainError("invalid_time", f"“{raw}” is not a time: write it like 2026-12-01T09:00.")
    return read_wall_time(moment).moment if timezone.is_naive(moment) else moment
