"""What the campaign editor asks while somebody writes: rights, answers, nothing written (M-6)."""

import time
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, Delivery, MessageTemplate, TestSend
from campaigns.starters import STARTERS
from customers.models import Customer
from customers.segments import ensure_segments
from qrcodes.models import Offer, QRCode
from tests.campaigns.admin.conftest import signed_in
from tests.campaigns.admin.forms import campaign_post
from tests.campaigns.content.hostile import EMAILS
from tests.factories import CustomerFactory, OfferFactory, UserFactory, now

PREVIEW, LONGEST, PEOPLE = (
    f"/admin/campaigns/campaign/editor/{name}/" for name in ("preview", "longest", "people")
)


@pytest.fixture
def campaign(db) -> Campaign:
    return OfferFactory().campaign


def written(campaign: Campaign | None = None, **changes) -> dict:
    asked = {
        "editor_kind": "campaign",
        "editor_id": campaign.pk if campaign else "",
        "shown_as": "sample",
        "images": "on",
    }
    return campaign_post(campaign, **{**asked, **changes})


def rows() -> list[int]:
    models = (Campaign, Offer, QRCode, Delivery, TestSend, LogEntry, MessageTemplate)
    return [model.objects.count() for model in models]


def client_with(right: str) -> Client:
    user = UserFactory()
    user.user_permissions.add(Permission.objects.get(codename=right.partition(".")[2]))
    client = Client()
    client.force_login(user)
    return client


def problems_of(answer) -> list[tuple]:
    return [(each["code"], each["field"], each["line"]) for each in answer.json()["problems"]]


# --- Rights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [PREVIEW, LONGEST, PEOPLE])
def test_it_answers_only_those_who_may_write(campaign, address) -> None:
    for group in ("Analyst", "Till staff"):
        assert signed_in(group).post(address, written(campaign)).status_code == 403
        assert signed_in(group).post(address, written()).status_code == 403
    assert Client().post(address, written(campaign)).status_code == 302
    marketing = signed_in("Marketing")
    assert marketing.post(address, written(campaign)).status_code == 200
    assert marketing.post(address, written()).status_code == 200
    assert marketing.get(address).status_code == 405


@pytest.mark.parametrize(
    ("right", "kind", "editor_id", "status"),
    [
        ("campaigns.change_campaign", "campaign", "1", 200),
        ("campaigns.change_campaign", "campaign", "", 403),
        ("campaigns.add_campaign", "campaign", "", 200),
        ("campaigns.add_campaign", "campaign", "1", 403),
        ("campaigns.change_messagetemplate", "template", "1", 200),
        ("campaigns.change_messagetemplate", "template", "", 403),
        ("campaigns.change_messagetemplate", "campaign", "1", 403),
        ("campaigns.add_messagetemplate", "template", "", 200),
    ],
)
def test_each_kind_needs_its_own_right(campaign, right, kind, editor_id, status) -> None:
    client = client_with(right)
    asked = written(editor_kind=kind, editor_id=editor_id)
    assert client.post(PREVIEW, asked).status_code == status


def test_it_needs_a_csrf_token(campaign) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(UserFactory(groups=["Marketing"]))
    assert client.post(PREVIEW, written(campaign)).status_code == 403


def test_without_the_right_to_see_customers_nobody_is_shown(campaign) -> None:
    grace = CustomerFactory(first_name="Grace", last_name="Hopper" * 20)
    client = client_with("campaigns.change_campaign")
    for choice in (grace.pk, "first"):
        answer = client.post(PREVIEW, written(campaign, shown_as=choice))
        assert "Grace" not in answer.content.decode()
        assert answer.json()["person"] == "a sample customer"
    assert client.post(PEOPLE, written(campaign, q="Grace")).status_code == 403
    sms = "Hi {{ customer.full_name }}"
    answer = client.post(LONGEST, written(campaign, sms_content=sms))
    assert "Grace" not in answer.content.decode()
    assert answer.json()["customer"] is None
    assert answer.json()["length"]["units"] > 100


# --- Answers ------------------------------------------------------------------------------------


def test_it_shows_what_is_not_saved_and_saves_nothing(marketing, campaign) -> None:
    CustomerFactory()
    before = rows()
    answer = marketing.post(
        PREVIEW,
        written(
            campaign,
            subject="New {{ offer.title }}",
            email_content="<div style='display:none'>Peek</div><p>Hi {{ customer.first_name }}</p>"
            "{{ campaign.name }}|{{ offer.minimum_amount }}|{{ offer.starts_at }}",
            name="Unsaved",
            offer_title="2 for 1",
            offer_minimum_amount="15.5",
            offer_starts_at_0="2026-12-01",
            offer_starts_at_1="00:00:00",
            email_text="Own words",
        ),
    )
    email = answer.json()["email"]
    assert email["subject"] == "New 2 for 1"
    assert "Hi Ada" in email["html"]
    assert "Unsaved|15.50 EUR|1 December 2026" in email["html"]
    assert email["preheader"].startswith("Peek Hi Ada")
    assert email["text"].startswith("Own words")
    assert rows() == before
    campaign.refresh_from_db()
    assert campaign.name != "Unsaved"


def test_the_frame_may_run_nothing_and_shows_pictures_only_when_asked(marketing, campaign) -> None:
    post = written(campaign, email_content="<!DOCTYPE html><p>Hi</p>")
    html = marketing.post(PREVIEW, post).json()["email"]["html"]
    assert html.lower().startswith("<!doctype html><meta http-equiv")
    assert "default-src 'none'" in html
    assert "img-src data: https: http:" in html
    assert '<base target="_blank">' in html
    html = marketing.post(PREVIEW, {**post, "images": "off"}).json()["email"]["html"]
    assert "img-src 'none'" in html


def test_it_is_filled_in_for_whom_one_chooses(marketing, campaign) -> None:
    CustomerFactory(first_name="Grace")
    vip = CustomerFactory(first_name="Vera", tags=["vip"])
    Customer.objects.filter(pk=CustomerFactory(first_name="Gone").pk).update(erased_at=now())
    content = "<p>Hello {{ customer.first_name|default('there') }}.</p>"

    def greeted(**changes) -> tuple[str, str]:
        post = written(campaign, email_content=content, **changes)
        answer = marketing.post(PREVIEW, post).json()
        return answer["person"], answer["email"]["html"].split("Hello ")[1].split(".")[0]

    assert greeted()[1] == "Ada"
    assert greeted(shown_as="blank") == ("a customer of whom little is known", "there")
    assert greeted(shown_as="first")[1] == "Grace"
    segment = vip.tags.get().pk
    assert greeted(shown_as="first", target_all=None, target_segments=[segment])[1] == "Vera"
    assert greeted(shown_as="first", excluded_segments=[segment])[1] == "Grace"
    assert greeted(shown_as="first", target_all=None)[1] == "Ada"
    assert greeted(shown_as=vip.pk)[1] == "Vera"
    assert greeted(shown_as="4711")[1] == "Ada"
    for odd in ("-1", "x", "9" * 40, "²", ""):
        assert greeted(shown_as=odd)[1] == "Grace", odd


def test_it_has_a_code_only_where_the_campaign_has_one(marketing, campaign) -> None:
    with_code = marketing.post(PREVIEW, written(campaign)).json()
    assert "data:image/png;base64," in with_code["email"]["html"]
    without = marketing.post(PREVIEW, written(campaign, has_qr_code=None)).json()
    assert "data:image/png;base64," not in without["email"]["html"]
    assert not QRCode.objects.exists()


def test_every_problem_comes_with_its_field_and_line(marketing, campaign) -> None:
    answer = marketing.post(
        PREVIEW,
        written(
            campaign,
            subject="{{ nobody }}",
            email_content="<p>\n\n{{ customer.first_nam }}</p>",
            email_text="Hi\n{% if %}",
            sms_content="Fine {{ coupon_url }}",
        ),
    )
    assert problems_of(answer) == [
        ("unknown_placeholder", "subject", 1),
        ("unknown_placeholder", "email_content", 3),
        ("template_syntax", "email_text", 2),
    ]
    assert answer.json()["email"] is None
    # What is broken does not hide the rest.
    assert answer.json()["sms"]["text"].startswith("Fine http")


def test_a_value_that_does_not_work_for_this_customer_is_a_problem(marketing, campaign) -> None:
    odd = CustomerFactory(attributes={"points": "many"})
    content = "<p>\n{{ customer.attributes.points * 2 }}</p>"
    post = written(campaign, email_content=content, shown_as=odd.pk)
    answer = marketing.post(PREVIEW, post)
    assert ("render_failed", "email_content", 2) in problems_of(answer)
    assert answer.json()["email"] is None


def test_the_text_message_says_what_it_costs_and_why(marketing, campaign, settings) -> None:
    settings.SMS_PRICE_PER_SEGMENT = Decimal("0.0079")
    answer = marketing.post(PREVIEW, written(campaign, sms_content="It’s – 20% ☕ Zoë off" * 5))
    sms = answer.json()["sms"]
    assert (sms["length"]["encoding"], sms["length"]["segments"]) == ("UCS-2", 2)
    assert sms["cost"] == "0.0158 EUR"
    found = {
        each["character"]: (each["replacement"], each["written"]) for each in sms["characters"]
    }
    assert found == {"’": ("'", True), "–": ("-", True), "☕": (None, True), "ë": (None, True)}
    settings.SMS_PRICE_PER_SEGMENT = None
    sms = marketing.post(PREVIEW, written(campaign, sms_content="Plain")).json()["sms"]
    assert (sms["cost"], sms["length"]["encoding"], sms["characters"]) == ("", "GSM-7", [])


def test_a_character_of_the_customers_is_not_the_authors(marketing, campaign) -> None:
    zoe = CustomerFactory(first_name="Zoë")
    post = written(campaign, sms_content="Hi {{ customer.first_name }}", shown_as=zoe.pk)
    (found,) = marketing.post(PREVIEW, post).json()["sms"]["characters"]
    assert (found["character"], found["written"]) == ("ë", False)


def test_an_own_text_starts_with_the_placeholders_kept(marketing, campaign) -> None:
    html = (
        '<style>p{}</style><p>Hi {{ customer.first_name|default("there") }}</p>'
        "{% if qr_code_base64 %}<p>Code {{ short_code }}</p>{% endif %}"
        '<a href="{{ unsubscribe_url }}">Unsubscribe</a>'
    )
    post = written(campaign, email_content=html, starting_text="1")
    text = marketing.post(PREVIEW, post).json()["starting_text"]
    assert 'Hi {{ customer.first_name|default("there") }}' in text
    assert "{% if qr_code_base64 %}" in text
    assert "Unsubscribe ({{ unsubscribe_url }})" in text
    assert "<" not in text


@pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.name)
def test_the_text_of_a_starter_can_be_started_from(marketing, campaign, starter) -> None:
    post = written(campaign, email_content=starter.email_content, starting_text="1")
    text = marketing.post(PREVIEW, post).json()["starting_text"]
    assert "{{ unsubscribe_url }}" in text
    answer = marketing.post(PREVIEW, {**post, "email_text": text})
    assert not [each for each in answer.json()["problems"] if each["blocking"]]


# --- Hostile and odd input ----------------------------------------------------------------------


@pytest.mark.parametrize("field", ["subject", "email_content", "email_text", "sms_content"])
def test_hostile_templates_are_problems_and_end_in_time(marketing, campaign, field) -> None:
    for source, _ in EMAILS.values():
        if len(source) > 200_000:
            continue  # larger than most fields, and looked at below
        started = time.monotonic()
        answer = marketing.post(PREVIEW, written(campaign, **{field: source}))
        assert answer.status_code == 200, source[:80]
        assert time.monotonic() - started < 5, source[:80]


def test_what_is_larger_than_a_template_may_be_is_a_problem(marketing, campaign) -> None:
    answer = marketing.post(PREVIEW, written(campaign, email_content="x" * 500_001))
    assert ("template_too_large", "email_content", None) in problems_of(answer)
    huge = marketing.post(PREVIEW, written(campaign, email_content="x" * 3_000_000))
    assert huge.status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"qr_expiration_days": "soon"},
        {"qr_expiration_days": "999999999999"},
        {"offer_minimum_amount": "NaN"},
        {"offer_starts_at_0": "32.13.2026"},
        {"target_segments": ["x", "9" * 30, "-1", "4711"], "target_all": None},
        {"name": "\x00", "subject": "\x00", "sms_content": "\x00", "email_content": "a\x00b"},
        {"editor_id": "x"},
        {"shown_as": "\x00"},
        {"offer_title": "x" * 10_000},
    ],
)
def test_odd_values_are_taken_as_empty(marketing, campaign, changes) -> None:
    for address in (PREVIEW, LONGEST, PEOPLE):
        answer = marketing.post(address, {"shown_as": "first", **written(campaign, **changes)})
        assert answer.status_code == 200, address
    nothing = {"editor_kind": "campaign", "editor_id": campaign.pk}
    assert marketing.post(PREVIEW, nothing).status_code == 200
    assert marketing.post(LONGEST, nothing).json() == {"sentence": ""}


def test_an_address_that_cannot_be_decrypted_is_told(marketing, campaign) -> None:
    locked = CustomerFactory()
    Customer.objects.filter(pk=locked.pk).update(email_encrypted="v1:k9:AAAA:AAAA")
    post = written(campaign, email_content="{{ customer.email }}", shown_as=locked.pk)
    answer = marketing.post(PREVIEW, post)
    assert answer.status_code == 409
    assert answer.json()["error"] == "The address could not be decrypted: a key is missing."


# --- People -------------------------------------------------------------------------------------


def test_people_are_found_by_name_full_email_or_full_phone_and_only_named(
    marketing, campaign
) -> None:
    grace = CustomerFactory(
        first_name="Grace", last_name="Hopper", email="grace@example.com", phone="+4915112345678"
    )
    for text in ("grace", "hop gra", " Grace@Example.com ", "0151 12345678"):
        answer = marketing.post(PEOPLE, written(campaign, q=text))
        assert answer.json() == {"people": [{"id": grace.pk, "name": "Grace Hopper"}]}, text
    for text in ("grace@exam", "", "\x00", "%"):
        assert marketing.post(PEOPLE, written(campaign, q=text)).json() == {"people": []}, text


# --- The longest --------------------------------------------------------------------------------


def test_the_longest_is_looked_for_in_the_whole_audience(marketing, campaign, monkeypatch) -> None:
    CustomerFactory(first_name="Al", last_name="")
    longest = CustomerFactory(first_name="Maximiliana" * 8, last_name="")
    CustomerFactory(first_name="Unreachable" * 9, phone="", sms_subscribed=False)
    post = written(campaign, sms_content="{{ customer.first_name }}" + "x" * 80)
    answer = marketing.post(LONGEST, post).json()
    assert (answer["length"]["segments"], answer["customer"]) == (2, longest.pk)
    assert answer["sentence"] == f"Longest of all 2 recipients: {longest}."
    assert answer["total"] == "3 segments for everybody"

    monkeypatch.setattr("campaigns.editor.measure_texts.MOST_LOOKED_AT", 3)
    monkeypatch.setattr("campaigns.editor.measure_texts.LONGEST_NAMES", 1)
    for _ in range(5):
        CustomerFactory(first_name="Bo", last_name="")
    longest = CustomerFactory(first_name="Maximiliana" * 10, last_name="")
    answer = marketing.post(LONGEST, post).json()
    assert answer["customer"] == longest.pk
    assert answer["sentence"].startswith(
        "Longest of 3 of 8 recipients looked at, the longest names"
    )
    assert answer["total"].startswith("About ")


def test_the_editor_and_the_confirm_page_say_the_same(
    marketing, campaign, monkeypatch, settings
) -> None:
    settings.SMS_PRICE_PER_SEGMENT = Decimal("0.10")
    monkeypatch.setattr("campaigns.editor.measure_texts.MOST_LOOKED_AT", 4)
    monkeypatch.setattr("campaigns.editor.measure_texts.LONGEST_NAMES", 2)
    for length in (1, 8, 1, 3, 8, 1, 5, 1, 1):
        CustomerFactory(first_name="Maximiliana" * length, last_name="")
    sms = "{{ customer.first_name }} {{ coupon_url }}" + "x" * 80
    Campaign.objects.filter(pk=campaign.pk).update(sms_content=sms, target_all=True)
    editor = marketing.post(LONGEST, written(campaign, sms_content=sms)).json()
    page = reverse("admin:campaigns_campaign_send", args=[campaign.pk])
    cost = marketing.get(page).context["cost"]
    assert (cost.looked_at, cost.recipients) == (4, 9)
    assert 9 < cost.segments < 18
    assert editor["total"] == (
        f"About {cost.segments} segments for everybody, {cost.price:.2f} EUR"
    )


def test_the_one_of_whom_little_is_known_may_be_the_longest(marketing, campaign) -> None:
    CustomerFactory(first_name="Al")
    words = "{{ customer.first_name|default('our dear and most valued guest') }}"
    answer = marketing.post(LONGEST, written(campaign, sms_content=words)).json()
    assert answer["customer"] is None
    assert "of whom little is known" in answer["sentence"]


def test_looking_at_an_audience_asks_the_database_no_more_for_more_people(
    marketing, campaign, django_assert_max_num_queries
) -> None:
    CustomerFactory.create_batch(30, tags=["vip"])
    sms = "{{ customer.full_name }} {{ customer.segments }} {{ preferences_url }}"
    with django_assert_max_num_queries(12):
        marketing.post(LONGEST, written(campaign, sms_content=sms))


# --- The page -----------------------------------------------------------------------------------


def test_the_page_holds_the_form_and_what_the_editor_needs(marketing, campaign) -> None:
    html = marketing.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])).content
    for piece in (b'name="loaded"', b'name="email_text"', b"editor/editor.js", b"data-editor"):
        assert piece in html
    running = Campaign.objects.filter(pk=campaign.pk)
    running.update(status="sending")
    html = marketing.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])).content
    assert b"data-editor" not in html


def test_an_analyst_gets_no_editor(analyst, campaign) -> None:
    html = analyst.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])).content
    assert b"data-editor" not in html


def test_saved_templates_have_the_same_editor(marketing) -> None:
    ensure_segments(["vip"])
    template = MessageTemplate.objects.create(name="One", sms_content="Hi")
    url = reverse("admin:campaigns_messagetemplate_change", args=[template.pk])
    assert b'"kind": "template"' in marketing.get(url).content
    assert b"data-editor" in marketing.get("/admin/campaigns/messagetemplate/add/").content
