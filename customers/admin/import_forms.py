"""The forms of an import: the file, then what its columns are."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from config.errors import DomainError
from customers.imports.mapping import FIELDS, Mapping, attribute_for, check_mapping, is_attribute
from customers.imports.preview_list import Column
from customers.models import Channel, CustomerImport
from customers.segments import parse_tags

AS_ATTRIBUTE = "attribute"
CONSENT = {f"consent_{channel}": channel for channel in Channel.values}


class UploadForm(forms.Form):
    """The list to import."""

    file = forms.FileField(
        label="CSV file",
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv", "class": "hb-file"}),
    )

    def clean_file(self) -> Any:
        """Refuse a file that is too large."""
        file = self.cleaned_data["file"]
        if (file.size or 0) > settings.IMPORT_MAX_BYTES:
            raise ValidationError(too_large())
        return file


def too_large() -> str:
    """Return the sentence about a file that is too large."""
    limit = settings.IMPORT_MAX_BYTES / 1_000_000
    return f"The file is larger than {limit:g} MB: split it, or use the command import_customers."


class ColumnsForm(forms.Form):
    """What each column is, tags for everyone, and consent where the file does not tell."""

    tags = forms.CharField(
        label="Tags for everyone in the file",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Separated by commas. Tags are added, none is taken away.",
    )
    consent_email = forms.BooleanField(
        label="Everyone in this file has agreed to get emails from us",
        required=False,
        widget=UnfoldBooleanWidget,
    )
    consent_sms = forms.BooleanField(
        label="Everyone in this file has agreed to get texts from us",
        required=False,
        widget=UnfoldBooleanWidget,
    )

    def __init__(
        self,
        data: Any = None,
        *,
        customer_import: CustomerImport,
        columns: list[Column],
    ) -> None:
        initial: dict[str, Any] = {
            "tags": ", ".join(customer_import.tags),
            **{name: channel in customer_import.consent for name, channel in CONSENT.items()},
        }
        for field, positions in customer_import.mapping.items():
            for position in positions:
                initial[f"column_{position}"] = AS_ATTRIBUTE if is_attribute(field) else field
        super().__init__(data, initial=initial)
        self.columns = columns
        for column in columns:
            self.fields[f"column_{column.position}"] = forms.ChoiceField(
                label=column.name or f"Column {column.position + 1}",
                required=False,
                choices=[
                    ("", "Leave out"),
                    *FIELDS.items(),
                    (AS_ATTRIBUTE, f"Keep as {_attribute(column.name)}"),
                ],
                widget=UnfoldAdminSelectWidget,
            )

    def rows(self) -> list[tuple[Column, forms.BoundField]]:
        """Return each column with the field that says what it is."""
        return [(column, self[f"column_{column.position}"]) for column in self.columns]

    def clean_tags(self) -> list[str]:
        """Return the tags."""
        try:
            return parse_tags(self.cleaned_data["tags"])
        except DomainError as error:
            raise ValidationError(error.message, code=error.code) from None

    def clean(self) -> dict[str, Any]:
        """Refuse a choice that names nobody, or the same field twice."""
        cleaned = super().clean() or self.cleaned_data
        try:
            check_mapping(self.mapping())
        except DomainError as error:
            raise ValidationError(error.message, code=error.code) from None
        return cleaned

    def mapping(self) -> Mapping:
        """Return which field is filled by which columns."""
        mapping: Mapping = {}
        for column in self.columns:
            field = self.cleaned_data.get(f"column_{column.position}") or ""
            if field == AS_ATTRIBUTE:
                field = _attribute(column.name)
            if field:
                mapping.setdefault(field, []).append(column.position)
        return mapping

    def consent(self) -> list[str]:
        """Return the channels for which consent is stated."""
        return [channel for name, channel in CONSENT.items() if self.cleaned_data.get(name)]


def _attribute(name: str) -> str:
    return name if is_attribute(name) else attribute_for(name)
