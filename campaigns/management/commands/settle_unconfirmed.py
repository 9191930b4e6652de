"""``settle_unconfirmed ID --as again|sent|failed``: decide what nobody else can know (D-6)."""

from typing import Any

from django.core.management.base import CommandParser

from campaigns.delivery.outbox import Decision
from campaigns.lifecycle import decide_unconfirmed
from campaigns.management.commands._campaigns import CampaignCommand, get_campaign
from campaigns.unconfirmed import done_sentence
from customers.models import Channel


class Command(CampaignCommand):
    help = "Settle the messages of a campaign that may or may not have arrived."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int)
        parser.add_argument(
            "--as",
            dest="decision",
            required=True,
            choices=[decision.value for decision in Decision],
            help="again: send them again, a second one may arrive; sent: count them as sent; "
            "failed: give them up.",
        )
        parser.add_argument(
            "--channel", default="", choices=Channel.values, help="Only the messages of this one."
        )

    def run(self, **options: Any) -> None:
        campaign, decision = get_campaign(options["id"]), Decision(options["decision"])
        settled = decide_unconfirmed(
            campaign_id=campaign.pk, decision=decision, channel=options["channel"]
        )
        if not options["json"]:
            self.stdout.write(done_sentence(decision, settled, options["channel"]))
            return
        campaign.refresh_from_db()
        self.print_json(
            {
                "id": campaign.pk,
                "status": campaign.status,
                "settled": settled,
                "as": decision.value,
            }
        )
