"""The main job once, without a browser: import, send, redeem, report; every figure checked."""

import time
from collections.abc import Callable

from analytics.reports import campaign_report, find_campaign
from campaigns.channels.capture import list_captured
from campaigns.lifecycle import send_campaign
from campaigns.models import Campaign, Delivery
from campaigns.progress import Progress, progress_of
from demo import business
from demo.processes import Processes
from qrcodes.models import Location, QRCode, Source
from qrcodes.redeem import redeem_code

REDEEMED = 25
LONGEST_SECONDS = 180
Say = Callable[[str], object]


class DemoFailed(Exception):
    """A figure is not what it must be."""


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise DemoFailed(what)


def run_once(say: Say) -> None:
    """Run the main job on an empty business and print each step's figures with ``say``.

    Raises DemoFailed when any figure is off.
    """
    business.prepare_database()
    business.create_people()
    say(f"1. An empty database; {len(business.LOCATIONS)} shops, {len(business.PEOPLE)} people.")
    _import(say)
    campaigns = business.create_campaigns()
    # Here only the figures count: no need to sit through the sending rates.
    Campaign.objects.update(send_rate_limit_emails=0, send_rate_limit_sms=0)
    processes = Processes()
    processes.start_worker_and_beat()
    try:
        for step, campaign_id in enumerate(campaigns, start=3):
            _send(campaign_id, processes, say, step=step)
    finally:
        processes.stop()
    _redeem(campaigns[0], say)
    _report(campaigns[0], say)


def _import(say: Say) -> None:
    first = business.import_customers()
    say(
        f"2. Import: {first['rows']} rows: {first['created']} new, {first['updated']} merged, "
        f"{first['unchanged']} unchanged, {first['rejected']} rejected with a reason."
    )
    _require(first["created"] > 500 and first["rejected"] > 0, "the import's counts are off")
    again = business.import_customers()
    say(f"   The same file again: {again['created']} new, {again['updated']} changed.")
    _require(not again["created"] and not again["updated"], "importing twice changed customers")


def _send(campaign_id: int, processes: Processes, say: Say, *, step: int) -> None:
    before = len(list_captured(limit=100_000))
    send_campaign(campaign_id=campaign_id)
    progress = _wait(campaign_id, processes)
    status = progress.as_dict()
    say(
        f"{step}. Send “{status['name']}”: {status['total_targeted']} customers, "
        f"{status['emails_sent']} emails and {status['sms_sent']} texts sent, "
        f"{status['emails_skipped'] + status['sms_skipped']} skipped, "
        f"{status['emails_failed'] + status['sms_failed']} failed; {status['status']}."
    )
    captured = len(list_captured(limit=100_000)) - before
    _require(status["status"] == Campaign.Status.COMPLETED, "the campaign did not complete")
    _require(progress.done > 0, "nothing was sent")
    _require(captured == progress.done, f"{captured} were captured, {progress.done} sent")
    reached = Delivery.objects.filter(campaign=campaign_id, status=Delivery.Status.SENT)
    customers = reached.values("customer").distinct().count()
    codes = QRCode.objects.real().filter(campaign=campaign_id).count()
    _require(customers == codes, f"{codes} codes for {customers} customers")


def _wait(campaign_id: int, processes: Processes) -> Progress:
    deadline = time.monotonic() + LONGEST_SECONDS
    while True:
        campaign = find_campaign(campaign_id)
        if campaign.status not in {Campaign.Status.QUEUED, Campaign.Status.SENDING}:
            return progress_of([campaign])[0]
        died = processes.died()
        _require(not died, f"{' and '.join(died)} ended; see the log in the data directory")
        _require(time.monotonic() < deadline, f"not finished after {LONGEST_SECONDS} s")
        time.sleep(0.3)


def _redeem(campaign_id: int, say: Say) -> None:
    codes = list(QRCode.objects.real().filter(campaign=campaign_id).order_by("pk")[:REDEEMED])
    shops = list(Location.objects.order_by("pk"))
    verdicts = [
        redeem_code(
            text=code.token,
            source=Source.COMMAND,
            amount=f"{18 + position * 1.5:.2f}",
            location=shops[position % len(shops)],
        )
        for position, code in enumerate(codes)
    ]
    accepted = sum(verdict.is_accepted for verdict in verdicts)
    second = redeem_code(text=codes[0].token, source=Source.COMMAND, location=shops[-1])
    say(
        f"5. Redeem: {accepted} of {len(codes)} codes accepted. "
        f"The first one again: {second.status}. {second.message}"
    )
    _require(accepted == REDEEMED, "a good code was not accepted")
    _require(second.reason == "already_redeemed", "a code was accepted twice")


def _report(campaign_id: int, say: Say) -> None:
    report = campaign_report(find_campaign(campaign_id))
    say(
        f"6. Report: {report['customers_redeemed']} of {report['customers_reached']} customers "
        f"redeemed ({report['redemption_rate']:.1%}), "
        f"{report['revenue']} {report['currency']} taken at the till."
    )
    _require(report["redemptions"] == REDEEMED, "the report disagrees with the till")
