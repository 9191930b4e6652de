"""Who may open what: editing, sending and redeeming are separate rights (M-4)."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from campaigns.groups import GROUPS, ensure_groups
from campaigns.models import Campaign
from config.admin_theme import captures_messages
from qrcodes.models import Redemption
from tests.campaigns.admin.conftest import signed_in
from tests.campaigns.admin.forms import campaign_post
from tests.factories import (
    CustomerFactory,
    DeliveryFactory,
    OfferFactory,
    QRCodeFactory,
    UserFactory,
)

CHANGELIST = "/admin/campaigns/campaign/"
PAGES = ("change", "panel", "preview", "report", "report.csv", "report.json")
SENDING = ("send", "cancel")
MOVES = (
    "send",
    "schedule",
    "pause",
    "resume",
    "unschedule",
    "reschedule",
    "repeat",
    "retry",
    "cancel",
    "test",
    "unconfirmed",
)


@pytest.fixture
def campaign(db) -> Campaign:
    CustomerFactory()
    return OfferFactory().campaign


def page(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def given(*permissions: str) -> Client:
    user = UserFactory()
    for name in permissions:
        label, codename = name.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=label, codename=codename)
        )
    client = Client()
    client.force_login(user)
    return client


def test_marketing_opens_every_marketing_page(marketing, campaign) -> None:
    delivery = DeliveryFactory(campaign=campaign)
    addresses = [page(name, campaign) for name in (*PAGES, *SENDING, "who", "recipients.csv")]
    addresses += [CHANGELIST, f"{CHANGELIST}add/", "/admin/", f"{CHANGELIST}live/?ids=1"]
    addresses += ["/admin/campaigns/delivery/", f"/admin/campaigns/delivery/{delivery.pk}/change/"]
    addresses += [page("delete", campaign)]
    for address in addresses:
        response = marketing.get(address)
        assert response.status_code == 200, address
        assert b"".join(response) if response.streaming else response.content


def test_marketing_cannot_redeem(marketing) -> None:
    code = QRCodeFactory()
    assert marketing.get(reverse("qrcodes:scan")).status_code == 403
    assert marketing.post(reverse("qrcodes:scan"), {"code": code.token}).status_code == 403
    assert not Redemption.objects.exists()


def test_till_staff_cannot_open_the_campaign_admin(till, campaign) -> None:
    for name in (*PAGES, *SENDING, "who", "unconfirmed", "recipients.csv", "delete"):
        assert till.get(page(name, campaign)).status_code == 403, name
    for address in (CHANGELIST, f"{CHANGELIST}add/", f"{CHANGELIST}live/?ids={campaign.pk}"):
        assert till.get(address).status_code == 403, address
    assert till.get("/admin/campaigns/delivery/").status_code == 403
    assert till.get("/admin/")["Location"] == "/scan/"


def test_an_analyst_sees_reports_and_changes_nothing(analyst, campaign) -> None:
    for name in PAGES:
        assert analyst.get(page(name, campaign)).status_code == 200, name
    for name in (*MOVES, "audience", "duplicate"):
        assert analyst.post(page(name, campaign)).status_code == 403, name
    assert analyst.get(page("recipients.csv", campaign)).status_code == 403
    assert analyst.get("/admin/campaigns/delivery/").status_code == 403
    assert analyst.get(f"{CHANGELIST}add/").status_code == 403
    assert (
        analyst.post(page("change", campaign), campaign_post(campaign, name="X")).status_code == 403
    )
    campaign.refresh_from_db()
    assert campaign.name != "X"
    html = analyst.get(page("change", campaign)).content.decode()
    for button in ("Check and send", "Duplicate", "Save", "Cancel…"):
        assert f">{button}" not in html


def test_editing_does_not_include_sending(campaign) -> None:
    editor = given("campaigns.view_campaign", "campaigns.change_campaign", "campaigns.add_campaign")
    assert editor.get(page("change", campaign)).status_code == 200
    for name in MOVES:
        assert editor.post(page(name, campaign)).status_code == 403, name
    html = editor.get(page("change", campaign)).content.decode()
    assert "Save, check and send" not in html
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_sending_does_not_include_editing(campaign) -> None:
    sender = given("campaigns.view_campaign", "campaigns.send_campaign")
    assert sender.get(page("send", campaign)).status_code == 200
    assert sender.post(page("audience", campaign)).status_code == 403
    assert sender.post(page("send", campaign)).status_code == 302
    campaign.refresh_from_db()
    assert campaign.status == "queued"


def test_without_signing_in_nothing_opens(campaign, client) -> None:
    for name in (*PAGES, *SENDING, "who", "unconfirmed", "recipients.csv"):
        assert client.get(page(name, campaign)).status_code == 302, name
    assert client.get(f"{CHANGELIST}live/?ids=1").status_code == 302


def test_someone_who_is_no_staff_cannot_open_it(campaign) -> None:
    outsider = signed_in("Marketing", is_staff=False)
    assert outsider.get(page("report.json", campaign)).status_code == 302


def test_deliveries_can_be_read_and_not_changed(marketing, campaign) -> None:
    delivery = DeliveryFactory(campaign=campaign, status="failed", code="invalid_address")
    address = f"/admin/campaigns/delivery/{delivery.pk}/"
    html = marketing.get(f"{address}change/").content.decode()
    assert "The provider says that this address is not valid." in html
    assert delivery.customer.email not in html
    assert marketing.post(f"{address}change/", {"status": "sent"}).status_code == 403
    assert marketing.get(f"{address}delete/").status_code == 403
    assert marketing.get("/admin/campaigns/delivery/add/").status_code == 403
    delivery.refresh_from_db()
    assert delivery.status == "failed"


# --- the groups -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_groups_are_there_after_a_migration() -> None:
    for name, permissions in GROUPS.items():
        group = Group.objects.get(name=name)
        held = {
            f"{p.content_type.app_label}.{p.codename}"
            for p in group.permissions.select_related("content_type")
        }
        assert held == set(permissions)


@pytest.mark.django_db
def test_making_the_groups_again_leaves_changed_ones_alone() -> None:
    marketing = Group.objects.get(name="Marketing")
    marketing.permissions.remove(Permission.objects.get(codename="send_campaign"))
    extra = Permission.objects.get(codename="redeem")
    marketing.permissions.add(extra)
    Group.objects.get(name="Analyst").delete()
    ensure_groups()
    ensure_groups()
    assert not marketing.permissions.filter(codename="send_campaign").exists()
    assert marketing.permissions.filter(pk=extra.pk).exists()
    assert Group.objects.get(name="Analyst").permissions.count() == len(GROUPS["Analyst"])


@pytest.mark.django_db
def test_the_groups_do_not_depend_on_permissions_being_there_first() -> None:
    Permission.objects.filter(content_type__app_label__in=["customers", "qrcodes"]).delete()
    Group.objects.all().delete()
    ensure_groups()
    assert Group.objects.get(name="Till staff").permissions.filter(codename="redeem").exists()
    assert Group.objects.get(name="Marketing").permissions.count() == len(GROUPS["Marketing"])


def test_every_permission_of_a_group_is_one_that_exists() -> None:
    known = set()
    for label in ("customers", "campaigns", "qrcodes"):
        for model in apps.get_app_config(label).get_models():
            names = [f"{a}_{model._meta.model_name}" for a in model._meta.default_permissions]
            names += [codename for codename, _ in model._meta.permissions]
            known |= {f"{label}.{name}" for name in names}
    assert {name for names in GROUPS.values() for name in names} <= known


# --- the sidebar ----------------------------------------------------------------------------------


def sidebar(client: Client) -> list[str]:
    groups = client.get("/admin/password_change/").context["sidebar_navigation"]
    return [item["title"] for group in groups for item in group["items"]]


def test_the_sidebar_shows_what_each_person_may_open(marketing, analyst, till) -> None:
    shown = sidebar(marketing)
    assert {
        "Home",
        "Campaigns",
        "Templates",
        "Images",
        "Deliveries",
        "Captured messages",
        "Customers",
    } <= set(shown)
    assert "Scan page" not in shown
    assert "Accounts" not in shown
    assert sidebar(analyst) == ["Home", "Campaigns", "Series", "Images", "Redemptions"]
    assert sidebar(till) == ["Home", "Scan page"]


def test_every_link_of_the_sidebar_opens(db) -> None:
    boss = signed_in(is_superuser=True)
    groups = boss.get("/admin/").context["sidebar_navigation"]
    links = [item["link"] for group in groups for item in group["items"]]
    assert len(links) == 17
    for link in links:
        assert boss.get(link).status_code == 200, link


def test_captured_messages_are_offered_only_where_there_are_any(marketing, settings) -> None:
    settings.EMAIL_BACKEND = "anymail.backends.sendgrid.EmailBackend"
    assert captures_messages()  # texts are
    settings.SMS_BACKEND = "twilio"
    assert not captures_messages()
    assert "Captured messages" not in sidebar(marketing)


def test_accounts_and_groups_open_and_save(db) -> None:
    boss = signed_in(is_superuser=True)
    user = UserFactory(username="mia")
    marketing_id = Group.objects.get(name="Marketing").pk
    address = f"/admin/auth/user/{user.pk}/change/"
    assert boss.get(address).status_code == 200
    assert boss.get("/admin/auth/user/add/").status_code == 200
    post = {
        "username": "mia",
        "is_staff": "on",
        "is_active": "on",
        "groups": [marketing_id],
        "date_joined_0": "2026-11-21",
        "date_joined_1": "12:00:00",
    }
    assert boss.post(address, post).status_code == 302
    assert [group.name for group in user.groups.all()] == ["Marketing"]
    group = f"/admin/auth/group/{marketing_id}/change/"
    assert boss.get(group).status_code == 200
