from datetime import UTC, datetime, timedelta

import pytest

from campaigns.delivery.send_tests import ADDRESS_PLACE
from campaigns.models import TestSend
from campaigns.send_test import send_test
from config.clock import database_now
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


@pytest.mark.django_db
def test_when_it_was_asked_for_is_told_by_the_clock_of_the_database(monkeypatch) -> None:
    CustomerFactory()
    campaign = OfferFactory().campaign
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2040, 1, 1, tzinfo=UTC))
    send_test(campaign=campaign, addresses=["me@example.com"])
    assert TestSend.objects.get().created_at < database_now() + timedelta(minutes=1)
