"""The ready-made groups of staff and what each may do (M-4)."""

from typing import Any

from django.apps import apps as installed_apps
from django.contrib.auth.management import create_permissions

GROUPS: dict[str, tuple[str, ...]] = {
    "Marketing": (
        "customers.view_customer",
        "customers.add_customer",
        "customers.change_customer",
        "customers.view_segment",
        "customers.add_segment",
        "customers.change_segment",
        "customers.delete_segment",
        "customers.view_customerimport",
        "customers.add_customerimport",
        "customers.change_customerimport",
        "customers.view_consentevent",
        "campaigns.view_campaign",
        "campaigns.add_campaign",
        "campaigns.change_campaign",
        "campaigns.delete_campaign",
        "campaigns.send_campaign",
        "campaigns.view_series",
        "campaigns.add_series",
        "campaigns.change_series",
        "campaigns.view_messagetemplate",
        "campaigns.add_messagetemplate",
        "campaigns.change_messagetemplate",
        "campaigns.delete_messagetemplate",
        "campaigns.view_image",
        "campaigns.add_image",
        "campaigns.change_image",
        "campaigns.delete_image",
        "campaigns.view_delivery",
        "qrcodes.view_qrcode",
        "qrcodes.change_qrcode",
        "qrcodes.view_redemption",
        "qrcodes.view_scanattempt",
        "qrcodes.view_location",
        "qrcodes.add_location",
        "qrcodes.change_location",
    ),
    "Till staff": ("qrcodes.redeem", "qrcodes.undo_redemption"),
    "Analyst": (
        "campaigns.view_campaign",
        "campaigns.view_image",
        "campaigns.view_series",
        "qrcodes.view_redemption",
    ),
}


def ensure_groups(*, using: str = "default", apps: Any = installed_apps) -> None:
    """Create the groups that are missing, with their permissions.

    A group that exists is left as it is: a right that was taken from it must not come back with the
    next release.
    """
    try:
        group_model = apps.get_model("auth", "Group")
        permission_model = apps.get_model("auth", "Permission")
    except LookupError:  # a migration of some apps only
        return
    for label in {name.partition(".")[0] for names in GROUPS.values() for name in names}:
        # Permissions are made app by app after a migration: do not depend on that order.
        create_permissions(
            installed_apps.get_app_config(label), verbosity=0, using=using, apps=apps
        )
    permissions = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in permission_model.objects.using(using).select_related("content_type")
    }
    for group_name, names in GROUPS.items():
        group, created = group_model.objects.using(using).get_or_create(name=group_name)
        if created:
            group.permissions.add(*(permissions[name] for name in names if name in permissions))
