"""The form about series; it checks what it reads and writes nothing."""

from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.utils.formats import date_format
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns.models import Series
from campaigns.series.make_series import LONGEST_NAME
from campaigns.series.recurrence import LAST_DAY, WEEKDAY_NAMES
from campaigns.series.rules import MOST_RUNS, Repetition

Frequency = Series.Frequency


# A month of 31 days, to name its days by.
_DAYS = [(day, date_format(date(2024, 1, day), "jS")) for day in range(1, LAST_DAY)]


class SeriesForm(forms.Form):
    """What a series is called and when it runs, by the business's clock."""

    name = forms.CharField(
        label="Name",
        max_length=LONGEST_NAME,
        help_text="Each run is called after it, with its day.",
        widget=UnfoldAdminTextInputWidget(),
        error_messages={"required": "Give the series a name."},
    )
    frequency = forms.ChoiceField(
        label="Repeat", choices=Frequency.choices, widget=forms.RadioSelect
    )
    weekdays = forms.TypedMultipleChoiceField(
        label="On",
        choices=list(enumerate(WEEKDAY_NAMES, start=1)),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    month_day = forms.TypedChoiceField(
        label="Day of the month",
        choices=[*_DAYS, (LAST_DAY, "Last day")],
        coerce=int,
        empty_value=None,
        required=False,
        help_text="A month that is too short runs on its last day.",
        widget=UnfoldAdminSelectWidget(),
    )
    at = forms.TimeField(
        label="At",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "time"}),
        error_messages={"required": "Choose the time of day."},
    )
    starts_on = forms.DateField(
        label="From",
        help_text="The first day on which it may run.",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        error_messages={"required": "Choose the first day."},
    )
    ends_on = forms.DateField(
        label="Until",
        required=False,
        help_text="The last day on which it may run. Empty: no last day.",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
    )
    most_runs = forms.IntegerField(
        label="Number of runs",
        min_value=1,
        max_value=MOST_RUNS,
        required=False,
        help_text="Empty: any number. A missed run does not count.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["at"].help_text = f"By the clock of {settings.TIME_ZONE}."

    def clean(self) -> dict[str, Any]:
        """Ask for the days of the chosen frequency, and for no others."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("frequency") == Frequency.WEEKLY and not cleaned.get("weekdays"):
            self.add_error("weekdays", "Choose at least one day of the week.")
        if cleaned.get("frequency") == Frequency.MONTHLY and cleaned.get("month_day") is None:
            self.add_error("month_day", "Choose the day of the month.")
        starts, ends = cleaned.get("starts_on"), cleaned.get("ends_on")
        if starts and ends and ends < starts:
            self.add_error("ends_on", "The last day comes before the first one.")
        return cleaned

    def repetition(self) -> Repetition:
        """Return when it is to run, from a form that is valid."""
        given = self.cleaned_data
        weekly = given["frequency"] == Frequency.WEEKLY
        return Repetition(
            at=given["at"],
            starts_on=given["starts_on"],
            weekdays=given["weekdays"] if weekly else (),
            month_day=None if weekly else given["month_day"],
            ends_on=given["ends_on"],
            most_runs=given["most_runs"],
        )


def written(series: Series) -> dict[str, Any]:
    """Return what the form shows of a series that is there."""
    return {
        "name": series.name,
        "frequency": series.frequency,
        "weekdays": [int(digit) for digit in series.weekdays],
        "month_day": series.month_day,
        "at": f"{series.at:%H:%M}",
        "starts_on": series.starts_on,
        "ends_on": series.ends_on,
        "most_runs": series.most_runs,
    }
