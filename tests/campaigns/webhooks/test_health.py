import pytest

from campaigns.health import OK, WARNING, check_everything, check_webhooks
from campaigns.models import ProviderEvent
from config.clock import database_now
from tests.standins import events

pytestmark = pytest.mark.django_db


def test_doctor_looks_at_webhooks() -> None:
    assert "webhooks" in {check.name for check in check_everything()}


def test_it_names_the_addresses_to_enter() -> None:
    check = check_webhooks()
    assert check.status == OK
    assert f"https://coupons.example.com{events.SENDGRID_PATH}" in check.message
    assert f"https://coupons.example.com{events.INBOUND_PATH}" in check.message


def test_without_a_key_sendgrid_tells_nothing(settings) -> None:
    settings.SENDGRID_WEBHOOK_VERIFICATION_KEY = ""
    assert check_webhooks().status == OK
    settings.EMAIL_BACKEND = "anymail.backends.sendgrid.EmailBackend"
    check = check_webhooks()
    assert check.status == WARNING
    assert f"https://coupons.example.com{events.SENDGRID_PATH}" in check.fix
    assert "SENDGRID_WEBHOOK_VERIFICATION_KEY" in check.fix


def test_parked_events_are_told() -> None:
    now = database_now()
    facts = {"provider": "twilio", "kind": "bounced", "occurred_at": now, "received_at": now}
    ProviderEvent.objects.create(key="a", attempts=4, **facts)
    assert check_webhooks().status == OK
    ProviderEvent.objects.create(key="b", attempts=5, **facts)
    check = check_webhooks()
    assert check.status == WARNING
    assert check.message.startswith("1 provider event")
    assert "recover" in check.fix
