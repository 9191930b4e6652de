"""The outbox: one row per campaign, customer and channel is the task for that customer (D-1)."""

import uuid
from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from campaigns.models.campaign import Campaign
from customers.models import Channel, Customer


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Questions one asks about deliveries."""

    def due(self, now: datetime) -> Self:
        """Keep those that wait and may leave at ``now``."""
        return self.filter(status=Delivery.Status.PENDING, not_before__lte=now)

    def in_lane(self, campaign_id: int, channel: str) -> Self:
        """Keep those of one campaign and channel."""
        return self.filter(campaign_id=campaign_id, channel=channel)


class Delivery(models.Model):
    """One message to one customer on one channel.

    Only ``delivery/outbox/`` changes its status.
    """

    class Status(models.TextChoices):
        """How far it is."""

        PENDING = "pending", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        SKIPPED = "skipped", "Skipped"
        UNCONFIRMED = "unconfirmed", "Unconfirmed"
        CANCELLED = "cancelled", "Cancelled"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # No index of their own: delivery_once and delivery_customer begin with them, and every further
    # index makes freezing an audience slower.
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    channel = models.CharField(max_length=5, choices=Channel.choices)
    step = models.PositiveSmallIntegerField(default=0)
    status = models.CharField(max_length=11, choices=Status.choices, default=Status.PENDING)
    code = models.CharField("reason", max_length=40, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField()
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    call_started_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    provider_id = models.CharField(max_length=120, blank=True)
    # When the provider first reported on it: then it has it, whatever the call said (D-6).
    confirmed_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True)
    bounced_at = models.DateTimeField(null=True)
    bounce_code = models.CharField("why it came back", max_length=40, blank=True)
    matched_segments = models.JSONField(default=list)
    created_at = models.DateTimeField()

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        verbose_name_plural = "deliveries"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["campaign", "customer", "channel", "step"], name="delivery_once"
            ),
            models.CheckConstraint(
                condition=(
                    Q(status="sending")
                    & Q(lease_token__isnull=False)
                    & Q(lease_until__isnull=False)
                )
                | (~Q(status="sending") & Q(lease_token=None) & Q(lease_until=None)),
                name="delivery_lease_while_sending",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["campaign", "channel", "not_before", "id"],
                condition=Q(status="pending"),
                name="delivery_pending",
            ),
            models.Index(
                fields=["lease_until"], condition=Q(status="sending"), name="delivery_leased"
            ),
            models.Index(
                fields=["campaign", "status"],
                condition=Q(status__in=["failed", "unconfirmed"]),
                name="delivery_troubled",
            ),
            models.Index(fields=["customer"], name="delivery_customer"),
            models.Index(
                fields=["id"],
                condition=Q(status__in=["pending", "unconfirmed"]) & Q(confirmed_at__isnull=False),
                name="delivery_confirmed",
            ),
        ]

    def __str__(self) -> str:
        return f"Delivery {self.pk}"


class Pace(models.Model):
    """How fast one campaign and channel, or one provider (no campaign), may send now.

    ``ring`` counts messages by bucket of time, ``tat`` is the theoretical arrival time of the
    smoothing, ``not_before`` is when a provider that asked for patience may be called again.
    ``failures_in_a_row`` counts first tries since the last success, ``filtered`` the messages that
    carriers threw away since the campaign last started; ``stop_code`` says why nothing more may
    leave until a person resumes the campaign (D-9).
    """

    campaign = models.ForeignKey(Campaign, null=True, on_delete=models.CASCADE, related_name="+")
    channel = models.CharField(max_length=5, choices=Channel.choices)
    ring = models.JSONField(default=dict)
    tat = models.FloatField(default=0)
    not_before = models.DateTimeField(null=True)
    served_at = models.DateTimeField(null=True)
    failures_in_a_row = models.PositiveIntegerField(default=0)
    filtered = models.PositiveIntegerField(default=0)
    stop_code = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["campaign", "channel"], name="pace_once"),
            models.UniqueConstraint(
                fields=["channel"], condition=Q(campaign=None), name="pace_once_per_provider"
            ),
        ]

    def __str__(self) -> str:
        return f"Pace {self.pk}"


class SenderSlot(models.Model):
    """A place for one sender to work in; its lease keeps two from sharing it."""

    number = models.PositiveSmallIntegerField(primary_key=True)
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    woken_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Slot {self.number}"


class TestSend(models.Model):
    """One test message to a typed address; outside every statistic (M-9).

    ``batch`` holds together what one press of the button asked for. Only ``delivery/send_tests.py``
    changes the status; a call that was begun is never made again.
    """

    __test__ = False  # pytest would take it for a test class

    class Status(models.TextChoices):
        """How far it is."""

        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        UNCONFIRMED = "unconfirmed", "Unconfirmed"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="test_sends")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    batch = models.UUIDField(default=uuid.uuid4, db_index=True)
    channel = models.CharField(max_length=5, choices=Channel.choices)
    address_encrypted = models.TextField()
    status = models.CharField(max_length=11, choices=Status.choices, default=Status.WAITING)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    not_before = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    call_started_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    code = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["channel", "id"],
                condition=Q(status__in=["waiting", "sending"]),
                name="test_send_open",
            ),
        ]

    def __str__(self) -> str:
        return f"Test send {self.pk}"
