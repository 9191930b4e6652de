"""The campaigns app."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """The message, and everything that brings it to its customers."""

    name = "campaigns"
    verbose_name = "Campaigns"
