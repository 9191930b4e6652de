"""The gallery that a campaign begins with, and the team's templates in the admin (M-5)."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.models import Campaign, MessageTemplate
from campaigns.starters import STARTERS
from tests.campaigns.admin.conftest import signed_in
from tests.campaigns.admin.forms import said
from tests.campaigns.admin.test_rights import given
from tests.factories import CampaignFactory, OfferFactory, UserFactory

ADD = "/admin/campaigns/campaign/add/"
START = "/admin/campaigns/campaign/start/"
STARTER = "/admin/campaigns/campaign/starters/{}/"
LIST = "/admin/campaigns/messagetemplate/"
EMAIL = (
    "<p>Hello {{ customer.first_name }}, {{ short_code }}</p>"
    "<a href='{{ unsubscribe_url }}'>Unsubscribe</a>"
)


def make_template(**columns) -> MessageTemplate:
    values = {"name": "Lunch", "subject": "Lunch", "email_content": EMAIL, **columns}
    return MessageTemplate.objects.create(**values)


def post_of(**changes) -> dict:
    post = {"name": "Lunch", "subject": "Lunch", "email_content": EMAIL, "sms_content": ""}
    return {**post, "offer_title": "", "offer_value": "", "offer_terms": "", **changes}


def look(template: MessageTemplate) -> str:
    return f"{LIST}{template.pk}/look/"


def save_as(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_save_as_template", args=[campaign.pk])


def test_a_new_campaign_begins_with_starters_templates_and_a_blank_one(marketing) -> None:
    template = make_template(offer_title="A free soup")
    html = marketing.get(ADD).content.decode()
    for starter in STARTERS:
        assert f'name="starter" value="{starter.name}"' in html
        assert STARTER.format(starter.name) in html
    assert f'name="template" value="{template.pk}"' in html
    assert "A free soup" in html
    assert f"{ADD}?blank=1" in html
    assert 'id="id_email_content"' in marketing.get(ADD, {"blank": "1"}).content.decode()


@pytest.mark.parametrize("name", [starter.name for starter in STARTERS])
def test_picking_a_starter_opens_a_filled_draft(marketing, name) -> None:
    response = marketing.post(START, {"starter": name}, follow=True)
    campaign = Campaign.objects.get()
    address = reverse("admin:campaigns_campaign_change", args=[campaign.pk])
    assert response.redirect_chain[-1][0] == address
    assert campaign.template_name == name
    assert campaign.created_by.groups.get().name == "Marketing"
    initial = response.context["adminform"].form
    assert initial["email_content"].value() == campaign.email_content != ""
    assert initial["offer_title"].value()


def test_picking_a_template_opens_a_filled_draft(marketing) -> None:
    template = make_template(offer_title="A free soup")
    marketing.post(START, {"template": template.pk})
    campaign = Campaign.objects.get()
    assert (campaign.email_content, campaign.template_name) == (EMAIL, "Lunch")


@pytest.mark.parametrize(
    "post", [{}, {"starter": "x"}, {"template": "9" * 30}, {"template": "٣"}, {"template": "7"}]
)
def test_picking_nonsense_leads_back_with_a_sentence(marketing, post) -> None:
    response = marketing.post(START, post, follow=True)
    assert response.redirect_chain == [(ADD, 302)]
    assert said(response) == [
        "There is no such template: it may have been deleted. Choose another."
    ]
    assert not Campaign.objects.exists()


def test_looking_makes_no_draft(marketing) -> None:
    response = marketing.get(START, {"starter": "birthday"}, follow=True)
    assert response.redirect_chain == [(ADD, 302)]
    assert said(response) == []
    assert not Campaign.objects.exists()


def test_a_message_is_shown_where_it_can_do_nothing(marketing) -> None:
    template = make_template()
    for address in (look(template), STARTER.format("birthday")):
        response = marketing.get(address)
        assert response.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "Ada" in response.content.decode()
    assert marketing.get(STARTER.format("nothing")).status_code == 404
    assert marketing.get(f"{LIST}404/look/").status_code == 404


def test_a_text_only_template_is_shown_as_its_text(marketing) -> None:
    template = make_template(email_content="", sms_content="<b>Half price</b> {{ coupon_url }}")
    html = marketing.get(look(template)).content.decode()
    assert "&lt;b&gt;Half price&lt;/b&gt; https://coupons.example.com/c/" in html


def test_a_template_that_no_longer_fills_in_says_so(marketing) -> None:
    template = make_template(email_content="<p>\n{{ nobody }}</p>")
    html = marketing.get(look(template)).content.decode()
    assert "Email, line 2: there is no placeholder “nobody”" in html
    assert marketing.get(LIST).status_code == 200
    assert marketing.get(ADD).status_code == 200


# --- the team's templates -------------------------------------------------------------------------


def test_a_template_is_made_changed_and_deleted(marketing) -> None:
    assert marketing.post(f"{LIST}add/", post_of()).status_code == 302
    template = MessageTemplate.objects.get()
    assert template.created_by.groups.get().name == "Marketing"
    address = f"{LIST}{template.pk}/change/"
    assert look(template) in marketing.get(address).content.decode()
    colleague = signed_in("Marketing")
    assert colleague.post(address, post_of(name="Dinner", offer_title="Soup")).status_code == 302
    changed = MessageTemplate.objects.get()
    assert (changed.name, changed.offer_title) == ("Dinner", "Soup")
    assert changed.created_by == template.created_by
    assert changed.updated_at > template.updated_at
    assert marketing.post(f"{LIST}{template.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not MessageTemplate.objects.exists()


def test_a_hostile_template_is_refused_with_its_line(marketing) -> None:
    post = post_of(email_content="<p>Hi</p>\n{{ customer.__class__.__mro__ }}")
    response = marketing.post(f"{LIST}add/", post)
    assert response.status_code == 200
    (error,) = response.context["adminform"].form.errors["email_content"]
    assert error.startswith("Email, line 2: ")
    assert not MessageTemplate.objects.exists()


def test_a_name_that_is_taken_is_said_clearly(marketing) -> None:
    make_template()
    response = marketing.post(f"{LIST}add/", post_of(subject="Other"))
    errors = response.context["adminform"].form.errors
    assert errors == {"name": ["There is a template of this name already: choose another name."]}


def test_two_people_saving_under_one_name_at_once_both_get_an_answer(
    marketing, monkeypatch
) -> None:
    make_template()
    # As when the other one commits after this one's form was checked.
    monkeypatch.setattr(MessageTemplate, "validate_unique", lambda self, exclude=None: None)
    response = marketing.post(f"{LIST}add/", post_of(subject="Other"), follow=True)
    assert said(response) == ["There is a template “Lunch” already: choose another name."]
    assert MessageTemplate.objects.get().subject == "Lunch"


def test_a_campaign_is_saved_as_a_template_by_its_button(marketing) -> None:
    campaign = OfferFactory(campaign__name="Pizza week", title="20% off").campaign
    page = reverse("admin:campaigns_campaign_change", args=[campaign.pk])
    assert f'action="{save_as(campaign)}"' in marketing.get(page).content.decode()
    assert marketing.get(save_as(campaign)).url == page
    assert not MessageTemplate.objects.exists()
    response = marketing.post(save_as(campaign), follow=True)
    assert said(response) == [
        "Saved as template “Pizza week”: “New campaign” offers it from now on."
    ]
    template = MessageTemplate.objects.get()
    assert (template.email_content, template.offer_title) == (campaign.email_content, "20% off")

    again = marketing.post(save_as(campaign))
    assert again.status_code == 200
    sentence = "There is a template “Pizza week” already: choose another name."
    assert sentence in again.content.decode()
    marketing.post(save_as(campaign), {"name": "Pizza week, short"})
    assert MessageTemplate.objects.filter(name="Pizza week, short").exists()
    for name in ("", "n" * 121):
        assert marketing.post(save_as(campaign), {"name": name}).context["form"].errors["name"]
    assert MessageTemplate.objects.count() == 2


def test_a_hostile_campaign_does_not_become_a_template(marketing) -> None:
    campaign = CampaignFactory(email_content="<p>\n\n{{ ''.__class__ }}</p>")
    (message,) = said(marketing.post(save_as(campaign), follow=True))
    assert message.startswith("Email, line 3: ")
    assert not MessageTemplate.objects.exists()


def test_the_list_needs_as_many_queries_for_many_as_for_one(marketing) -> None:
    for address in (LIST, ADD):
        MessageTemplate.objects.all().delete()
        make_template(created_by=UserFactory())
        marketing.get(address)
        with CaptureQueriesContext(connection) as few:
            marketing.get(address)
        for number in range(9):
            make_template(name=f"Template {number}", created_by=UserFactory())
        with CaptureQueriesContext(connection) as many:
            html = marketing.get(address).content.decode()
        assert html.count("<iframe") >= 10
        assert len(many) == len(few) < 20
        read = [query["sql"] for query in many if "campaigns_messagetemplate" in query["sql"]]
        assert not [sql for sql in read if "email_content" in sql]


def test_a_long_list_of_templates_leads_to_all_of_them(marketing) -> None:
    for number in range(61):
        make_template(name=f"Template {number}")
    html = marketing.get(ADD).content.decode()
    assert html.count('name="template" value=') == 60
    assert "All templates" in html


# --- rights ---------------------------------------------------------------------------------------


def test_without_the_rights_nothing_opens_and_nothing_is_made(analyst, till, client) -> None:
    template, campaign = make_template(), CampaignFactory()
    closed = [ADD, LIST, f"{LIST}add/", f"{LIST}{template.pk}/change/", look(template)]
    closed += [f"{LIST}{template.pk}/delete/", STARTER.format("birthday")]
    for address in closed:
        assert analyst.get(address).status_code == 403, address
        assert till.get(address).status_code == 403, address
        assert client.get(address).status_code == 302, address
    for person in (analyst, till):
        assert person.post(START, {"starter": "birthday"}).status_code == 403
        assert person.post(save_as(campaign)).status_code == 403
        assert person.post(f"{LIST}add/", post_of(name="Mine")).status_code == 403
    assert Campaign.objects.count() == MessageTemplate.objects.count() == 1


def test_the_right_to_campaigns_is_not_the_right_to_templates(db) -> None:
    template, campaign = make_template(), CampaignFactory()
    writer = given("campaigns.view_campaign", "campaigns.add_campaign", "campaigns.change_campaign")
    html = writer.get(ADD).content.decode()
    assert 'name="starter"' in html
    assert 'name="template"' not in html
    assert writer.post(START, {"template": template.pk}).status_code == 403
    assert writer.post(save_as(campaign)).status_code == 403
    assert writer.post(START, {"starter": "birthday"}).status_code == 302
    page = reverse("admin:campaigns_campaign_change", args=[campaign.pk])
    assert "Save as template" not in writer.get(page).content.decode()
