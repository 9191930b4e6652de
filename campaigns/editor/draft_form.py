"""Reads a message while it is being written: whatever cannot be read yet is taken as empty."""

from typing import Any

from django import forms

from campaigns.content.templates import CONTENT_FIELDS
from campaigns.editor.draft import Draft
from campaigns.forms import OFFER_FIELDS, OFFER_PREFIX, CampaignForm
from campaigns.models import Campaign
from qrcodes.models import Offer

DEFAULT_DAYS = 30
MOST_SEGMENTS = 500


def _written() -> forms.CharField:
    return forms.CharField(required=False, strip=False)


class DraftForm(forms.Form):
    """The fields of the campaign and template forms that a preview shows."""

    name = _written()
    subject = _written()
    email_content = _written()
    email_text = _written()
    sms_content = _written()
    has_qr_code = forms.BooleanField(required=False)
    qr_expiration_days = forms.IntegerField(required=False, min_value=1, max_value=3650)
    target_all = forms.BooleanField(required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in OFFER_FIELDS:
            self.fields[f"{OFFER_PREFIX}{name}"] = CampaignForm.base_fields[f"{OFFER_PREFIX}{name}"]

    def draft(self) -> Draft:
        """Return what was written so far; never fails and saves nothing."""
        self.is_valid()
        values = self.cleaned_data
        campaign = Campaign(
            name=values.get("name") or "",
            has_qr_code=bool(values.get("has_qr_code")),
            qr_expiration_days=values.get("qr_expiration_days") or DEFAULT_DAYS,
            **{field: values.get(field) or "" for field in CONTENT_FIELDS},
        )
        offer = {name: values.get(f"{OFFER_PREFIX}{name}") for name in OFFER_FIELDS}
        texts = {name: offer[name] or "" for name in ("title", "value", "terms")}
        return Draft(
            campaign=campaign,
            offer=Offer(**{**offer, **texts}),
            everyone=bool(values.get("target_all")),
            segments=self._ids("target_segments"),
            excluded=self._ids("excluded_segments"),
        )

    def _ids(self, name: str) -> list[int]:
        chosen = self.data.getlist(name) if hasattr(self.data, "getlist") else []
        return [
            int(text)
            for text in chosen[:MOST_SEGMENTS]
            if text.isascii() and text.isdigit() and len(text) <= 18
        ]
