"""How the admin looks and what its sidebar offers: each person sees only what they may do."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

Item = dict[str, Any]

# (group, [(title, icon, page, permission)]); one permission of several is enough.
_SIDEBAR: list[tuple[str, list[tuple[str, str, str, tuple[str, ...]]]]] = [
    ("", [("Home", "home", "admin:index", ())]),
    (
        "Messages",
        [
            (
                "Campaigns",
                "campaign",
                "admin:campaigns_campaign_changelist",
                ("campaigns.view_campaign",),
            ),
            (
                "Series",
                "event_repeat",
                "admin:campaigns_series_changelist",
                ("campaigns.view_series",),
            ),
            (
                "Templates",
                "dashboard_customize",
                "admin:campaigns_messagetemplate_changelist",
                ("campaigns.view_messagetemplate",),
            ),
            (
                "Images",
                "image",
                "admin:campaigns_image_changelist",
                ("campaigns.view_image",),
            ),
            (
                "Deliveries",
                "outbox",
                "admin:campaigns_delivery_changelist",
                ("campaigns.view_delivery",),
            ),
            (
                "Captured messages",
                "inbox",
                "captured-messages",
                ("campaigns.view_delivery",),
            ),
        ],
    ),
    (
        "People",
        [
            (
                "Customers",
                "group",
                "admin:customers_customer_changelist",
                ("customers.view_customer",),
            ),
            (
                "Segments",
                "sell",
                "admin:customers_segment_changelist",
                ("customers.view_segment",),
            ),
            (
                "Imports",
                "upload_file",
                "admin:customers_customerimport_changelist",
                ("customers.view_customerimport",),
            ),
        ],
    ),
    (
        "At the till",
        [
            ("Scan page", "qr_code_scanner", "qrcodes:scan", ("qrcodes.redeem",)),
            (
                "Redemptions",
                "redeem",
                "admin:qrcodes_redemption_changelist",
                ("qrcodes.view_redemption",),
            ),
            ("Codes", "qr_code_2", "admin:qrcodes_qrcode_changelist", ("qrcodes.view_qrcode",)),
            (
                "Scan attempts",
                "history",
                "admin:qrcodes_scanattempt_changelist",
                ("qrcodes.view_scanattempt",),
            ),
            (
                "Locations",
                "storefront",
                "admin:qrcodes_location_changelist",
                ("qrcodes.view_location",),
            ),
        ],
    ),
    (
        "Staff",
        [
            ("Accounts", "badge", "admin:auth_user_changelist", ("auth.view_user",)),
            ("Groups", "shield_person", "admin:auth_group_changelist", ("auth.view_group",)),
        ],
    ),
]

# Common rules first, then by page.
_STYLES = ("admin", "theme", "campaign", "figures", "gallery", "series")
_SCRIPTS = ("theme", "live")


def captures_messages() -> bool:
    """Tell whether a channel keeps its messages on disk instead of sending them (E-5)."""
    return "capture" in settings.EMAIL_BACKEND or settings.SMS_BACKEND == "capture"


def sidebar(request: HttpRequest) -> list[Item]:
    """Return the sidebar's groups with the pages this person may open."""
    groups = []
    for title, entries in _SIDEBAR:
        items = [
            {"title": name, "icon": icon, "link": reverse(page)}
            for name, icon, page, permissions in entries
            if _may_open(request, page, permissions)
        ]
        if items:
            groups.append({"title": title, "items": items})
    return groups


def _may_open(request: HttpRequest, page: str, permissions: tuple[str, ...]) -> bool:
    if page == "captured-messages" and not captures_messages():
        return False
    return not permissions or any(request.user.has_perm(name) for name in permissions)


def unfold_settings(business_name: str) -> dict[str, Any]:
    """Return the setting UNFOLD."""
    return {
        "SITE_TITLE": f"{business_name} · Handbill",
        "SITE_HEADER": business_name,
        "SITE_SUBHEADER": "Handbill",
        "SITE_SYMBOL": "local_activity",
        "SITE_URL": None,
        "SITE_FAVICONS": [
            {
                "rel": "icon",
                "type": "image/svg+xml",
                "href": lambda request: static("campaigns/favicon.svg"),
            }
        ],
        "SHOW_HISTORY": True,
        "SHOW_VIEW_ON_SITE": False,
        "SHOW_BACK_BUTTON": False,
        "BORDER_RADIUS": "8px",
        "DASHBOARD_CALLBACK": "analytics.views.add_dashboard",
        "STYLES": [lambda request, name=name: static(f"campaigns/{name}.css") for name in _STYLES],
        "SCRIPTS": [lambda request, name=name: static(f"campaigns/{name}.js") for name in _SCRIPTS],
        "COLORS": {
            "primary": {
                "50": "oklch(98.4% .014 180.7)",
                "100": "oklch(95.3% .051 180.8)",
                "200": "oklch(91% .096 180.4)",
                "300": "oklch(85.5% .138 181.1)",
                "400": "oklch(77.7% .152 181.9)",
                "500": "oklch(68% .13 183)",
                "600": "oklch(51.1% .096 186.4)",
                "700": "oklch(43.7% .078 188.2)",
                "800": "oklch(38.6% .063 188.4)",
                "900": "oklch(33% .053 190)",
                "950": "oklch(27.7% .046 192.5)",
            },
        },
        "SIDEBAR": {
            "show_search": False,
            "show_all_applications": False,
            "navigation": "config.admin_theme.sidebar",
        },
    }
