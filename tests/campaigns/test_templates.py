"""Saved templates (M-5): kept from a campaign, turned into a draft, refused with a sentence."""

import importlib
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from campaigns.models import Campaign, MessageTemplate
from campaigns.save_template import save_as_template, save_template
from campaigns.start_campaign import start_from_starter, start_from_template
from config.errors import DomainError
from qrcodes.models import Offer
from tests.factories import OfferFactory, UserFactory

pytestmark = pytest.mark.django_db

EMAIL = (
    "<p>Hello {{ customer.first_name|default('there') }}</p>"
    "<p>{{ short_code }}</p><a href='{{ unsubscribe_url }}'>Unsubscribe</a>"
)


def fields(**changes) -> dict:
    return {"name": "Lunch", "subject": "Lunch", "email_content": EMAIL, **changes}


def permissions_of(group: Group) -> set[str]:
    return set(group.permissions.values_list("codename", flat=True))


def test_a_campaign_is_kept_and_made_again() -> None:
    offer = OfferFactory(
        campaign__name="Pizza week", campaign__email_content=EMAIL, title="20% off", value="20%"
    )
    user = UserFactory()
    template = save_as_template(campaign_id=offer.campaign_id, user=user)
    assert (template.name, template.created_by) == ("Pizza week", user)
    draft = Campaign.objects.get(pk=start_from_template(template_id=template.pk, user=user).pk)
    assert (draft.email_content, draft.subject) == (EMAIL, offer.campaign.subject)
    assert (draft.template_name, draft.status) == ("Pizza week", "draft")
    assert draft.created_by == user
    made = Offer.objects.get(campaign=draft)
    assert (made.title, made.value, made.terms) == (offer.title, offer.value, offer.terms)


def test_changing_a_template_changes_no_campaign() -> None:
    template = save_template(fields=fields())
    draft = start_from_template(template_id=template.pk)
    save_template(fields=fields(email_content="<p>New</p>"), template_id=template.pk)
    draft.refresh_from_db()
    assert draft.email_content == EMAIL
    template.refresh_from_db()
    assert template.email_content == "<p>New</p>"


@pytest.mark.parametrize(
    ("email", "sms", "has_code"),
    [
        (EMAIL, "", True),
        ("<p>Closed on Monday</p>", "", False),
        ("", "Half price: {{ coupon_url }}", True),
        ("<p>{{ expires_at }}</p>", "Closed", False),
    ],
)
def test_a_draft_has_a_code_when_its_message_has_a_place_for_one(email, sms, has_code) -> None:
    template = save_template(fields=fields(email_content=email, sms_content=sms))
    draft = start_from_template(template_id=template.pk)
    assert draft.has_qr_code is has_code
    assert Offer.objects.filter(campaign=draft).exists() is has_code


def test_a_template_of_the_longest_name_makes_a_draft() -> None:
    template = save_template(fields=fields(name="n" * 120, offer_title="t" * 200))
    draft = start_from_template(template_id=template.pk)
    assert draft.template_name == "n" * 120


def test_a_campaign_without_a_coupon_keeps_no_offer() -> None:
    offer = OfferFactory(campaign__has_qr_code=False, campaign__name="News")
    assert save_as_template(campaign_id=offer.campaign_id).offer_title == ""


def test_two_people_cannot_keep_two_templates_under_one_name() -> None:
    save_template(fields=fields())
    with pytest.raises(DomainError) as caught:
        save_template(fields=fields(name=" Lunch ", subject="Other"))
    assert caught.value.code == "name_taken"
    assert "“Lunch” already: choose another name" in caught.value.message
    assert MessageTemplate.objects.get().subject == "Lunch"


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"email_content": "<p>Hi</p>\n\n{{ 'a' * 10**8 }}"}, "template_refused", "Email, line 3"),
        ({"email_content": "<p>\n{{ customer.__class__ }}"}, "template_refused", "Email, line 2"),
        ({"email_content": "<b>\n<script>x</script>"}, "template_refused", "Email, line 2"),
        ({"subject": "{% for x in range(9) %}"}, "template_syntax", "Subject, line 1"),
        ({"sms_content": "Hi\n{{ first_name }}"}, "unknown_placeholder", "Text message, line 2"),
        ({"email_content": " "}, "no_content", "says nothing"),
        ({"name": "  "}, "invalid_field", "a name"),
        ({"name": "n" * 121}, "invalid_field", "120"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(changes, code, said) -> None:
    with pytest.raises(DomainError) as caught:
        save_template(fields=fields(**changes))
    assert caught.value.code == code
    assert said in caught.value.message
    assert not MessageTemplate.objects.exists()


def test_a_template_or_a_starter_that_is_not_there_makes_no_draft() -> None:
    with pytest.raises(DomainError, match="no such template"):
        start_from_template(template_id=404)
    with pytest.raises(DomainError, match="no such template"):
        start_from_starter(name="nothing")
    with pytest.raises(DomainError, match="no such template"):
        save_template(fields=fields(), template_id=404)
    assert not Campaign.objects.exists()


# --- the right to write templates -----------------------------------------------------------------


def grant() -> None:
    """Run the data migration on the tables as they are."""
    name = "0007_message_template"
    migration = importlib.import_module(f"campaigns.migrations.{name}")
    state = MigrationLoader(connection).project_state(("campaigns", name))
    migration.grant_templates_to_marketing(state.apps, SimpleNamespace(connection=connection))


@pytest.fixture
def old_marketing() -> Group:
    """The group as an earlier release made it, before there were templates."""
    Permission.objects.filter(codename__endswith="_messagetemplate").delete()
    return Group.objects.get(name="Marketing")


def test_an_older_marketing_group_may_write_templates_after_the_migration(old_marketing) -> None:
    assert "view_messagetemplate" not in permissions_of(old_marketing)
    grant()
    grant()
    assert permissions_of(old_marketing) >= {
        f"{action}_messagetemplate" for action in ("view", "add", "change", "delete")
    }
    assert not permissions_of(Group.objects.get(name="Analyst")) & {"view_messagetemplate"}


def test_a_marketing_group_that_may_not_write_campaigns_gets_nothing(old_marketing) -> None:
    old_marketing.permissions.remove(Permission.objects.get(codename="add_campaign"))
    grant()
    assert "view_messagetemplate" not in permissions_of(old_marketing)


def test_without_a_marketing_group_the_migration_does_nothing(old_marketing) -> None:
    old_marketing.delete()
    grant()
    assert not Permission.objects.filter(codename="view_messagetemplate").exists()
