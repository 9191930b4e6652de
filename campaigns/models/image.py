"""The library of uploaded pictures, and which of them a campaign shows (R-2, O-2)."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from campaigns.models.campaign import Campaign

# The width of a message, in CSS pixels; pictures are kept twice as wide, for sharp screens.
MESSAGE_WIDTH = 600


class ImageContent(models.Model):
    """The bytes of one picture. Never changed: messages that left refer to them by their digest."""

    class Format(models.TextChoices):
        """How a picture is encoded; the value is also the ending of its address."""

        PNG = "png", "PNG"
        JPEG = "jpeg", "JPEG"

    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the bytes, in hex
    format = models.CharField(max_length=4, choices=Format.choices)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    data = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(width__gte=1) & Q(height__gte=1) & Q(size__gte=1),
                name="image_content_not_empty",
            ),
        ]

    def __str__(self) -> str:
        return self.digest[:12]

    @property
    def content_type(self) -> str:
        """Its media type."""
        return f"image/{self.format}"

    @property
    def path(self) -> str:
        """Its public address on this server, without the host."""
        return f"/i/{self.digest}.{self.format}"


class Image(models.Model):
    """A picture under a name, which templates write as ``image("name")``.

    Whoever reads many of them defers ``content__data``.
    """

    name = models.CharField(max_length=60, unique=True)
    alt = models.CharField("alt text", max_length=250, blank=True)
    is_decoration = models.BooleanField("decoration", default=False)
    content = models.ForeignKey(
        ImageContent, editable=False, on_delete=models.PROTECT, related_name="+"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField("added", auto_now_add=True)
    updated_at = models.DateTimeField("last changed", auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(is_decoration=True, alt="") | (Q(is_decoration=False) & ~Q(alt="")),
                name="image_alt_or_decoration",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_width(self) -> int:
        """How wide a message shows it, in CSS pixels."""
        return min(self.content.width, MESSAGE_WIDTH)


class CampaignImage(models.Model):
    """What a name showed when the campaign left draft: the picture cannot change in mid-run."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="+")
    content = models.ForeignKey(ImageContent, on_delete=models.PROTECT, related_name="+")

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["campaign", "image"], name="campaign_image_once"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.image_id}"
