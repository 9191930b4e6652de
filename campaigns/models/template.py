"""A message that the team keeps for the next campaign (M-5)."""

from django.conf import settings
from django.db import models


class MessageTemplate(models.Model):
    """What a campaign says and what its coupon is worth, without audience, rates and figures.

    ``campaigns.content.templates.MessageTemplate`` is something else: one compiled field.
    """

    name = models.CharField(max_length=120, unique=True)
    subject = models.CharField(max_length=250, blank=True)
    email_content = models.TextField("email", blank=True)
    email_text = models.TextField(
        "plain text of the email", blank=True, help_text="Empty: made from the HTML."
    )
    sms_content = models.TextField("text message", blank=True)
    offer_title = models.CharField("what they get", max_length=200, blank=True)
    offer_value = models.CharField("in short", max_length=40, blank=True)
    offer_terms = models.TextField("small print", blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    updated_at = models.DateTimeField("last changed", auto_now=True)

    class Meta:
        verbose_name = "template"
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name
