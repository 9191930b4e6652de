"""The lists of the admin: what they say while they are empty, and what they are called."""

import pytest
from django.contrib import admin
from django.urls import reverse

from campaigns.models import Campaign
from tests.factories import CampaignFactory, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db

OURS = {"campaigns", "customers", "qrcodes"}
# Its list has a page of its own for this.
SPEAKS_FOR_ITSELF = {Campaign}
LISTS = [model for model in admin.site._registry if model._meta.app_label in OURS]


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_an_empty_list_says_what_would_be_in_it_and_what_to_do(client, model) -> None:
    client.force_login(UserFactory(is_superuser=True))
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    page = client.get(reverse(name)).content.decode()
    assert "hb-empty" in page
    note = getattr(admin.site._registry[model], "empty_note", "")
    assert model in SPEAKS_FOR_ITSELF or (note and note[:30] in page)


def test_a_search_that_finds_nothing_leads_back_to_everything(client) -> None:
    CustomerFactory()
    client.force_login(UserFactory(groups=["Marketing"]))
    page = client.get("/admin/customers/customer/?q=nobody").content.decode()
    assert "Nothing here fits “nobody”." in page
    assert "Show everything" in page


def test_a_page_is_named_by_what_it_is_about_and_leads_back(client) -> None:
    client.force_login(UserFactory(groups=["Marketing"]))
    campaign = CampaignFactory(name="Pizza week")
    page = client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").content.decode()
    assert "<h1>Pizza week</h1>" in page
    assert "Pizza week | Campaigns | Pizzeria Vesuvio" in page
    assert page.count(">Campaigns</a>") == 1
    page = client.get(f"/admin/campaigns/campaign/{campaign.pk}/delete/").content.decode()
    assert "Delete | Pizza week | Campaigns |" in page
    page = client.get("/admin/campaigns/campaign/").content.decode()
    assert "<h1>Campaigns</h1>" in page


def test_a_date_that_is_two_days_is_refused(client) -> None:
    from django.forms import DateField, ValidationError

    with pytest.raises(ValidationError):
        DateField().clean("12/01/2026")
    assert DateField().clean("12 Jan 2026") == DateField().clean("2026-01-12")
