"""What providers report by themselves: one row per event, stored before it is acted on (E-3)."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from customers.models import Channel

TWILIO = "twilio"
MOST_ATTEMPTS = 5


class ProviderEventQuerySet(models.QuerySet["ProviderEvent"]):
    """Questions one asks about events."""

    def unprocessed(self) -> Self:
        """Keep those nobody has acted on and nobody has given up."""
        return self.filter(processed_at=None, attempts__lt=MOST_ATTEMPTS)

    def parked(self) -> Self:
        """Keep those that were given up after too many failures."""
        return self.filter(processed_at=None, attempts__gte=MOST_ATTEMPTS)


class ProviderEvent(models.Model):
    """One thing that a provider told us, in our words.

    ``key`` is the provider's own id of the event, or a keyed hash of it. ``address_index`` is the
    customers' blind index of the recipient, empty as soon as the event was acted on; ``payload``
    holds a few of the provider's own words, none of which can be an address.
    """

    class Kind(models.TextChoices):
        """What happened."""

        ACCEPTED = "accepted", "Accepted by the provider"
        DELIVERED = "delivered", "Delivered"
        BOUNCED = "bounced", "Not delivered"
        OPENED = "opened", "Opened"
        CLICKED = "clicked", "Clicked"
        COMPLAINED = "complained", "Reported as spam"
        OPTED_OUT = "opted_out", "Unsubscribed"
        OPTED_IN = "opted_in", "Subscribed"

    provider = models.CharField(max_length=20)
    key = models.CharField(max_length=160)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    public_id = models.UUIDField("delivery", null=True)
    address_index = models.CharField(max_length=64, blank=True)
    code = models.CharField("reason", max_length=40, blank=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    payload = models.JSONField(default=dict)
    processed_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=80, blank=True)

    objects = ProviderEventQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "key"], name="provider_event_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["public_id"], name="provider_event_delivery"),
            models.Index(
                fields=["address_index"],
                condition=~Q(address_index=""),
                name="provider_event_address",
            ),
            models.Index(
                fields=["id"], condition=Q(processed_at=None), name="provider_event_unprocessed"
            ),
            models.Index(
                fields=["processed_at"],
                condition=Q(processed_at__isnull=False),
                name="provider_event_processed",
            ),
        ]

    def __str__(self) -> str:
        return f"Event {self.pk}"

    @property
    def channel(self) -> str:
        """The channel this is about."""
        return Channel.SMS.value if self.provider == TWILIO else Channel.EMAIL.value
