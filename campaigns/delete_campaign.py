"""Deletes a draft, with the codes of its test sends (M-4)."""

from django.db import transaction

from campaigns.models import Campaign
from campaigns.series.originals import require_no_original
from config.errors import DomainError
from qrcodes.models import QRCode, ScanAttempt


def delete_draft(*, campaign_id: int) -> None:
    """Delete a draft for good.

    Raises DomainError ``wrong_state`` for a campaign that is none, ``original_of_series`` for one
    that a series sends copies of.
    """
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().filter(pk=campaign_id).first()
        if campaign is None or not campaign.is_draft:
            raise DomainError(
                "wrong_state",
                "Only drafts can be deleted: what was sent stays, and so do its figures.",
            )
        require_no_original(campaign_id=campaign_id, wanted="deleted")
        # A draft has no codes but those of test sends; scans of them stay as history.
        codes = QRCode.objects.filter(campaign_id=campaign_id, is_test=True)
        ScanAttempt.objects.filter(qr_code__in=codes).update(qr_code=None)
        codes.delete()
        campaign.delete()
