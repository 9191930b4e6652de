"""The forms of the library; each checks what it reads and writes nothing."""

from collections.abc import Callable
from pathlib import PurePath
from typing import Any, ClassVar

from django import forms
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns.content.pictures import LONGEST_NAME
from campaigns.images.add_image import LONGEST_ALT, checked_alt, free_name
from campaigns.images.clean_picture import MAX_BYTES, clean_picture, file_too_large
from campaigns.models import Image
from config.errors import DomainError

ACCEPTED = "image/png,image/jpeg,image/gif,image/webp"


class DescriptionForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a picture shows, and another file for it."""

    file = forms.FileField(
        label="Another picture",
        required=False,
        allow_empty_file=True,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ACCEPTED}),
        help_text="Drafts and templates show the new one. What was sent or scheduled keeps the old "
        "one.",
    )

    class Meta:
        model = Image
        fields: ClassVar[tuple[str, ...]] = ("alt", "is_decoration")
        widgets: ClassVar[dict[str, Any]] = {
            "alt": UnfoldAdminTextInputWidget(attrs={"maxlength": LONGEST_ALT}),
            "is_decoration": UnfoldBooleanSwitchWidget,
        }
        labels: ClassVar[dict[str, str]] = {
            "alt": "What it shows",
            "is_decoration": "It is decoration",
        }
        help_texts: ClassVar[dict[str, str]] = {
            "alt": "What would you tell somebody who cannot see it? Many mail programs show these "
            "words until pictures are allowed: “A Margherita pizza, 20% off”.",
            "is_decoration": "A line or a pattern that says nothing: there is nothing to tell.",
        }

    def clean(self) -> dict[str, Any]:
        """Check the description, and what the file is by its content."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        decoration = bool(cleaned.get("is_decoration"))
        if "alt" in cleaned:
            self._read("alt", lambda: checked_alt(cleaned["alt"], is_decoration=decoration))
        if cleaned.get("file") is not None:
            self._read("file", lambda: clean_picture(_content_of(cleaned["file"])))
        return cleaned

    def _read(self, field: str, read: Callable[[], object]) -> None:
        """Put what the use case makes of a field in its place, or its refusal beside it."""
        try:
            self.cleaned_data[field] = read()
        except DomainError as error:
            self.add_error(field, error.message)


class UploadForm(DescriptionForm):
    """A picture for the library."""

    name = forms.CharField(
        label="Name",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"maxlength": LONGEST_NAME}),
        help_text="Short, such as summer-pizza: messages call the picture by it, so it stays. "
        "Leave it empty to take the file’s name.",
    )

    class Meta(DescriptionForm.Meta):
        fields: ClassVar[tuple[str, ...]] = ("name", "alt", "is_decoration")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        file = self.fields["file"]
        megabytes = MAX_BYTES // 1_000_000
        file.required, file.label = True, "Picture"
        file.help_text = (
            f"PNG, JPEG, GIF or WebP, up to {megabytes} MB. It is made small enough for emails, "
            "and the place where it was taken is removed."
        )
        file.error_messages["required"] = f"Choose a picture of up to {megabytes} MB."

    def clean(self) -> dict[str, Any]:
        """Check the name, too: it is the file's where none was typed."""
        typed = self.cleaned_data.get("name") or ""
        file = self.cleaned_data.get("file")
        name = typed or (PurePath(file.name or "").stem if file is not None else "")
        if "name" in self.cleaned_data and (name or file is not None):
            self._read("name", lambda: free_name(name))
        return super().clean()

    def validate_unique(self) -> None:
        """Leave it to ``free_name``."""


def _content_of(file: Any) -> bytes:
    if (file.size or 0) > MAX_BYTES:
        raise file_too_large()
    content: bytes = file.read()
    return content
