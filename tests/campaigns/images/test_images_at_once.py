"""Sending, replacing and deleting at the same time: no campaign leaves without its picture."""

import threading
from collections.abc import Callable

import pytest
from django.db import connections, transaction

from campaigns.images.add_image import add_image, change_image
from campaigns.images.clean_picture import clean_picture
from campaigns.images.delete_image import delete_image
from campaigns.images.freeze_images import freeze_images
from campaigns.lifecycle import send_campaign
from campaigns.models import CampaignImage, Image, ImageContent
from config.errors import DomainError
from tests.factories import CampaignFactory, CustomerFactory
from tests.pictures import a_file, an_image
from tests.settings import TEST_DATABASE

CONTENT = '<img src="{{ image("pizza") }}" alt="x"><a href="{{ unsubscribe_url }}">Unsubscribe</a>'


def at_once(*acts: Callable[[], object]) -> list[str]:
    """Run all at the same time; return the code of what each was refused for, or nothing."""
    gate = threading.Barrier(len(acts))
    answers = [""] * len(acts)

    def run(number: int) -> None:
        gate.wait()
        try:
            acts[number]()
        except DomainError as error:
            answers[number] = error.code
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return answers


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(6))
def test_a_picture_is_sent_or_deleted_and_never_both(attempt: int) -> None:
    CustomerFactory()
    image = an_image()
    campaign = CampaignFactory(email_content=CONTENT, sms_content="", has_qr_code=False)
    sent, deleted = at_once(
        lambda: send_campaign(campaign_id=campaign.pk), lambda: delete_image(image_id=image.pk)
    )
    # A draft holds its picture as well, so deleting always loses.
    assert (sent, deleted) == ("", "image_used")
    assert CampaignImage.objects.get(campaign=campaign).content == image.content


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(6))
def test_what_is_frozen_is_one_of_both_pictures(attempt: int) -> None:
    CustomerFactory()
    image = an_image()
    campaign = CampaignFactory(email_content=CONTENT, sms_content="", has_qr_code=False)
    new = clean_picture(a_file(colour="navy"))
    answers = at_once(
        lambda: send_campaign(campaign_id=campaign.pk),
        lambda: change_image(image_id=image.pk, alt="x", picture=new),
        lambda: change_image(image_id=image.pk, alt="y", picture=new),
    )
    assert answers == ["", "", ""]
    frozen = CampaignImage.objects.get(campaign=campaign).content_id
    assert frozen in {image.content_id, ImageContent.objects.get(digest=new.digest).pk}
    assert Image.objects.get().content.digest == new.digest


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(TEST_DATABASE == "sqlite", reason="SQLite admits one writer")
def test_a_picture_that_is_being_sent_waits_to_be_replaced() -> None:
    image = an_image()
    campaign = CampaignFactory(email_content=CONTENT)
    new = clean_picture(a_file(colour="navy"))
    replacing = threading.Thread(
        target=lambda: (
            change_image(image_id=image.pk, alt="x", picture=new),
            connections.close_all(),
        )
    )
    with transaction.atomic():
        freeze_images(campaign)
        replacing.start()
        replacing.join(timeout=0.5)
        assert replacing.is_alive()
        assert Image.objects.get().content == image.content
    replacing.join(timeout=10)
    assert Image.objects.get().content.digest == new.digest


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(6))
def test_bytes_that_are_added_again_are_not_deleted(attempt: int) -> None:
    old = an_image("old", file=a_file(colour="teal"))
    picture = clean_picture(a_file(colour="teal"))
    answers = at_once(
        lambda: delete_image(image_id=old.pk),
        lambda: add_image(picture=picture, name="new", alt="x"),
    )
    assert answers == ["", ""]
    assert bytes(Image.objects.get(name="new").content.data) == picture.data


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(TEST_DATABASE == "sqlite", reason="SQLite admits one writer")
def test_bytes_that_are_being_added_are_not_deleted_meanwhile() -> None:
    old = an_image("old", file=a_file(colour="teal"))
    deleting = threading.Thread(
        target=lambda: (delete_image(image_id=old.pk), connections.close_all())
    )
    with transaction.atomic():
        add_image(picture=clean_picture(a_file(colour="teal")), name="new", alt="x")
        deleting.start()
        deleting.join(timeout=0.5)
        assert deleting.is_alive()
    deleting.join(timeout=10)
    assert Image.objects.get().content == old.content


@pytest.mark.django_db(transaction=True)
def test_two_names_for_one_new_picture_at_once_share_its_bytes() -> None:
    picture = a_file(colour="teal")
    assert (
        at_once(*(lambda n=n: an_image(f"image-{n}", file=picture) for n in range(4))) == [""] * 4
    )
    assert ImageContent.objects.count() == 1
    assert Image.objects.count() == 4
