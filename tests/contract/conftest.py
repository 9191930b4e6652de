from collections.abc import Iterator

import pytest
from pytest_django import Settings

from campaigns.channels import open_email_channel, open_sms_channel
from campaigns.channels.base import EmailChannel, SmsChannel
from tests.standins.client import StandIn


@pytest.fixture(scope="package")
def sendgrid_server() -> Iterator[StandIn]:
    with StandIn("sendgrid", in_process=True, keep_raw=True) as standin:
        yield standin


@pytest.fixture(scope="package")
def twilio_server() -> Iterator[StandIn]:
    with StandIn("twilio", in_process=True, keep_raw=True) as standin:
        yield standin


def point_at(standin: StandIn, settings: Settings) -> None:
    for name, value in standin.settings().items():
        setattr(settings, name, value)


@pytest.fixture
def sendgrid(sendgrid_server: StandIn, settings: Settings) -> StandIn:
    sendgrid_server.reset()
    point_at(sendgrid_server, settings)
    return sendgrid_server


@pytest.fixture
def twilio(twilio_server: StandIn, settings: Settings) -> StandIn:
    twilio_server.reset()
    point_at(twilio_server, settings)
    return twilio_server


@pytest.fixture
def email_channel(sendgrid: StandIn) -> Iterator[EmailChannel]:
    channel = open_email_channel()
    yield channel
    channel.close()


@pytest.fixture
def sms_channel(twilio: StandIn) -> Iterator[SmsChannel]:
    channel = open_sms_channel()
    yield channel
    channel.close()
