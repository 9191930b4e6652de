"""A campaign that repeats: every run is a campaign of its own, copied from one draft (M-10)."""

from typing import ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q


class SeriesQuerySet(models.QuerySet["Series"]):
    """Questions one asks about series."""

    def living(self) -> Self:
        """Keep those that have not ended."""
        return self.exclude(state=Series.State.ENDED)


class Series(models.Model):
    """A rule by which copies of a draft, the original, are sent.

    Days and times are those of the business's time zone; ``next_run_at`` was worked out in
    ``time_zone``. From ``state`` on, columns are written by the use cases of ``campaigns.series``
    in conditional updates or under a lock, never by ``save()`` of a loaded row.
    """

    class Frequency(models.TextChoices):
        """How often it runs."""

        WEEKLY = "weekly", "Every week"
        MONTHLY = "monthly", "Every month"

    class State(models.TextChoices):
        """Whether it goes on by itself."""

        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        ENDED = "ended", "Ended"

    class Trouble(models.TextChoices):
        """What became of the last run when it was not sent."""

        MISSED = "missed", "Missed"
        NOT_SENT = "not_sent", "Not sent"  # its copy is kept as a draft
        NOT_MADE = "not_made", "Not made"

    name = models.CharField(max_length=180)
    original = models.ForeignKey(
        "campaigns.Campaign", null=True, on_delete=models.SET_NULL, related_name="series_of"
    )
    frequency = models.CharField(max_length=7, choices=Frequency.choices)
    weekdays = models.CharField(
        max_length=7, blank=True, help_text="Digits in order: 1 is Monday, 7 Sunday."
    )
    month_day = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text="A shorter month runs on its last day, so 31 is the last day of every month.",
    )
    at = models.TimeField("time of day")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    most_runs = models.PositiveIntegerField(
        "number of runs", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    state = models.CharField(max_length=6, choices=State.choices, default=State.ACTIVE)
    state_reason = models.CharField(max_length=200, blank=True)
    time_zone = models.CharField(max_length=64)
    next_run_at = models.DateTimeField("next run", null=True)
    last_run_at = models.DateTimeField(
        "last run", null=True, help_text="When it was due; missed ones count too."
    )
    runs_made = models.PositiveIntegerField(default=0)
    trouble = models.CharField(max_length=8, choices=Trouble.choices, blank=True)
    last_error = models.CharField(max_length=500, blank=True)

    objects = SeriesQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "series"
        ordering = ("-id",)
        default_permissions = ("add", "change", "view")  # it ends, and stays as history
        indexes: ClassVar[list[models.Index]] = [
            # What every tick asks.
            models.Index(
                fields=["next_run_at"], condition=Q(state="active"), name="series_next_run"
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["original"],
                condition=~Q(state="ended"),
                name="series_once_per_original",
            ),
            models.CheckConstraint(
                condition=Q(state="active", next_run_at__isnull=False)
                | (~Q(state="active") & Q(next_run_at=None)),
                name="series_active_has_next_run",
            ),
            models.CheckConstraint(
                condition=Q(state="ended") | Q(original__isnull=False),
                name="series_living_has_original",
            ),
            models.CheckConstraint(
                condition=(Q(frequency="weekly", month_day=None) & ~Q(weekdays=""))
                | Q(frequency="monthly", weekdays="", month_day__gte=1, month_day__lte=31),
                name="series_has_days",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_living(self) -> bool:
        """Whether it may still run."""
        return self.state != self.State.ENDED

    @property
    def runs_left(self) -> int | None:
        """How many runs it may still make; None is any number."""
        return None if self.most_runs is None else max(self.most_runs - self.runs_made, 0)
