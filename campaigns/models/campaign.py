"""The campaign: what is said to whom, and how far it is."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from customers.models import Channel, Segment


class Campaign(models.Model):
    """One message to one audience.

    The columns below MACHINE_OWNED are written by conditional updates only, never by ``save()`` of
    a loaded row: a stale form must not take them back.
    """

    class Status(models.TextChoices):
        """Where a campaign is in its life (M-2)."""

        DRAFT = "draft", "Draft"
        SCHEDULED = "scheduled", "Scheduled"
        QUEUED = "queued", "Queued"
        SENDING = "sending", "Sending"
        PAUSED = "paused", "Paused"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    MACHINE_OWNED: ClassVar[frozenset[str]] = frozenset(
        {
            "status",
            "status_reason",
            "sent_at",
            "completed_at",
            "total_targeted",
            "emails_sent",
            "emails_failed",
            "sms_sent",
            "sms_failed",
            "frozen_through",
        }
    )
    # What nobody changes once the campaign has left draft (M-3).
    LOCKED_FIELDS: ClassVar[tuple[str, ...]] = (
        "subject",
        "template_name",
        "email_content",
        "email_text",
        "sms_content",
        "target_all",
        "target_segments",
        "excluded_segments",
        "has_qr_code",
        "qr_expiration_days",
        "max_usage",
    )

    name = models.CharField(max_length=200)
    subject = models.CharField(max_length=250, blank=True)
    template_name = models.CharField(max_length=120, blank=True, help_text="What it was made from.")
    email_content = models.TextField(blank=True, help_text="HTML with placeholders.")
    email_text = models.TextField(
        "plain text of the email", blank=True, help_text="Empty: made from the HTML."
    )
    sms_content = models.TextField(blank=True)
    target_all = models.BooleanField(
        "everyone", default=False, help_text="Write to the whole list."
    )
    target_segments = models.ManyToManyField(Segment, blank=True, related_name="+")
    excluded_segments = models.ManyToManyField(Segment, blank=True, related_name="+")
    has_qr_code = models.BooleanField("with a QR code", default=True)
    qr_expiration_days = models.PositiveIntegerField(
        "valid for (days)",
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text="The code is valid until the end of this many days after it was made.",
    )
    max_usage = models.PositiveIntegerField(
        "uses per code", default=1, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    send_rate_limit_emails = models.PositiveIntegerField(
        "emails a minute",
        default=100,
        validators=[MaxValueValidator(1_000_000)],
        help_text="0: no limit.",
    )
    send_rate_limit_sms = models.PositiveIntegerField(
        "texts a minute",
        default=10,
        validators=[MaxValueValidator(1_000_000)],
        help_text="0: no limit.",
    )
    scheduled_for = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    # The series whose run this is, and when that run was due (M-10); set when it is made.
    series = models.ForeignKey(
        "campaigns.Series",
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="runs",
        db_index=False,  # the unique index over series and run_at serves
    )
    run_at = models.DateTimeField(null=True, editable=False)

    status = models.CharField(
        max_length=10, choices=Status.choices, default=Status.DRAFT, editable=False
    )
    status_reason = models.CharField(max_length=300, blank=True, editable=False)
    sent_at = models.DateTimeField("queued at", null=True, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)
    total_targeted = models.PositiveIntegerField(default=0, editable=False)
    emails_sent = models.PositiveIntegerField(default=0, editable=False)
    emails_failed = models.PositiveIntegerField(default=0, editable=False)
    sms_sent = models.PositiveIntegerField("texts sent", default=0, editable=False)
    sms_failed = models.PositiveIntegerField("texts failed", default=0, editable=False)
    # The audience is frozen up to and with this customer id.
    frozen_through = models.BigIntegerField(default=0, editable=False)

    class Meta:
        ordering = ("-id",)
        permissions = (("send_campaign", "Can send, schedule, pause, resume and cancel campaigns"),)
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["status"], name="campaign_status"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~Q(status="scheduled") | Q(scheduled_for__isnull=False),
                name="campaign_scheduled_has_time",
            ),
            models.CheckConstraint(
                condition=Q(max_usage__gte=1) & Q(qr_expiration_days__gte=1),
                name="campaign_code_usable",
            ),
            models.UniqueConstraint(fields=["series", "run_at"], name="campaign_once_per_run"),
            models.CheckConstraint(
                condition=Q(series=None, run_at=None)
                | Q(series__isnull=False, run_at__isnull=False),
                name="campaign_run_has_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def channels(self) -> list[str]:
        """The channels this campaign has something to say on."""
        contents = {Channel.EMAIL: self.email_content, Channel.SMS: self.sms_content}
        return [channel.value for channel, content in contents.items() if content.strip()]

    @property
    def is_draft(self) -> bool:
        """Whether its content may still be changed."""
        return self.status == self.Status.DRAFT

    @property
    def may_change_audience(self) -> bool:
        """Whether its audience may be changed: in a draft, and to mend one that failed unsent."""
        failed_unsent = self.status == self.Status.FAILED and not self.frozen_through
        return self.is_draft or failed_unsent

    def rate_limit(self, channel: str) -> int:
        """Return messages a minute on ``channel``; 0 is no limit."""
        return self.send_rate_limit_emails if channel == Channel.EMAIL else self.send_rate_limit_sms
