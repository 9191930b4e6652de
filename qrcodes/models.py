"""The coupon: what it is worth, each customer's code, and every try to use one."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from customers.models import Customer


class Location(models.Model):
    """A shop, or a till in it."""

    name = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Offer(models.Model):
    """What a campaign's coupon is worth. Redemption reads this, never the campaign's state."""

    class State(models.TextChoices):
        """Whether codes of this offer are accepted."""

        OPEN = "open", "Accepted"
        WITHDRAWN = "withdrawn", "Withdrawn"
        CAMPAIGN_CANCELLED = "campaign_cancelled", "Campaign cancelled"

    campaign = models.OneToOneField(
        "campaigns.Campaign", on_delete=models.CASCADE, related_name="+", editable=False
    )
    title = models.CharField(max_length=200, help_text="Such as 20% off every pizza.")
    terms = models.TextField(blank=True, help_text="The small print on the coupon page.")
    value = models.CharField(
        max_length=40, blank=True, help_text="What it is worth, in words: 20% or 5 EUR."
    )
    minimum_amount = models.DecimalField(
        "minimum bill", max_digits=10, decimal_places=2, null=True, blank=True
    )
    starts_at = models.DateTimeField("valid from", null=True, blank=True)
    state = models.CharField(
        max_length=20, choices=State.choices, default=State.OPEN, editable=False
    )
    max_redemptions = models.PositiveIntegerField(
        "budget: redemptions", null=True, blank=True, help_text="Accept no more than this many."
    )
    max_discount = models.DecimalField(
        "budget: discount", max_digits=12, decimal_places=2, null=True, blank=True
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(minimum_amount=None) | Q(minimum_amount__gte=0),
                name="offer_minimum_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def has_budget(self) -> bool:
        """Whether redemptions of this offer are limited in number or worth."""
        return self.max_redemptions is not None or self.max_discount is not None


class QRCodeQuerySet(models.QuerySet["QRCode"]):
    """Questions one asks about codes."""

    def real(self) -> Self:
        """Drop the codes of test sends."""
        return self.filter(is_test=False)


class QRCode(models.Model):
    """One customer's coupon of one campaign: unique, shared by every message about it (Q-1)."""

    campaign = models.ForeignKey("campaigns.Campaign", on_delete=models.PROTECT, related_name="+")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="qr_codes")
    token = models.CharField(max_length=80, unique=True)
    short_code_hash = models.CharField(max_length=64, unique=True)
    is_test = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    max_usage = models.PositiveIntegerField(default=1)
    usage_count = models.PositiveIntegerField(default=0)
    redeemed_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    first_viewed_at = models.DateTimeField(null=True)

    objects = QRCodeQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name = "QR code"
        indexes: ClassVar[list[models.Index]] = [
            # Few codes are ever used: counting them must not read the others.
            models.Index(
                fields=["campaign"],
                condition=Q(usage_count__gt=0, is_test=False),
                name="qr_code_used",
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["campaign", "customer"],
                condition=Q(is_test=False),
                name="qr_code_once_per_customer",
            ),
            models.CheckConstraint(
                condition=Q(usage_count__lte=F("max_usage")), name="qr_code_not_overused"
            ),
            models.CheckConstraint(
                condition=Q(usage_count=0) | Q(redeemed_at__isnull=False),
                name="qr_code_used_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"QR code {self.pk}"


class Source(models.TextChoices):
    """Which way a scan came in."""

    SCAN_PAGE = "scan_page", "Scan page"
    COMMAND = "command", "Command"
    API = "api", "API"


class ScanAttempt(models.Model):
    """Every try to use a code, accepted or not. A wrong code is kept as a keyed hash only (X-5)."""

    at = models.DateTimeField()
    nonce = models.CharField(max_length=64, unique=True)
    code_hash = models.CharField(max_length=64)
    qr_code = models.ForeignKey(
        QRCode, null=True, on_delete=models.PROTECT, related_name="attempts"
    )
    accepted = models.BooleanField()
    reason = models.CharField(max_length=30, blank=True)
    source = models.CharField(max_length=10, choices=Source.choices)
    location = models.ForeignKey(
        Location, null=True, on_delete=models.SET_NULL, related_name="attempts"
    )
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    answer = models.JSONField(
        default=dict, help_text="What was answered, so that a repeated nonce gets the same."
    )

    class Meta:
        ordering = ("-id",)
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["-at"], name="scan_attempt_at"),
        ]

    def __str__(self) -> str:
        return f"Scan {self.pk}"


class StandingRedemptions(models.Manager["Redemption"]):
    """Redemptions that were not undone: what every figure and list counts unless it asks."""

    def get_queryset(self) -> "models.QuerySet[Redemption]":
        """Drop those that were undone."""
        return super().get_queryset().filter(undone_at=None)


class Redemption(models.Model):
    """One accepted use of a code. ``objects`` holds those that stand, ``history`` all (X-6)."""

    qr_code = models.ForeignKey(QRCode, on_delete=models.PROTECT, related_name="redemptions")
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="redemptions")
    attempt = models.OneToOneField(ScanAttempt, on_delete=models.PROTECT, related_name="redemption")
    redeemed_at = models.DateTimeField()
    location = models.ForeignKey(
        Location, null=True, on_delete=models.SET_NULL, related_name="redemptions"
    )
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    amount = models.DecimalField("bill", max_digits=10, decimal_places=2, null=True)
    discount = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    note = models.CharField(max_length=200, blank=True)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    undo_reason = models.CharField(max_length=200, blank=True)

    objects = StandingRedemptions()
    history: "models.Manager[Redemption]" = models.Manager()

    class Meta:
        ordering = ("-id",)
        permissions = (
            ("redeem", "Can redeem coupons"),
            ("undo_redemption", "Can undo a redemption within the time for it"),
        )
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["offer", "redeemed_at"], name="redemption_offer_at"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(undone_at=None) | ~Q(undo_reason=""),
                name="redemption_undone_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"Redemption {self.pk}"


class MissCount(models.Model):
    """How many wrong codes somebody tried in one span of time; who it was is a keyed hash."""

    who = models.CharField(max_length=64)
    since = models.DateTimeField()
    misses = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["who", "since"], name="miss_count_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["since"], name="miss_count_since"),
        ]

    def __str__(self) -> str:
        return f"Misses {self.pk}"
