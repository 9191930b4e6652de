"""The starter templates (M-5): real messages with nothing wrong, for everybody."""

import re

import pytest

from campaigns.content.checks import check_content, shows_code
from campaigns.content.html_checks import GMAIL_CLIPS_AT
from campaigns.content.placeholders import sample_context
from campaigns.content.rendering import RenderedEmail, compile_campaign
from campaigns.content.sms_length import measure_sms
from campaigns.models import Campaign
from campaigns.start_campaign import start_from_starter
from campaigns.starters import STARTERS, Starter, find_starter
from qrcodes.models import Offer

NAMES = [starter.name for starter in STARTERS]
PROMISED = {
    "percent_off",
    "buy_one_get_one",
    "we_miss_you",
    "birthday",
    "new_product",
    "monday_special",
}


def messages_of(starter: Starter) -> dict[str, str]:
    return {
        "subject": starter.subject,
        "email_content": starter.email_content,
        "sms_content": starter.sms_content,
    }


def context_of(starter: Starter, *, with_qr: bool = True, blank: bool = False) -> dict:
    """A sample customer's values; without a code there is no offer either, as in a campaign."""
    context = sample_context(with_qr=with_qr, blank=blank)
    context["offer"] = dict.fromkeys(context["offer"], "")
    if with_qr:
        context["offer"].update(
            title=starter.offer_title, value=starter.offer_value, terms=starter.offer_terms
        )
    return context


def rendered(starter: Starter, context: dict) -> tuple[RenderedEmail, str]:
    compiled = compile_campaign(**messages_of(starter))
    return compiled.render_email(context), compiled.render_sms(context)


@pytest.fixture(params=STARTERS, ids=NAMES)
def starter(request) -> Starter:
    return request.param


def test_the_promised_starters_are_there() -> None:
    assert set(NAMES) >= PROMISED
    assert len(set(NAMES)) == len(NAMES)
    assert find_starter("monday_special").title == "Monday special"
    assert find_starter("../settings") is None


@pytest.mark.parametrize("with_qr", [True, False])
def test_it_passes_every_check(starter, with_qr) -> None:
    assert check_content(**messages_of(starter), has_qr_code=with_qr) == []


def test_its_code_is_in_a_section_of_its_own_and_in_letters(starter) -> None:
    source = starter.email_content
    section = re.search(r"{% if qr_code_base64 %}(\s*<tr>.*?</tr>\s*){% else %}", source, re.S)[1]
    for placeholder in ("short_code", "expires_at", "coupon_url"):
        assert f"{{{{ {placeholder} }}}}" in section
    image = '<img src="data:image/png;base64,{{ qr_code_base64 }}"'
    assert section.count(image) == source.count("<img") == 1
    assert shows_code(**{k: v for k, v in messages_of(starter).items() if k != "subject"})


@pytest.mark.parametrize("blank", [True, False])
@pytest.mark.parametrize("with_qr", [True, False])
def test_it_reads_well_whatever_is_known(starter, with_qr, blank) -> None:
    context = context_of(starter, with_qr=with_qr, blank=blank)
    email, sms = rendered(starter, context)
    for text in (email.subject, email.text, sms):
        assert not re.search(r" [,.!?:;]|,,|\(\s*\)|\bNone\b|{[{%]|^[,.]|:\s*$", text, re.M), text
        assert ("Ada" in text) <= (not blank)
    # A title or a figure stays where the offer gives none.
    assert not re.search(r"\boff\b", email.text) or re.search(r"\d+% off|\d+%\s+off", email.text)
    needed = [context["unsubscribe_url"], context["preferences_url"], "Pizzeria Vesuvio"]
    needed += ["1 Harbour Street, Hamburg"]
    if with_qr:
        needed += [context["short_code"], context["expires_at"], context["coupon_url"]]
        needed += [starter.offer_terms]
    else:
        needed += ["Show this email when you pay"]
    flat = " ".join(email.text.split())
    assert [text for text in needed if text.lower() not in flat.lower()] == []


def test_without_an_address_of_the_business_nothing_is_left_hanging(starter) -> None:
    context = context_of(starter)
    context["business"]["address"] = ""
    email, _ = rendered(starter, context)
    assert "<br></p>" not in email.html.replace(" ", "")


def test_it_loads_nothing_and_stays_small(starter, settings) -> None:
    settings.QR_IMAGE_STRATEGY = "inline"
    email, _ = rendered(starter, context_of(starter))
    assert re.findall(r"(?:src|background)=\"http[^\"]*|url\(", email.html) == []
    assert len(email.html.encode()) < GMAIL_CLIPS_AT / 2


def test_its_preheader_says_something_of_its_own(starter) -> None:
    email, _ = rendered(starter, context_of(starter, blank=True))
    hidden = re.search(r"<div style=\"display:\s*none[^>]*>(.*?)</div>", email.html, re.S)[1]
    preheader = " ".join(re.sub(r"[͏‌ ]|&\S+;", "", hidden).split())
    assert 40 <= len(preheader) <= 130, preheader
    assert preheader != email.subject


def test_its_text_message_is_one_part(starter) -> None:
    for with_qr in (True, False):
        context = context_of(starter, with_qr=with_qr)
        if with_qr:
            context["expires_at"] = "30 September 2026"  # the longest date
        _, sms = rendered(starter, context)
        length = measure_sms(sms)
        assert (length.encoding, length.segments) == ("GSM-7", 1), sms
        assert sms.startswith("Pizzeria Vesuvio: ")
        assert sms.endswith("STOP to opt out")


@pytest.mark.django_db
def test_a_draft_made_from_it_is_like_it(starter) -> None:
    campaign = start_from_starter(name=starter.name)
    campaign = Campaign.objects.get(pk=campaign.pk)
    assert campaign.template_name == starter.name
    assert campaign.name.startswith(f"{starter.title}, ")
    assert {field: getattr(campaign, field) for field in messages_of(starter)} == messages_of(
        starter
    )
    assert (campaign.status, campaign.has_qr_code, campaign.target_all) == ("draft", True, False)
    assert campaign.qr_expiration_days == starter.expiration_days
    offer = Offer.objects.get(campaign=campaign)
    assert (offer.title, offer.value, offer.terms) == (
        starter.offer_title,
        starter.offer_value,
        starter.offer_terms,
    )
