"""``campaign_status [ID]``: how far campaigns are."""

import time
from typing import Any

from django.core.management.base import CommandParser

from campaigns.management.commands._campaigns import CampaignCommand, get_campaign
from campaigns.models import Campaign
from campaigns.notices import Notice
from campaigns.progress import RUNNING, Progress, progress_of
from campaigns.standstill import notices_for

BAR_WIDTH = 30


class Command(CampaignCommand):
    help = "Show how far campaigns are; all of them without an id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, nargs="?")
        parser.add_argument("--watch", action="store_true", help="Draw a live progress bar.")

    def run(self, **options: Any) -> None:
        if options["watch"]:
            self._watch(options["id"])
            return
        if options["id"] is not None:
            progress = progress_of([get_campaign(options["id"])])
        else:
            progress = progress_of(Campaign.objects.all())
        if options["json"]:
            figures = [one.as_dict() for one in progress]
            self.print_json(figures if options["id"] is None else figures[0])
            return
        notices = notices_for([one.campaign for one in progress])
        for one in progress:
            self.stdout.write(_line(one))
            self._write(notices[one.campaign.pk])
        if not progress:
            self.stdout.write("There are no campaigns yet: see create_campaign.")

    def _watch(self, campaign_id: int | None) -> None:
        while True:
            campaigns = (
                [get_campaign(campaign_id)]
                if campaign_id is not None
                else list(Campaign.objects.filter(status__in=RUNNING))
            )
            lines = [_line(one) for one in progress_of(campaigns)]
            self.stdout.write("\r\x1b[2K" + "   ".join(lines), ending="")
            self.stdout.flush()
            if not any(campaign.status in RUNNING for campaign in campaigns):
                self.stdout.write("")
                for notices in notices_for(campaigns).values():
                    self._write(notices)
                return
            time.sleep(1)

    def _write(self, notices: list[Notice]) -> None:
        for notice in notices:
            self.stdout.write(f"  {notice.sentence}")


def _line(progress: Progress) -> str:
    campaign = progress.campaign
    filled = progress.percent * BAR_WIDTH // 100
    bar = "█" * filled + "░" * (BAR_WIDTH - filled)
    label = campaign.get_status_display()
    line = f"{campaign.pk} {campaign.name}: {label} {bar} {progress.done:,} / {progress.total:,}"
    if campaign.status in RUNNING and progress.seconds_left:
        line += f", {progress.seconds_left} s left"
    return line
