"""What a confirm page said will be queued, handed back when Send is pressed (P-1).

Counting fifty thousand customers under a frequency cap takes longer than Send may.
"""

from django.core import signing

from campaigns.audience import AudienceCounts, count_audience
from campaigns.models import Campaign

_SALT = "campaigns.counted"
# So long a count is as true as one that is made now: the workers count once more anyway.
COUNTED_SECONDS = 120


def seal_counts(*, campaign: Campaign, counts: AudienceCounts, shown: str) -> str:
    """Return the sentence of the counts, signed for this campaign as it is shown."""
    sentence = counts.queued_sentence(with_codes=campaign.has_qr_code)
    return signing.dumps([campaign.pk, shown, sentence], salt=_SALT)


def queued_sentence(*, campaign: Campaign, shown: str, sealed: str) -> str:
    """Return what Send queues: as it was just shown, else counted anew."""
    try:
        number, seen, sentence = signing.loads(sealed, salt=_SALT, max_age=COUNTED_SECONDS)
    except signing.BadSignature:
        number = seen = sentence = None
    if sentence is None or (number, seen) != (campaign.pk, shown):
        return count_audience(campaign).queued_sentence(with_codes=campaign.has_qr_code)
    return str(sentence)
