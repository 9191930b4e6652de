"""Form fields for times by the clock on the wall of the business."""

from datetime import datetime
from typing import Any

from django import forms

from config.errors import DomainError
from config.times import read_wall_time


class WallTimeField(forms.SplitDateTimeField):
    """A day and a time of the business; the value is the moment, in UTC.

    A time that clocks jump over is refused with a sentence that says which one to choose; one that
    comes twice is the first. (Django refuses both, without saying why.)
    """

    def compress(self, data_list: Any) -> datetime | None:
        """Return the moment of a day and a time."""
        if not data_list:
            return None
        day, at = data_list
        if day in self.empty_values:
            raise forms.ValidationError(self.error_messages["invalid_date"], code="invalid_date")
        if at in self.empty_values:
            raise forms.ValidationError(self.error_messages["invalid_time"], code="invalid_time")
        try:
            return read_wall_time(datetime.combine(day, at)).moment
        except DomainError as refused:
            raise forms.ValidationError(refused.message, code=refused.code) from None
