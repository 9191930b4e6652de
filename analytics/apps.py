"""The analytics app."""

from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    """What happened."""

    name = "analytics"
    verbose_name = "Analytics"
