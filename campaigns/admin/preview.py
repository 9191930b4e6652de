"""Both messages as one customer gets them, and tests to typed addresses (M-6, M-9)."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from campaigns.admin.page import (
    SEND,
    VIEW_CUSTOMERS,
    address,
    campaign_page,
    rights,
    show,
    signed_in,
)
from campaigns.content.sms_length import measure_sms
from campaigns.forms import CustomerSearchForm, TestSendForm
from campaigns.models import Campaign
from campaigns.preview import Preview, preview_campaign
from campaigns.send_test import last_addresses, last_results, send_test
from config.errors import DomainError
from customers.find_customers import find_customers
from customers.models import Customer

# Links in the preview lead nowhere: a sandboxed frame may not open a window.
LINKS_LEAD_NOWHERE = '<base target="_blank">'


@campaign_page()
def preview(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show both messages as a chosen customer, or as a sample person."""
    addresses = "\n".join(last_addresses(user=signed_in(request)))
    return _page(request, campaign, TestSendForm(initial={"addresses": addresses}))


@campaign_page(SEND, method="POST")
def send_a_test(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Have the campaign sent to typed addresses, filled in as the customer of the preview."""
    form = TestSendForm(request.POST)
    if not form.is_valid():
        return _page(request, campaign, form)
    customer = _chosen_customer(request)
    try:
        send_test(
            campaign=campaign,
            addresses=form.cleaned_data["addresses"],
            customer=customer,
            user=signed_in(request),
        )
    except DomainError as error:
        form.add_error("addresses", error.message)
        return _page(request, campaign, form)
    chosen = f"?customer={customer.pk}" if customer else ""
    return HttpResponseRedirect(f"{address('preview', campaign)}{chosen}#test")


@campaign_page(SEND)
def test_results(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show what became of this person's last test; the page asks until all is done."""
    results = last_results(campaign=campaign, user=signed_in(request))
    return show(
        request,
        "test_results",
        campaign,
        "",
        results=results,
        waiting=any(result.is_open for result in results),
    )


def _page(request: HttpRequest, campaign: Campaign, test_form: TestSendForm) -> HttpResponse:
    customer = _chosen_customer(request)
    searches = "q" in request.POST and rights(request)["see_customers"]
    search = CustomerSearchForm(request.POST if searches else None)
    found: list[Customer] | None = None
    if search.is_bound and search.is_valid():
        found = find_customers(text=search.cleaned_data["q"])
    results = []
    if rights(request)["send"]:
        results = last_results(campaign=campaign, user=signed_in(request))
    return show(
        request,
        "preview",
        campaign,
        f"Preview of “{campaign}”",
        customer=customer,
        search_form=search,
        found=found,
        test_form=test_form,
        results=results,
        waiting=any(result.is_open for result in results),
        **_messages(request, campaign, customer),
    )


def _messages(
    request: HttpRequest, campaign: Campaign, customer: Customer | None
) -> dict[str, Any]:
    try:
        preview: Preview | None = preview_campaign(campaign=campaign, customer=customer)
    except DomainError as error:
        messages.error(request, error.message)
        preview = None
    return {
        "preview": preview,
        "frame": preview.html + LINKS_LEAD_NOWHERE if preview and preview.html else "",
        "sms": measure_sms(preview.sms) if preview and preview.sms else None,
    }


def _chosen_customer(request: HttpRequest) -> Customer | None:
    if not request.user.has_perm(VIEW_CUSTOMERS):
        return None
    chosen = request.POST.get("customer") or request.GET.get("customer") or ""
    if not chosen.isascii() or not chosen.isdigit() or len(chosen) > 18:
        return None
    return Customer.objects.alive().filter(pk=int(chosen)).first()
