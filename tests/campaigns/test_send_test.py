import pytest

from campaigns.delivery.send_tests import ADDRESS_PLACE
from campaigns.models import TestSend
from campaigns.send_test import send_test
from customers.encryption import decrypt
from customers.rotate_keys import rotate_keys
from tests.factories import CustomerFactory, OfferFactory


@pytest.mark.django_db
def test_the_address_of_a_test_follows_the_rotation_of_keys(settings) -> None:
    CustomerFactory()
    send_test(campaign=OfferFactory().campaign, addresses=["me@example.com"])
    settings.FIELD_ENCRYPTION_KEYS = {"new": b"n" * 32, **settings.FIELD_ENCRYPTION_KEYS}
    rotate_keys()
    stored = TestSend.objects.get().address_encrypted
    assert stored.startswith("new.")
    assert decrypt(stored, place=ADDRESS_PLACE) == "me@example.com"
