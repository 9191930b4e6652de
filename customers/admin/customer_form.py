"""The form of one customer: addresses in clear while it is open, tags and consent beside them."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from config.errors import DomainError
from customers.contact import normalise_email, normalise_phone, refuse_address
from customers.encryption import DecryptionError
from customers.imports.cleaning import clean_text, tidy_text
from customers.models import Channel, Customer, CustomerQuerySet
from customers.segments import parse_tags

STORED = ("first_name", "last_name", "external_id", "language", "time_zone", "attributes")
COLUMNS = frozenset({*STORED, "email", "phone"})
TAKES = {"takes_email": Channel.EMAIL.value, "takes_sms": Channel.SMS.value}
UNREADABLE = (
    "It cannot be read: its key is missing from FIELD_ENCRYPTION_KEYS. It stays as it is until the "
    "key is back."
)


class CustomerForm(forms.ModelForm):  # type: ignore[type-arg]
    """What staff may change about a customer."""

    email = forms.CharField(required=False, max_length=254, widget=UnfoldAdminEmailInputWidget)
    phone = forms.CharField(
        required=False,
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "In any form"}),
    )
    tag_names = forms.CharField(
        label="Tags",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Separated by commas, such as regulars, inactive-6months.",
    )
    takes_email = forms.BooleanField(
        label="Takes emails", required=False, widget=UnfoldBooleanSwitchWidget
    )
    takes_sms = forms.BooleanField(
        label="Takes texts", required=False, widget=UnfoldBooleanSwitchWidget
    )

    class Meta:
        model = Customer
        fields = STORED
        labels: ClassVar = {"external_id": "Number at the till", "attributes": "More about them"}
        help_texts: ClassVar = {
            "external_id": "The customer's number in your till system, if they have one.",
            "attributes": "Names and values in this form: {&quot;favourite&quot;: "
            "&quot;Margherita&quot;}. A message shows one as {{ customer.attributes.favourite }}.",
            "language": "A short code: en, de, pt-BR.",
            "time_zone": "Where they live, such as Europe/Berlin: texts keep to the day there.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            return
        for name in ("email", "phone"):
            try:
                self.initial[name] = getattr(self.instance, name)
            except DecryptionError:
                self.fields[name].disabled = True
                self.fields[name].help_text = UNREADABLE
        tags = self.instance.tags.order_by("name").values_list("name", flat=True)
        self.initial["tag_names"] = ", ".join(tags)
        for name, channel in TAKES.items():
            self.initial[name] = getattr(self.instance, f"{channel}_subscribed")

    def _clean_address(
        self,
        name: str,
        normalise: Callable[[str], str],
        owners: Callable[[str], CustomerQuerySet],
    ) -> str:
        typed = self.cleaned_data[name]
        address = _or_invalid(normalise, typed) if typed.strip() else ""
        if address and owners(address).exclude(pk=self.instance.pk).exists():
            raise ValidationError(
                f"Another customer has this {name}: search for it to find them.", code="taken"
            )
        return address

    def clean_email(self) -> str:
        """Return the address in its normal form."""
        return self._clean_address("email", normalise_email, Customer.objects.all().with_email)

    def clean_phone(self) -> str:
        """Return the number in E.164."""
        return self._clean_address("phone", normalise_phone, Customer.objects.all().with_phone)

    def clean_tag_names(self) -> list[str]:
        """Return the tags."""
        tags: list[str] = _or_invalid(parse_tags, self.cleaned_data["tag_names"])
        return tags

    def _clean_text(self, name: str) -> str:
        text = tidy_text(self.cleaned_data[name] or "")
        return _or_invalid(lambda typed: clean_text(name, typed), text) if text else ""

    def clean_language(self) -> str:
        """Return a code such as pt-BR."""
        return self._clean_text("language")

    def clean_time_zone(self) -> str:
        """Return a name such as Europe/Berlin."""
        return self._clean_text("time_zone")

    def clean_attributes(self) -> dict[str, Any]:
        """Return the attributes, which must have names."""
        attributes = self.cleaned_data["attributes"] or {}
        if not isinstance(attributes, dict):
            raise ValidationError('Write names and values, such as {"favourite": "Margherita"}.')
        return attributes

    def clean(self) -> dict[str, Any]:
        """Refuse a customer without an address, and addresses where they would be in clear."""
        cleaned = super().clean() or self.cleaned_data
        phone = cleaned.get("phone") or ""
        in_clear = {
            "first_name": [cleaned.get("first_name")],
            "last_name": [cleaned.get("last_name")],
            "external_id": [cleaned.get("external_id")],
            "attributes": _texts_in(cleaned.get("attributes")),
        }
        for name, texts in in_clear.items():
            for text in filter(None, texts):
                try:
                    refuse_address(str(text), label=name.replace("_", " "), phone=phone)
                except DomainError as error:
                    self.add_error(name, error.message)
                    break
        given = any(cleaned.get(name) or self.fields[name].disabled for name in ("email", "phone"))
        if not given and not self.errors:
            raise ValidationError("Give an email address or a phone number.", code="no_address")
        return cleaned

    def changes(self) -> dict[str, Any]:
        """Return the columns that were changed, addresses as ``email`` and ``phone``."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in COLUMNS}

    def tags(self) -> list[str] | None:
        """Return the tags, or None when they were not touched."""
        return self.cleaned_data["tag_names"] if "tag_names" in self.changed_data else None

    def consent(self) -> dict[str, bool]:
        """Return the channels whose switch was moved, and to what."""
        return {
            channel: self.cleaned_data[name]
            for name, channel in TAKES.items()
            if name in self.changed_data
        }


def _or_invalid(clean: Callable[[str], Any], typed: str) -> Any:
    try:
        return clean(typed)
    except DomainError as error:
        raise ValidationError(error.message, code=error.code) from None


def _texts_in(value: Any) -> Iterator[str]:
    """Yield every name and value inside JSON values."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts_in(inner)
    elif value is not None:
        yield str(value)
