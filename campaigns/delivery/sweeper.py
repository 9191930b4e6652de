"""Makes right whatever a lost message, a dead worker or a stopped broker left behind (D-7)."""

from collections.abc import Callable
from datetime import datetime

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef, Q

from campaigns import lifecycle
from campaigns.audience import freeze_next_batch
from campaigns.check_campaign import CheckFailed, require_sendable
from campaigns.delivery import outbox
from campaigns.delivery.send_tests import sweep_tests
from campaigns.delivery.stops import pause_stopped
from campaigns.delivery.wake import FREEZE_TASK, enqueue, wake_senders
from campaigns.models import Campaign, Delivery
from campaigns.reasons import reason_sentence
from campaigns.series.run_series import follow_time_zone, run_due_series
from config.clock import database_now
from config.errors import log_unforeseen

Status = Campaign.Status
# How often whatever a lost message or a dead worker left behind is made right.
SWEEP_SECONDS = 4.5


def sweep() -> dict[str, int]:
    """Free what the dead held, settle, retry, pause, start what is scheduled, finish, wake.

    Returns what each step did, in numbers. A step that fails is logged and counted as ``failures``;
    the others go on, for behind one broken row stand everybody else's campaigns.
    """
    steps: dict[str, Callable[[], int]] = {
        "handed_back": outbox.hand_back_expired,
        "unconfirmed": outbox.expire_calls,
        "settled": outbox.settle_confirmed,
        "retried": outbox.retry_unconfirmed,
        "paused": pause_stopped,
        "cancelled": outbox.cancel_leftovers,
        "started": start_scheduled,
        "repeated": run_due_series,
        "rezoned": follow_time_zone,
        "restarted": restart_queued,
        "completed": finish_campaigns,
        "reopened": reopen_campaigns,
        "woken": wake_senders,
        "tests": sweep_tests,
    }
    swept = dict.fromkeys([*steps, "failures"], 0)
    for name, step in steps.items():
        try:
            swept[name] = step()
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            log_unforeseen(f"sweep, {name}", error)
            swept["failures"] += 1
    return swept


def start_scheduled() -> int:
    """Queue the scheduled campaigns whose time has come; return how many."""
    now = database_now()
    started = 0
    for campaign in Campaign.objects.filter(status=Status.SCHEDULED, scheduled_for__lte=now):
        try:
            started += _start(campaign, now)
        except DatabaseError:
            raise
        except Exception as error:
            # The others must not wait behind it, and nobody would ever see it fail again and again.
            log_unforeseen(f"starting campaign {campaign.pk}", error)
            _fail_start(campaign, now, reason_sentence("unexpected"))
    return started


def _start(campaign: Campaign, now: datetime) -> bool:
    try:
        require_sendable(campaign)
    except CheckFailed as problem:
        return _fail_start(campaign, now, problem.message)
    return lifecycle.move(
        campaign_id=campaign.pk, to=Status.QUEUED, source=Status.SCHEDULED, sent_at=now
    )


def _fail_start(campaign: Campaign, now: datetime, reason: str) -> bool:
    # One transaction: nobody may find it queued.
    with transaction.atomic():
        moved = lifecycle.move(
            campaign_id=campaign.pk, to=Status.QUEUED, source=Status.SCHEDULED, sent_at=now
        )
        return moved and lifecycle.move(
            campaign_id=campaign.pk, to=Status.FAILED, status_reason=reason[:300]
        )


def restart_queued() -> int:
    """Enqueue the freezing of queued campaigns again; one under way is not disturbed."""
    queued = list(Campaign.objects.filter(status=Status.QUEUED).values_list("pk", flat=True))
    for campaign_id in queued:
        enqueue(FREEZE_TASK, campaign_id)
    return len(queued)


def freeze_campaign(*, campaign_id: int) -> None:
    """Freeze the whole audience of a queued campaign, then let it send."""
    while freeze_next_batch(campaign_id=campaign_id):
        pass
    campaign = Campaign.objects.filter(pk=campaign_id).first()
    if campaign is None or campaign.status != Status.QUEUED:
        return
    if not campaign.total_targeted:
        lifecycle.move(
            campaign_id=campaign_id,
            to=Status.FAILED,
            status_reason="Nobody was left in the audience when it was to be sent.",
        )
        return
    lifecycle.move(campaign_id=campaign_id, to=Status.SENDING, source=Status.QUEUED)
    wake_senders()


def finish_campaigns() -> int:
    """Complete the sending campaigns in which nothing waits any more; return how many.

    An unconfirmed message that is due for another try holds its campaign up; one that waits for a
    person does not.
    """
    rows = Delivery.objects.filter(campaign=OuterRef("pk"))
    retried = Q(status=Delivery.Status.UNCONFIRMED, channel__in=outbox.retried_channels())
    # One question for each partial index: together they would read every row of the campaign.
    done = Q(
        ~Exists(rows.filter(status=Delivery.Status.PENDING)),
        ~Exists(rows.filter(status=Delivery.Status.SENDING)),
        ~Exists(rows.filter(retried)),
    )
    finished = Campaign.objects.filter(done, status=Status.SENDING).values_list("pk", flat=True)
    return sum(
        lifecycle.move(
            campaign_id=campaign_id,
            to=Status.COMPLETED,
            where=done,
            completed_at=database_now(),
        )
        for campaign_id in list(finished)
    )


def reopen_campaigns() -> int:
    """Let completed campaigns go on in which something waits again; return how many.

    A person may decide to send again in the very instant in which the last other message is done.
    """
    waiting = Delivery.objects.filter(campaign=OuterRef("pk"), status=Delivery.Status.PENDING)
    ids = Campaign.objects.filter(Exists(waiting), status=Status.COMPLETED)
    return sum(
        lifecycle.move(
            campaign_id=campaign_id, to=Status.SENDING, source=Status.COMPLETED, completed_at=None
        )
        for campaign_id in list(ids.values_list("pk", flat=True))
    )
