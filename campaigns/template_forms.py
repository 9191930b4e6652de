"""The forms about templates; each checks what it reads and writes nothing."""

from typing import Any, ClassVar

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from campaigns.editor.stale_form import RemembersWhatWasLoaded
from campaigns.forms import CampaignForm, add_content_errors
from campaigns.models import MessageTemplate
from campaigns.save_template import FIELDS, LONGEST_NAME


class MessageTemplateForm(RemembersWhatWasLoaded, forms.ModelForm):  # type: ignore[type-arg]
    """A template: what it says, and the coupon that it suggests."""

    class Meta:
        model = MessageTemplate
        fields = FIELDS
        labels = CampaignForm.Meta.labels
        help_texts: ClassVar[dict[str, str]] = {
            **CampaignForm.Meta.help_texts,
            "offer_title": "The headline of the coupon. Every campaign can still change it.",
            "offer_value": "What the till shows in large letters: 20% or 5 EUR.",
            "offer_terms": "Shown on the coupon page.",
        }
        error_messages: ClassVar[dict[str, dict[str, str]]] = {
            "name": {"unique": "There is a template of this name already: choose another name."}
        }
        widgets: ClassVar[dict[str, Any]] = {
            "name": UnfoldAdminTextInputWidget,
            "subject": UnfoldAdminTextInputWidget,
            "email_content": CampaignForm.Meta.widgets["email_content"],
            "email_text": CampaignForm.Meta.widgets["email_text"],
            "sms_content": CampaignForm.Meta.widgets["sms_content"],
            "offer_title": UnfoldAdminTextInputWidget,
            "offer_value": UnfoldAdminTextInputWidget,
            "offer_terms": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        }

    def clean(self) -> dict[str, Any]:
        """Check the messages as the campaign form does."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        add_content_errors(self, cleaned)
        return cleaned


class TemplateNameForm(forms.Form):
    """The name to keep a campaign's message under."""

    name = forms.CharField(
        label="Name of the template",
        max_length=LONGEST_NAME,
        widget=UnfoldAdminTextInputWidget(),
        error_messages={"required": "Give the template a name."},
    )
