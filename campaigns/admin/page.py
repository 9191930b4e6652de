"""What every page about one campaign shares: who may open it, what it looks like, its errors."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from campaigns.models import Campaign
from campaigns.reasons import reason_sentence
from config.errors import DomainError
from customers.encryption import DecryptionError

VIEW = "campaigns.view_campaign"
CHANGE = "campaigns.change_campaign"
ADD = "campaigns.add_campaign"
SEND = "campaigns.send_campaign"
# Whoever looks up what became of a person's messages sees both.
VIEW_DELIVERIES = ("campaigns.view_delivery", "customers.view_customer")
VIEW_SERIES = "campaigns.view_series"
ADD_SERIES = "campaigns.add_series"
CHANGE_SERIES = "campaigns.change_series"
VIEW_TEMPLATES = "campaigns.view_messagetemplate"
ADD_TEMPLATES = "campaigns.add_messagetemplate"
CHANGE_TEMPLATES = "campaigns.change_messagetemplate"
VIEW_CUSTOMERS = "customers.view_customer"

CampaignView = Callable[..., HttpResponseBase]


def campaign_page(*permissions: str, method: str = "") -> Callable[[CampaignView], CampaignView]:
    """Make a view of (request, campaign) out of an id: rights checked, errors shown as messages.

    With ``method="POST"`` anything else is sent back to the campaign's page.
    """

    def decorate(view: CampaignView) -> CampaignView:
        @wraps(view)
        def page(request: HttpRequest, campaign_id: int) -> HttpResponseBase:
            if not request.user.has_perms((VIEW, *permissions)):
                raise PermissionDenied
            campaign = Campaign.objects.filter(pk=campaign_id).first()
            if campaign is None:
                messages.error(request, "There is no such campaign: it may have been deleted.")
                return redirect("admin:campaigns_campaign_changelist")
            if method and request.method != method:
                return back_to(campaign)
            try:
                return view(request, campaign)
            except DomainError as error:
                messages.error(request, error.message)
            except DecryptionError:
                messages.error(request, reason_sentence("address_unreadable"))
            return back_to(campaign)

        return page

    return decorate


def address(name: str, campaign: Campaign) -> str:
    """Return the address of one of a campaign's pages."""
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def back_to(campaign: Campaign, name: str = "change") -> HttpResponseRedirect:
    """Redirect to one of a campaign's pages."""
    return HttpResponseRedirect(address(name, campaign))


def show(
    request: HttpRequest, template: str, campaign: Campaign, title: str, **context: Any
) -> TemplateResponse:
    """Render a page about a campaign inside the admin."""
    return TemplateResponse(
        request,
        f"admin/campaigns/campaign/{template}.html",
        {
            **admin.site.each_context(request),
            "opts": Campaign._meta,
            "original": campaign,
            "campaign": campaign,
            "title": title,
            "may": rights(request),
            **context,
        },
    )


def rights(request: HttpRequest) -> dict[str, bool]:
    """Return what this person may do with campaigns, for templates."""
    has = request.user.has_perm
    return {
        "add": has(ADD),
        "change": has(CHANGE),
        "send": has(SEND),
        "delete": has("campaigns.delete_campaign"),
        "save_template": has(ADD_TEMPLATES),
        "repeat": request.user.has_perms((SEND, VIEW_SERIES, ADD_SERIES)),
        "see_series": has(VIEW_SERIES),
        "change_series": request.user.has_perms((SEND, VIEW_SERIES, CHANGE_SERIES)),
        "see_deliveries": has("campaigns.view_delivery"),
        "see_customers": has(VIEW_CUSTOMERS),
        "see_who": request.user.has_perms(VIEW_DELIVERIES),
    }


def signed_in(request: HttpRequest) -> User:
    """Return who is signed in; the admin lets nobody else reach its pages."""
    assert request.user.is_authenticated
    return request.user
