"""Who got it, and why did this person not? One question, answered for every customer."""

from django.http import HttpRequest, HttpResponse

from campaigns.admin.page import VIEW_DELIVERIES, campaign_page, show
from campaigns.explain import explain
from campaigns.forms import CustomerSearchForm
from campaigns.models import Campaign
from customers.find_customers import MOST_FOUND, find_customers
from customers.models import Customer


@campaign_page(*VIEW_DELIVERIES)
def page(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Find a customer and say what this campaign did for them, by channel."""
    # Searched by POST, for it may hold an address.
    search = CustomerSearchForm(request.POST if "q" in request.POST else None)
    found: list[Customer] | None = None
    customer = _chosen(request)
    if search.is_bound and search.is_valid():
        found = find_customers(text=search.cleaned_data["q"])
        if len(found) == 1:
            customer, found = found[0], None
        else:
            customer = None
    return show(
        request,
        "who",
        campaign,
        f"Who got {campaign}?",
        search_form=search,
        found=found,
        more_found=found is not None and len(found) == MOST_FOUND,
        customer=customer,
        answers=explain(campaign, customer) if customer else [],
    )


def _chosen(request: HttpRequest) -> Customer | None:
    chosen = request.GET.get("customer", "")
    if not chosen.isascii() or not chosen.isdigit() or len(chosen) > 18:
        return None
    return Customer.objects.filter(pk=int(chosen)).first()
