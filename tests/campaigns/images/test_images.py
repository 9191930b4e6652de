"""The library: adding, replacing, deleting, and what a campaign keeps (R-2)."""

from html import unescape
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from campaigns.check_campaign import CheckFailed
from campaigns.content.pictures import campaign_pictures
from campaigns.content.templates import examine_template
from campaigns.delivery import outbox
from campaigns.delivery.prepare import fill_in, prepare_chunk
from campaigns.duplicate_campaign import duplicate_campaign
from campaigns.fingerprint import fingerprint_of
from campaigns.images.add_image import add_image, change_image
from campaigns.images.clean_picture import clean_picture
from campaigns.images.delete_image import delete_image
from campaigns.images.image_uses import count_uses, uses_of
from campaigns.images.list_images import list_images, snippet_of
from campaigns.lifecycle import (
    cancel_campaign,
    schedule_campaign,
    send_campaign,
    unschedule_campaign,
)
from campaigns.models import Campaign, CampaignImage, Image, ImageContent, MessageTemplate
from config.errors import DomainError
from tests.campaigns.delivery.lanes import lane_of, sending
from tests.factories import CampaignFactory, CustomerFactory, OfferFactory, UserFactory, now
from tests.pictures import a_file, an_image

pytestmark = pytest.mark.django_db

CONTENT = (
    '<img src="{{ image("pizza") }}" alt="A pizza"><img src="data:image/png;base64,'
    '{{ qr_code_base64 }}" alt="Your code"><a href="{{ unsubscribe_url }}">Unsubscribe</a>'
)


def another(colour: str = "navy"):
    return clean_picture(a_file(colour=colour))


def a_campaign(**columns) -> Campaign:
    CustomerFactory()
    columns = {"email_content": CONTENT, "sms_content": "", **columns}
    return OfferFactory(campaign=CampaignFactory(**columns)).campaign


def shown_by(campaign: Campaign) -> str:
    campaign.refresh_from_db()
    return campaign_pictures(campaign)["pizza"].url


def refused(code: str, act, **arguments) -> str:
    with pytest.raises(DomainError) as error:
        act(**arguments)
    assert error.value.code == code
    return error.value.message


# --- adding ---------------------------------------------------------------------------------------


def test_a_picture_is_added() -> None:
    user = UserFactory()
    image = add_image(
        picture=another(), name="Summer  Pizza.2026", alt=" Two \n pizzas ", user=user
    )
    image.refresh_from_db()
    assert (image.name, image.alt, image.is_decoration) == ("summer-pizza2026", "Two pizzas", False)
    assert image.created_by == user
    content = image.content
    assert (content.width, content.height, content.content_type) == (40, 30, "image/png")
    assert content.size == len(bytes(content.data))
    assert content.path == f"/i/{another().digest}.png"


@pytest.mark.parametrize("name", ["", " ", "図", "-", "a" * 61, "!!!"])
def test_a_name_must_be_one(name: str) -> None:
    refused("invalid_name", add_image, picture=another(), name=name, alt="x")
    assert not Image.objects.exists()


def test_a_name_is_given_once_and_the_old_picture_stays() -> None:
    image = an_image()
    sentence = refused("name_taken", add_image, picture=another(), name="Pizza", alt="x")
    assert "“pizza”" in sentence
    assert Image.objects.get().content == image.content
    assert ImageContent.objects.count() == 1


def test_two_people_adding_one_name_at_once_both_get_an_answer(monkeypatch) -> None:
    an_image()
    # As when the other one commits after this one's check.
    monkeypatch.setattr("campaigns.images.add_image.free_name", lambda name: name)
    refused("name_taken", add_image, picture=another(), name="pizza", alt="x")
    assert Image.objects.count() == ImageContent.objects.count() == 1


def test_a_picture_needs_words_or_is_decoration() -> None:
    refused("no_alt", add_image, picture=another(), name="a", alt="  ")
    refused("alt_too_long", add_image, picture=another(), name="a", alt="x" * 251)
    image = add_image(picture=another(), name="a", alt="left over", is_decoration=True)
    assert image.alt == ""
    with pytest.raises(IntegrityError), transaction.atomic():
        Image.objects.filter(pk=image.pk).update(is_decoration=False)


def test_the_same_bytes_are_kept_once() -> None:
    one, two = an_image("one"), an_image("two")
    assert one.content == two.content
    delete_image(image_id=one.pk)
    assert bytes(ImageContent.objects.get().data)
    delete_image(image_id=two.pk)
    assert not ImageContent.objects.exists()


def test_a_picture_that_is_gone_cannot_be_changed() -> None:
    image = an_image()
    image_id = image.pk
    delete_image(image_id=image_id)
    refused("unknown_image", change_image, image_id=image_id, alt="x")
    refused("unknown_image", delete_image, image_id=image_id)


# --- replacing ------------------------------------------------------------------------------------


def test_a_replaced_picture_has_a_new_address_and_the_old_one_stays() -> None:
    image = an_image()
    old = image.content
    changed = change_image(image_id=image.pk, alt="Another", picture=another())
    assert (changed.name, changed.alt) == ("pizza", "Another")
    assert changed.content.path != old.path
    assert bytes(ImageContent.objects.get(digest=old.digest).data)


def test_words_alone_can_be_changed() -> None:
    image = an_image()
    changed = change_image(image_id=image.pk, alt="", is_decoration=True)
    assert changed.content == image.content
    assert changed.is_decoration


def test_a_draft_shows_the_new_picture_at_once() -> None:
    campaign, image = a_campaign(), an_image()
    old = shown_by(campaign)
    change_image(image_id=image.pk, alt="x", picture=another())
    assert shown_by(campaign) != old


@pytest.mark.parametrize("strategy", ["inline", "cid", "hosted"])
def test_what_is_under_way_keeps_its_picture(settings, strategy) -> None:
    settings.IMAGE_STRATEGY = strategy
    campaign, image = a_campaign(), an_image()

    def message():
        campaign.refresh_from_db()
        customer = CustomerFactory()
        return fill_in(
            campaign=campaign,
            offer=None,
            customer=customer,
            channel="email",
            code=None,
            tags=[],
            public_id="1",
        )

    def picture():
        sent = message()
        html = sent.html.split(' alt="A pizza"')[0]
        return html[html.rindex("<img") :]

    send_campaign(campaign_id=campaign.pk)
    before = picture()
    change_image(image_id=image.pk, alt="x", picture=another())
    assert picture() == before
    cancel_campaign(campaign_id=campaign.pk)
    assert picture() == before
    copy = duplicate_campaign(campaign_id=campaign.pk)
    assert shown_by(copy) != shown_by(campaign)


def test_a_scheduled_campaign_keeps_its_picture_until_it_is_a_draft_again() -> None:
    campaign, image = a_campaign(), an_image()
    old = shown_by(campaign)
    schedule_campaign(campaign_id=campaign.pk, at=now().replace(year=now().year + 1))
    change_image(image_id=image.pk, alt="x", picture=another())
    assert shown_by(campaign) == old
    unschedule_campaign(campaign_id=campaign.pk)
    assert shown_by(campaign) != old
    schedule_campaign(campaign_id=campaign.pk, at=now().replace(year=now().year + 1))
    new = shown_by(campaign)
    change_image(image_id=image.pk, alt="x", picture=another("gold"))
    # Sent by hand before its time: it is what was scheduled.
    send_campaign(campaign_id=campaign.pk)
    assert shown_by(campaign) == new != old


def test_what_is_sent_is_what_was_shown() -> None:
    campaign, image = a_campaign(), an_image()
    shown = fingerprint_of(campaign)
    change_image(image_id=image.pk, alt="x", picture=another())
    refused("changed_meanwhile", send_campaign, campaign_id=campaign.pk, shown=shown)
    assert not CampaignImage.objects.exists()
    send_campaign(campaign_id=campaign.pk, shown=fingerprint_of(campaign))


def test_a_campaign_whose_picture_is_missing_is_not_sent() -> None:
    campaign = a_campaign()
    with pytest.raises(CheckFailed) as failed:
        send_campaign(campaign_id=campaign.pk)
    assert [problem.code for problem in failed.value.problems] == ["unknown_image"]
    campaign.refresh_from_db()
    assert campaign.is_draft
    assert not CampaignImage.objects.exists()


@pytest.mark.parametrize("strategy", ["inline", "cid", "hosted"])
def test_a_chunk_asks_for_its_pictures_once(settings, strategy) -> None:
    settings.IMAGE_STRATEGY = strategy
    image = an_image()

    def queries_for(count: int) -> int:
        campaign = sending(count, email_content=CONTENT, has_qr_code=False)
        CampaignImage.objects.create(campaign=campaign, image=image, content=image.content)
        token = uuid4()
        claimed = outbox.claim(lane=lane_of(campaign), limit=100, token=token)
        with CaptureQueriesContext(connection) as queries:
            prepared = prepare_chunk(lane=lane_of(campaign), deliveries=claimed, token=token)
        assert len(prepared) == count
        assert {len(message.email.images) for message in prepared} == {int(strategy == "cid")}
        return len(queries)

    queries_for(1)
    assert queries_for(20) == queries_for(1)


# --- uses and deleting ----------------------------------------------------------------------------


def test_what_nothing_uses_can_be_deleted() -> None:
    image = an_image()
    a_campaign(email_content=CONTENT.replace("pizza", "pizzas"))
    delete_image(image_id=image.pk)
    assert not Image.objects.exists()
    assert not ImageContent.objects.exists()


@pytest.mark.parametrize(
    "written",
    [
        '{{ image("pizza") }}',
        "{{ image( 'pizza' ) }}",
        "{{image\n(\n'pizza',)}}",
        "{# image('pizza') #}",
    ],
)
def test_a_picture_of_a_draft_cannot_be_deleted(written: str) -> None:
    image = an_image()
    a_campaign(name="Monday", email_content=f"<p>{written}</p>")
    sentence = refused("image_used", delete_image, image_id=image.pk)
    assert "the campaign “Monday” shows it" in sentence
    assert Image.objects.exists()


def test_every_use_is_named_up_to_three() -> None:
    image = an_image()
    MessageTemplate.objects.create(name="Lunch", email_content=CONTENT)
    assert "the template “Lunch” shows it" in refused("image_used", delete_image, image_id=image.pk)
    for name in ("Monday", "Tuesday", "Friday"):
        a_campaign(name=name)
    sentence = refused("image_used", delete_image, image_id=image.pk)
    assert "“Friday”, the campaign “Tuesday”, the campaign “Monday” and 1 more show it" in sentence
    assert count_uses([image]) == {image.pk: 4}


def test_a_picture_that_was_sent_cannot_be_deleted_even_when_replaced() -> None:
    image = an_image()
    campaign = a_campaign(name="Monday")
    send_campaign(campaign_id=campaign.pk)
    change_image(image_id=image.pk, alt="x", picture=another())
    cancel_campaign(campaign_id=campaign.pk)
    assert "“Monday”" in refused("image_used", delete_image, image_id=image.pk)
    assert [use.name for use in uses_of(image)] == ["Monday"]


def test_a_draft_that_no_longer_names_it_does_not_hold_it() -> None:
    image = an_image()
    campaign = a_campaign()
    schedule_campaign(campaign_id=campaign.pk, at=now().replace(year=now().year + 1))
    unschedule_campaign(campaign_id=campaign.pk)
    Campaign.objects.filter(pk=campaign.pk).update(email_content="<p>x</p>")
    delete_image(image_id=image.pk)
    assert not CampaignImage.objects.exists()


def test_uses_are_counted_in_three_queries() -> None:
    images = [an_image(f"image-{number}") for number in range(5)]
    for image in images:
        a_campaign(email_content=CONTENT.replace("pizza", image.name))
        MessageTemplate.objects.create(
            name=image.name, email_content=CONTENT.replace("pizza", image.name)
        )
    with CaptureQueriesContext(connection) as queries:
        assert count_uses(images) == {image.pk: 2 for image in images}
    assert len(queries) == 3


# --- for menus ------------------------------------------------------------------------------------


def test_the_menu_lists_pictures_without_their_bytes() -> None:
    an_image("one", alt='A "big" <pizza> & more')
    an_image("line", is_decoration=True, file=a_file(size=(1600, 20)))
    with CaptureQueriesContext(connection) as queries:
        line, one = list_images()
    assert len(queries) == 1
    assert '"data"' not in queries[0]["sql"]
    assert one.snippet == (
        '<img src="{{ image("one") }}" alt="A &quot;big&quot; &lt;pizza&gt; &amp; more" '
        'width="40" style="max-width: 100%; height: auto">'
    )
    assert 'alt="" width="600"' in line.snippet
    assert line.path.startswith("/i/")


def test_alt_text_cannot_write_a_template() -> None:
    """The words of a snippet are pasted into a message."""
    image = an_image("one", alt="{{ customer.email }} {% if x %}")
    snippet = snippet_of(image)
    examined = examine_template(snippet, field="email_content")
    assert (examined.errors, examined.placeholders) == ([], set())
    assert unescape(snippet).count("{{ customer.email }} {% if x %}") == 1
