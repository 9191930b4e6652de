"""The analytics app."""

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate

from campaigns.groups import ensure_groups


class AnalyticsConfig(AppConfig):
    """What happened."""

    name = "analytics"
    verbose_name = "Analytics"

    def ready(self) -> None:
        """Have the groups of staff made after every migration."""
        # Apps without models, such as this one, get no signal of their own.
        post_migrate.connect(_make_groups, sender=apps.get_app_config("campaigns"))


def _make_groups(*, using: str, apps: Any = apps, **kwargs: Any) -> None:
    ensure_groups(using=using, apps=apps)
