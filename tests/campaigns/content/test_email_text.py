"""The text part that an author writes instead of the one made from the HTML (R-2)."""

import pytest

from campaigns.check_campaign import check_campaign
from campaigns.content.checks import check_content
from campaigns.content.errors import ContentError
from campaigns.content.placeholders import sample_context
from campaigns.content.rendering import compile_campaign
from campaigns.create_campaign import create_campaign, read_campaign_file
from campaigns.delivery.prepare import fill_in
from campaigns.duplicate_campaign import duplicate_campaign
from campaigns.fingerprint import fingerprint_of
from campaigns.models import Campaign
from campaigns.save_template import save_as_template
from campaigns.start_campaign import start_from_template
from campaigns.update_campaign import update_campaign
from config.errors import DomainError
from tests.factories import CustomerFactory, OfferFactory

HTML = '<p>Hello from HTML</p><a href="{{ unsubscribe_url }}">Unsubscribe</a>'


def text_of(email_text: str, **changes) -> str:
    compiled = compile_campaign(
        subject="20% off", email_content=HTML, sms_content="", email_text=email_text
    )
    return compiled.render_email({**sample_context(), **changes}).text


def test_an_empty_one_is_made_from_the_html() -> None:
    assert text_of("").startswith("Hello from HTML")
    assert text_of(" \n ").startswith("Hello from HTML")


def test_a_written_one_takes_its_place_and_is_not_escaped() -> None:
    text = text_of(
        "Hi {{ customer.first_name }} & {{ offer.title }}\r\n{{ unsubscribe_url }}",
        customer={"first_name": "<Ada>"},
    )
    assert text.startswith("Hi <Ada> & 20% off every pizza\nhttp")
    assert "HTML" not in text


@pytest.mark.parametrize("link", ["unsubscribe_url", "preferences_url"])
def test_the_way_out_is_added_unless_it_is_there(link) -> None:
    address = sample_context()["unsubscribe_url"]
    assert text_of("Hello").endswith(f"Hello\n\nUnsubscribe: {address}")
    assert text_of(f"Hello\n{{{{ {link} }}}}").count(address) == 1


def test_what_conditions_leave_behind_is_tidied() -> None:
    text = text_of("A\n\n{% if offer.starts_at %}from{% endif %}\n\nB {{ unsubscribe_url }}")
    assert text.startswith("A\n\nB")


def test_what_conditions_empty_is_made_from_the_html() -> None:
    assert text_of("{% if offer.starts_at %}x{% endif %}").startswith("Hello from HTML")


def test_two_messages_that_differ_in_it_alone_are_compiled_apart() -> None:
    assert text_of("One") != text_of("Two")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("{{ nobody }}", "unknown_placeholder"),
        ("Hi\n{% if %}", "template_syntax"),
        ("{{ customer.first_name|safe }}", "template_refused"),
        ("x" * 100_001, "template_too_large"),
    ],
)
def test_it_is_checked_like_the_others(source, code) -> None:
    with pytest.raises(ContentError) as refused:
        compile_campaign(subject="", email_content=HTML, sms_content="", email_text=source)
    assert (refused.value.code, refused.value.field) == (code, "email_text")
    problems = check_content(
        subject="Hi", email_content=HTML, sms_content="", email_text=source, has_qr_code=False
    )
    assert (problems[0].code, problems[0].field) == (code, "email_text")


def test_a_text_without_an_email_and_one_without_the_coupon_are_told() -> None:
    alone = {"subject": "", "email_content": "", "sms_content": "{{ coupon_url }}"}
    assert about_text(**alone, email_text="Hi") == [("text_without_email", True)]
    image = '<img alt="" src="data:image/png;base64,{{ qr_code_base64 }}">'
    whole = {"subject": "Hi", "email_content": image + HTML, "sms_content": ""}
    assert about_text(**whole, email_text="Hi") == [("no_code_in_text", False)]
    assert about_text(**whole, email_text="{{ coupon_url }}") == []
    assert about_text(**whole, email_text="{{ short_code }}") == []


def about_text(**contents: str) -> list[tuple[str, bool]]:
    problems = check_content(**contents, has_qr_code=True)
    advice = {"preheader_missing", "sms_no_stop"}
    return [(each.code, each.blocking) for each in problems if each.code not in advice]


@pytest.mark.django_db
def test_it_is_sent() -> None:
    offer = OfferFactory(campaign__email_text="Only text for {{ customer.first_name }}")
    customer = CustomerFactory(first_name="Grace")
    message = fill_in(
        campaign=offer.campaign,
        offer=offer,
        customer=customer,
        channel="email",
        code=None,
        tags=[],
        public_id="x",
    )
    assert message.text.startswith("Only text for Grace\n\nUnsubscribe: http")
    assert message.unsubscribe_url in message.text


@pytest.mark.django_db
def test_it_goes_wherever_the_message_goes(tmp_path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(
        "name = 'One'\nsubject = 'Hi'\nhas_qr_code = false\ntarget_segments = 'ALL'\n"
        f"email_content = '''{HTML}'''\nemail_text = 'My own words'\n"
    )
    campaign = create_campaign(**read_campaign_file(path))
    assert duplicate_campaign(campaign_id=campaign.pk).email_text == "My own words"
    template = save_as_template(campaign_id=campaign.pk)
    assert start_from_template(template_id=template.pk).email_text == "My own words"

    seen = fingerprint_of(campaign)
    campaign = update_campaign(campaign_id=campaign.pk, fields={"email_text": "Other words"})
    assert fingerprint_of(campaign) != seen
    with pytest.raises(DomainError, match="Plain text, line 1"):
        update_campaign(campaign_id=campaign.pk, fields={"email_text": "{{ nobody }}"})
    Campaign.objects.filter(pk=campaign.pk).update(email_text="{{ nobody }}")
    campaign.refresh_from_db()
    assert "email_text" in {problem.field for problem in check_campaign(campaign)}
    Campaign.objects.filter(pk=campaign.pk).update(status="sending")
    with pytest.raises(DomainError) as locked:
        update_campaign(campaign_id=campaign.pk, fields={"email_text": "Other"})
    assert locked.value.code == "locked"
