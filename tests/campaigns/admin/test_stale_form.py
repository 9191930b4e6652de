"""A form that was loaded before a colleague saved takes nothing back (M-6)."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from campaigns.models import Campaign, MessageTemplate
from customers.segments import ensure_segments
from qrcodes.models import Offer
from tests.campaigns.admin.forms import campaign_post, said
from tests.factories import OfferFactory, now


def url_of(row: Campaign | MessageTemplate) -> str:
    return reverse(f"admin:campaigns_{row._meta.model_name}_change", args=[row.pk])


def loaded_in(response) -> str:
    html = response.content.decode()
    return unescape(re.search(r'name="loaded" value="([^"]*)"', html)[1])


def opened(client, row, **changes) -> dict:
    """The form as the browser got it, with some fields changed by whoever sits before it."""
    loaded = loaded_in(client.get(url_of(row)))
    assert loaded
    if isinstance(row, Campaign):
        return campaign_post(row, **{"email_text": row.email_text, "loaded": loaded, **changes})
    fields = ("name", "subject", "email_content", "email_text", "sms_content", "offer_title")
    columns = {name: getattr(row, name) for name in (*fields, "offer_value", "offer_terms")}
    return {**columns, "loaded": loaded, **changes}


def errors_of(response) -> list[str]:
    return list(response.context["adminform"].form.non_field_errors())


@pytest.fixture
def campaign(db) -> Campaign:
    offer = OfferFactory(
        terms="One each.\nNot with others.",
        minimum_amount=Decimal("15.50"),
        campaign__email_text=" Own words\n",
    )
    return offer.campaign


def test_a_change_of_the_same_field_is_a_conflict_and_nothing_is_saved(marketing, campaign) -> None:
    post = opened(
        marketing, campaign, subject="Mine", name="Also mine", email_content="<p>Mine</p>"
    )
    Campaign.objects.filter(pk=campaign.pk).update(subject="Theirs", email_content="<b>Theirs</b>")
    response = marketing.post(url_of(campaign), post)
    assert response.status_code == 200
    (error,) = errors_of(response)
    assert error.startswith(
        "Nothing was saved: meanwhile somebody else changed “Subject” and “Email”"
    )
    html = response.content.decode()
    for shown in (
        'value="Mine"',
        'value="Also mine"',
        "&lt;p&gt;Mine",
        "&lt;b&gt;Theirs",
        "Theirs",
    ):
        assert shown in html
    saved = Campaign.objects.get(pk=campaign.pk)
    assert (saved.subject, saved.name) == ("Theirs", campaign.name)

    # Whoever saves again has seen both.
    again = marketing.post(url_of(campaign), {**post, "loaded": loaded_in(response)})
    assert again.status_code == 302
    saved.refresh_from_db()
    assert (saved.subject, saved.name, saved.email_content) == ("Mine", "Also mine", "<p>Mine</p>")


def test_a_third_change_between_the_two_savings_is_a_conflict_again(marketing, campaign) -> None:
    post = opened(marketing, campaign, subject="Mine")
    Campaign.objects.filter(pk=campaign.pk).update(subject="Theirs")
    response = marketing.post(url_of(campaign), post)
    Campaign.objects.filter(pk=campaign.pk).update(subject="Theirs again")
    response = marketing.post(url_of(campaign), {**post, "loaded": loaded_in(response)})
    assert errors_of(response)
    campaign.refresh_from_db()
    assert campaign.subject == "Theirs again"


def test_what_this_person_left_alone_keeps_the_colleagues_words(marketing, campaign) -> None:
    vip = ensure_segments(["vip"])["vip"]
    post = opened(marketing, campaign, name="Mine", offer_title="My title")
    Campaign.objects.filter(pk=campaign.pk).update(
        subject="Theirs", qr_expiration_days=7, has_qr_code=True, target_all=False
    )
    campaign.target_segments.add(vip)
    Offer.objects.filter(campaign=campaign).update(terms="Theirs too", value="5 EUR")
    response = marketing.post(url_of(campaign), post, follow=True)
    assert any("their version is kept" in text for text in said(response))
    saved = Campaign.objects.get(pk=campaign.pk)
    assert (saved.name, saved.subject, saved.qr_expiration_days) == ("Mine", "Theirs", 7)
    assert not saved.target_all
    assert list(saved.target_segments.all()) == [vip]
    offer = Offer.objects.get(campaign=campaign)
    assert (offer.title, offer.terms, offer.value) == ("My title", "Theirs too", "5 EUR")
    assert "subject" not in LogEntry.objects.latest("pk").change_message.lower()


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"target_segments": "vip"}, "segments"),
        ({"has_qr_code": None}, {"qr_expiration_days": 9, "max_usage": 2}),
        ({"offer_terms": "Mine"}, {"offer": {"terms": "Theirs"}}),
        ({"offer_minimum_amount": "20"}, {"offer": {"minimum_amount": Decimal(30)}}),
    ],
)
def test_conflicts_are_seen_in_every_kind_of_field(marketing, campaign, mine, theirs) -> None:
    segments = ensure_segments(["vip", "left", "old"])
    Campaign.objects.filter(pk=campaign.pk).update(target_all=False)
    campaign.refresh_from_db()
    campaign.target_segments.add(segments["old"])
    if mine.get("target_segments"):
        mine = {"target_segments": [segments["vip"].pk]}
    post = opened(marketing, campaign, **mine)
    if theirs == "segments":
        campaign.target_segments.set([segments["left"]])
    elif "offer" in theirs:
        Offer.objects.filter(campaign=campaign).update(**theirs["offer"])
    else:
        Campaign.objects.filter(pk=campaign.pk).update(**theirs)
    response = marketing.post(url_of(campaign), post)
    if "has_qr_code" in mine:
        # Other fields than the colleague's: no conflict, and theirs stay.
        assert response.status_code == 302
        campaign.refresh_from_db()
        assert (campaign.has_qr_code, campaign.qr_expiration_days) == (False, 9)
    else:
        assert len(errors_of(response)) == 1


def test_the_same_change_by_both_is_no_conflict(marketing, campaign) -> None:
    post = opened(marketing, campaign, subject="Same")
    Campaign.objects.filter(pk=campaign.pk).update(subject="Same")
    assert marketing.post(url_of(campaign), post).status_code == 302


def test_a_form_that_nobody_overtook_saves_whatever_a_browser_does_to_it(
    marketing, campaign
) -> None:
    Offer.objects.filter(campaign=campaign).update(starts_at=now() + timedelta(microseconds=17))
    page = marketing.get(url_of(campaign))
    form = page.context["adminform"].form
    day, hour = form["offer_starts_at"].subwidgets[0].data["subwidgets"]
    post = opened(
        marketing,
        campaign,
        email_content=campaign.email_content + "\r\nNew",
        offer_terms="One each.\r\nNot with others.",
        offer_minimum_amount="15.50",
        offer_starts_at_0=day["value"],
        offer_starts_at_1=hour["value"],
    )
    response = marketing.post(url_of(campaign), post, follow=True)
    assert not any("somebody else" in text for text in said(response))
    campaign.refresh_from_db()
    assert campaign.email_content.endswith("New")


def test_what_was_typed_is_kept_when_something_is_wrong(marketing, campaign) -> None:
    post = opened(marketing, campaign, subject="{{ nobody }}", email_text="Typed for an hour")
    response = marketing.post(url_of(campaign), post)
    assert "Typed for an hour" in response.content.decode()
    assert loaded_in(response) == post["loaded"]


def test_an_error_on_the_way_does_not_make_the_colleagues_change_mine(marketing, campaign) -> None:
    post = opened(marketing, campaign, name="")
    Campaign.objects.filter(pk=campaign.pk).update(sms_content="Theirs")
    response = marketing.post(url_of(campaign), post)
    assert response.status_code == 200
    again = {**post, "name": "Mine", "loaded": loaded_in(response)}
    assert marketing.post(url_of(campaign), again).status_code == 302
    campaign.refresh_from_db()
    assert (campaign.name, campaign.sms_content) == ("Mine", "Theirs")


@pytest.mark.parametrize("loaded", ["", "nonsense", "[1]", '{"subject": 3}', "x" * 4_000])
def test_a_form_without_its_memory_is_saved_as_before(marketing, campaign, loaded) -> None:
    post = {**opened(marketing, campaign, name="Mine"), "loaded": loaded}
    assert marketing.post(url_of(campaign), post).status_code in {200, 302}


def test_templates_are_protected_alike(marketing) -> None:
    template = MessageTemplate.objects.create(name="One", subject="Old", sms_content="Hi")
    post = opened(marketing, template, subject="Mine")
    MessageTemplate.objects.filter(pk=template.pk).update(subject="Theirs")
    response = marketing.post(url_of(template), post)
    assert "somebody else changed “Subject”" in errors_of(response)[0]
    template.refresh_from_db()
    assert template.subject == "Theirs"

    post = opened(marketing, template, sms_content="Mine")
    MessageTemplate.objects.filter(pk=template.pk).update(subject="Theirs again")
    assert marketing.post(url_of(template), post).status_code == 302
    template.refresh_from_db()
    assert (template.subject, template.sms_content) == ("Theirs again", "Mine")


@pytest.mark.parametrize("loaded", ["[" * 5_000, "{", "[1]", "null", '{"subject": [1]}', "\x00"])
def test_a_forged_memory_is_no_reason_to_fall_over(marketing, campaign, loaded) -> None:
    response = marketing.post(url_of(campaign), campaign_post(campaign, loaded=loaded))
    assert response.status_code in {200, 302}
