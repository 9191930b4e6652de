"""The home page of the admin: each person sees what they may act on."""

from typing import Any

from django.http import HttpRequest

from analytics import dashboard
from analytics.charts import bars
from config.admin_theme import captures_messages


def add_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the home page's figures to the context of the admin's index."""
    may = {
        "see_campaigns": request.user.has_perm("campaigns.view_campaign"),
        "add_campaigns": request.user.has_perm("campaigns.add_campaign"),
        "change_campaigns": request.user.has_perm("campaigns.change_campaign"),
        "send_campaigns": request.user.has_perm("campaigns.send_campaign"),
        "import_customers": request.user.has_perm("customers.add_customerimport"),
        "see_captured": request.user.has_perm("campaigns.view_delivery") and captures_messages(),
        "see_redemptions": request.user.has_perm("qrcodes.view_redemption"),
        "redeem": request.user.has_perm("qrcodes.redeem"),
    }
    context["may"] = may
    context["title"] = "Home"
    if may["see_campaigns"]:
        context["running"] = dashboard.running_campaigns()
        context["upcoming"] = dashboard.upcoming_campaigns()
        context["recent"] = dashboard.recent_campaigns()
    if may["change_campaigns"]:
        context["drafts"] = dashboard.latest_drafts()
    if may["send_campaigns"]:
        context["decisions"] = dashboard.open_decisions()
        context["troubles"] = dashboard.open_troubles()
    if may["add_campaigns"] and may["import_customers"]:
        context["steps"] = dashboard.first_steps()
    if may["see_redemptions"]:
        days = dashboard.redemptions_by_day()
        context["redemptions"] = sum(count for _, count in days)
        context["days"] = bars([(f"{day.day} {day:%b}", count) for day, count in days])
    return context
