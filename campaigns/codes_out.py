"""How many customers hold a code of a campaign."""

from campaigns.models import Campaign, Delivery


def codes_out(campaign: Campaign) -> int:
    """Return how many customers a message with their code has left for, or may have.

    Codes are saved a chunk ahead of their messages: one whose message never left is not out.
    """
    if not campaign.has_qr_code:
        return 0
    left = (Delivery.Status.SENT, Delivery.Status.UNCONFIRMED)
    rows = Delivery.objects.filter(campaign=campaign, status__in=left)
    return rows.values("customer").distinct().count()
