"""Both messages as one customer gets them, and tests to typed addresses (M-6, M-9)."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from campaigns.admin.page import SEND, back_to, campaign_page, show
from campaigns.content.sms_length import measure_sms
from campaigns.forms import CustomerSearchForm, TestSendForm
from campaigns.models import Campaign
from campaigns.preview import Preview, preview_campaign
from campaigns.reasons import reason_sentence
from campaigns.send_test import send_test
from config.errors import DomainError
from customers.find_customers import find_customers
from customers.models import Channel, Customer

# Links in the preview lead nowhere: a sandboxed frame may not open a window.
LINKS_LEAD_NOWHERE = '<base target="_blank">'


@campaign_page()
def preview(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show both messages as a chosen customer, or as a sample person."""
    return _page(request, campaign, TestSendForm())


@campaign_page(SEND, method="POST")
def send_a_test(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Send the campaign to typed addresses, filled in as the customer of the preview."""
    form = TestSendForm(request.POST)
    if not form.is_valid():
        return _page(request, campaign, form)
    try:
        tests = send_test(
            campaign=campaign,
            addresses=form.cleaned_data["addresses"],
            customer=_chosen_customer(request),
        )
    except DomainError as error:
        form.add_error("addresses", error.message)
        return _page(request, campaign, form)
    for test in tests:
        if not test.sent_at:
            label = Channel(test.channel).label
            messages.error(request, f"{label} test: {reason_sentence(test.code)}")
    sent = sum(1 for test in tests if test.sent_at)
    if sent:
        noun = "test message" if sent == 1 else "test messages"
        messages.success(request, f"{sent} {noun} sent. Their codes scan as TEST.")
    return back_to(campaign, "preview")


def _page(request: HttpRequest, campaign: Campaign, test_form: TestSendForm) -> HttpResponse:
    customer = _chosen_customer(request)
    search = CustomerSearchForm(request.POST if "q" in request.POST else None)
    found: list[Customer] | None = None
    if search.is_bound and search.is_valid():
        found = find_customers(text=search.cleaned_data["q"])
    return show(
        request,
        "preview",
        campaign,
        f"Preview of {campaign}",
        customer=customer,
        search_form=search,
        found=found,
        test_form=test_form,
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
    chosen = request.POST.get("customer") or request.GET.get("customer") or ""
    if not chosen.isascii() or not chosen.isdigit() or len(chosen) > 18:
        return None
    return Customer.objects.alive().filter(pk=int(chosen)).first()
