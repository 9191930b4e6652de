"""The forms of the campaign pages; each checks what it reads and writes nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.validators import MinValueValidator
from django.db.models import Count
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns.content.templates import CONTENT_FIELDS, examine_template
from campaigns.editor.stale_form import RemembersWhatWasLoaded
from campaigns.models import Campaign
from campaigns.time_fields import WallTimeField
from customers.models import Segment
from customers.segments import ALL
from qrcodes.models import Offer

# What the campaign form calls a field of the offer.
OFFER_PREFIX = "offer_"
OFFER_FIELDS = (
    "title",
    "value",
    "terms",
    "minimum_amount",
    "starts_at",
    "max_redemptions",
    "max_discount",
)
COLUMNS = frozenset(
    {
        "name",
        *CONTENT_FIELDS,
        "has_qr_code",
        "qr_expiration_days",
        "max_usage",
        "send_rate_limit_emails",
        "send_rate_limit_sms",
    }
)
# The errors of one template that are shown at once.
MOST_ERRORS = 5
AUDIENCE_FIELDS = ("target_all", "target_segments", "excluded_segments")


def add_content_errors(form: forms.BaseForm, cleaned: Mapping[str, Any]) -> None:
    """Name every error of the three templates at its field and line (R-1)."""
    contents = {name: cleaned.get(name) or "" for name in CONTENT_FIELDS}
    if not contents["email_content"].strip() and not contents["sms_content"].strip():
        form.add_error("email_content", "Write an email, a text message, or both.")
    for name, source in contents.items():
        for error in examine_template(source, field=name).errors[:MOST_ERRORS]:
            form.add_error(name, error.message)


class SegmentsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Several segments, each shown with its number of customers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            Segment.objects.annotate(size=Count("customers")),
            required=False,
            widget=UnfoldAdminSelect2MultipleWidget(),
            **options,
        )

    def label_from_instance(self, obj: Any) -> str:
        """Return the name with the size."""
        return f"{obj.name} ({obj.size:,})"


class AudienceForm(forms.ModelForm):  # type: ignore[type-arg]
    """Who a campaign is for."""

    target_segments = SegmentsField(
        label="Segments", help_text="Customers who are in any of these."
    )
    excluded_segments = SegmentsField(
        label="Except", help_text="Customers who are in any of these are left out."
    )

    class Meta:
        model = Campaign
        fields: tuple[str, ...] = AUDIENCE_FIELDS
        widgets: ClassVar[dict[str, Any]] = {"target_all": UnfoldBooleanSwitchWidget}

    def audience(self) -> dict[str, Any]:
        """Return the arguments of ``update_campaign`` and ``create_campaign``."""
        return {
            "target_segments": ALL
            if self.cleaned_data["target_all"]
            else [segment.name for segment in self.cleaned_data["target_segments"]],
            "excluded_segments": [s.name for s in self.cleaned_data["excluded_segments"]],
        }


class CampaignForm(RemembersWhatWasLoaded, AudienceForm):
    """A draft: its message, audience, coupon and rates."""

    offer_title = forms.CharField(
        label="What they get",
        help_text="The headline of the coupon.",
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "20% off every pizza"}),
    )
    offer_value = forms.CharField(
        label="In short",
        max_length=40,
        required=False,
        help_text="What the till shows in large letters: 20% or 5 EUR.",
        widget=UnfoldAdminTextInputWidget(),
    )
    offer_terms = forms.CharField(
        label="Small print",
        max_length=5_000,
        required=False,
        help_text="Shown on the coupon page.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
    offer_minimum_amount = forms.DecimalField(
        label="Minimum bill",
        help_text="Empty: any bill.",
        min_value=0,
        max_digits=10,
        decimal_places=2,
        required=False,
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    offer_starts_at = forms.SplitDateTimeField(
        label="Valid from",
        required=False,
        help_text="Empty: at once.",
        widget=UnfoldAdminSplitDateTimeWidget(),
    )
    offer_max_redemptions = forms.IntegerField(
        label="At most (uses)",
        min_value=1,
        max_value=2_000_000_000,
        required=False,
        help_text="Over all customers. Empty: no limit.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    offer_max_discount = forms.DecimalField(
        label="At most (discount)",
        min_value=0,
        max_digits=10,
        decimal_places=2,
        required=False,
        validators=[MinValueValidator(0.01)],
        help_text="Sum of the discounts entered at the till. Empty: no limit.",
        widget=UnfoldAdminDecimalFieldWidget(),
    )

    class Meta(AudienceForm.Meta):
        fields = (*COLUMNS, *AUDIENCE_FIELDS)
        labels: ClassVar[dict[str, str]] = {
            "email_content": "Email",
            "email_text": "Plain text",
            "sms_content": "Text message",
        }
        help_texts: ClassVar[dict[str, str]] = {
            "subject": "Placeholders work here too.",
            "email_content": "HTML with placeholders. Leave it empty to send texts only.",
            "email_text": "For mail programs without HTML. Empty: made from the email.",
            "sms_content": "Leave it empty to send emails only.",
        }
        widgets: ClassVar[dict[str, Any]] = {
            **AudienceForm.Meta.widgets,
            "email_content": UnfoldAdminTextareaWidget(
                attrs={"class": "hb-editor", "rows": 28, "spellcheck": "false"}
            ),
            "email_text": UnfoldAdminTextareaWidget(attrs={"class": "hb-editor", "rows": 18}),
            "sms_content": UnfoldAdminTextareaWidget(attrs={"class": "hb-editor", "rows": 6}),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        instance = options.get("instance")
        offer = Offer.objects.filter(campaign_id=instance.pk).first() if instance else None
        if offer is not None:
            written = {f"{OFFER_PREFIX}{name}": getattr(offer, name) for name in OFFER_FIELDS}
            options["initial"] = {**written, **(options.get("initial") or {})}
        super().__init__(*args, **options)

    def clean(self) -> dict[str, Any]:
        """Name every error of the three templates at its field and line (R-1)."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        add_content_errors(self, cleaned)
        if cleaned.get("has_qr_code") and not cleaned.get("offer_title", "").strip():
            self.add_error("offer_title", "Say what the coupon is worth: customers see this.")
        return cleaned

    def changes(self) -> dict[str, Any]:
        """Return the arguments of ``update_campaign`` for what this person changed."""
        changed = set(self.changed_data)
        offer_changed = any(name.startswith(OFFER_PREFIX) for name in changed)
        audience = self.audience() if changed & set(AUDIENCE_FIELDS) else {}
        return {
            "fields": self._columns(changed),
            "offer": self.offer() if offer_changed else None,
            **audience,
        }

    def content(self) -> dict[str, Any]:
        """Return the arguments of ``create_campaign``."""
        return {
            "fields": self._columns(set(self.cleaned_data)),
            "offer": self.offer() if self.cleaned_data["offer_title"] else {},
            **self.audience(),
        }

    def offer(self) -> dict[str, Any]:
        """Return the terms of the offer under the names of its fields."""
        return {name: self.cleaned_data[f"{OFFER_PREFIX}{name}"] for name in OFFER_FIELDS}

    def _columns(self, names: set[str]) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in names & COLUMNS}


class RunningCampaignForm(forms.ModelForm):  # type: ignore[type-arg]
    """What may still be changed once a campaign has left draft (M-3)."""

    class Meta:
        model = Campaign
        fields = ("name", "send_rate_limit_emails", "send_rate_limit_sms")

    def changes(self) -> dict[str, Any]:
        """Return the arguments of ``update_campaign`` for what this person changed."""
        return {"fields": {name: self.cleaned_data[name] for name in self.changed_data}}


class ScheduleForm(forms.Form):
    """When a campaign is to be sent, in the business's time zone."""

    at = WallTimeField(
        label="Send at",
        widget=UnfoldAdminSplitDateTimeWidget(),
        error_messages={"required": "Choose the day and the time."},
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["at"].help_text = f"By the clock of {settings.TIME_ZONE}."

    def clean_at(self) -> datetime:
        """Refuse a time that has passed."""
        at: datetime = self.cleaned_data["at"]
        if at <= timezone.now():
            raise forms.ValidationError("This time has passed: choose a later one.")
        return at


class TestSendForm(forms.Form):
    """Where a test goes."""

    __test__ = False  # pytest would take it for a test class

    addresses = forms.CharField(
        label="Email addresses and phone numbers",
        help_text="One a line, or separated by commas.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        error_messages={"required": "Type at least one email address or phone number."},
    )

    def clean_addresses(self) -> list[str]:
        """Return the addresses as they were typed."""
        parts = self.cleaned_data["addresses"].replace(",", "\n").replace(";", "\n").split("\n")
        return [part.strip() for part in parts if part.strip()]


class CustomerSearchForm(forms.Form):
    """Finds the customer a preview is filled in as; sent by POST, for it may hold an address."""

    q = forms.CharField(
        label="Show as",
        max_length=254,
        required=False,
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "Name, full email or full phone number", "type": "search"}
        ),
    )
