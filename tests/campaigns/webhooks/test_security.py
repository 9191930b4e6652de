"""Every way in which a call can be none of the provider's, at every address (E-3)."""

import dataclasses
import os
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client

from campaigns.models import ProviderEvent
from config.environment import read_verification_key
from customers.models import ConsentEvent
from tests import services
from tests.factories import CustomerFactory
from tests.standins import events
from tests.standins.events import Call

pytestmark = pytest.mark.django_db

PUBLIC_URL = "https://coupons.example.com"
EMAIL, PHONE = "julia@example.com", "+4915112345678"


def sendgrid() -> Call:
    return events.sendgrid_call([events.sendgrid_event("bounce", email=EMAIL)])


def status() -> Call:
    return events.status_call(
        uuid.uuid4(), "undelivered", to=PHONE, public_url=PUBLIC_URL, code="30005"
    )


def inbound() -> Call:
    return events.inbound_call("STOP", sender=PHONE, public_url=PUBLIC_URL)


def signed_form(path: str, **signing: str) -> Call:
    """A call that would close PHONE at either of Twilio's addresses."""
    form = {"MessageSid": events.twilio_sid(), "Body": "STOP", "From": PHONE, "To": PHONE}
    form |= {"MessageStatus": "undelivered", "ErrorCode": "30005"}
    return events.twilio_call(path, form, **{"public_url": PUBLIC_URL, **signing})


CALLS = {"sendgrid": sendgrid, "status": status, "inbound": inbound}
everywhere = pytest.mark.parametrize("make", CALLS.values(), ids=CALLS.keys())
twilio_only = pytest.mark.parametrize("make", [status, inbound], ids=["status", "inbound"])


@pytest.fixture(autouse=True)
def customer():
    return CustomerFactory(email=EMAIL, phone=PHONE)


def assert_refused(response, customer, status: int = 403) -> None:
    assert response.status_code == status
    assert not ProviderEvent.objects.exists()
    assert not ConsentEvent.objects.exists()
    customer.refresh_from_db()
    assert customer.email_subscribed and customer.sms_subscribed


def signature_of(call: Call) -> str:
    return next(name for name in call.headers if name.endswith("Signature"))


@everywhere
def test_a_signed_call_is_taken_without_cookie_login_or_csrf_token(make, customer) -> None:
    response = make().post_to(Client(enforce_csrf_checks=True))
    assert response.status_code in {200, 204}
    assert ProviderEvent.objects.count() == 1
    customer.refresh_from_db()
    assert not (customer.email_subscribed and customer.sms_subscribed)
    assert not response.cookies
    assert "no-store" in response["Cache-Control"]


@everywhere
def test_without_a_signature_it_is_refused(make, client, customer) -> None:
    call = make()
    del call.headers[signature_of(call)]
    assert_refused(call.post_to(client), customer)


@everywhere
@pytest.mark.parametrize("signature", ["", "nonsense", "AAAA", "é" * 28, "=", "a" * 5000])
def test_a_signature_that_is_none_is_refused(make, signature, client, customer) -> None:
    call = make()
    call.headers[signature_of(call)] = signature
    assert_refused(call.post_to(client), customer)


@everywhere
def test_another_body_under_the_same_signature_is_refused(make, client, customer) -> None:
    call, other = make(), make()
    assert call.body != other.body
    forged = dataclasses.replace(call, body=other.body)
    assert_refused(forged.post_to(client), customer)


def test_a_signature_of_somebody_else_is_refused(client, customer) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    batch = [events.sendgrid_event("bounce", email=EMAIL)]
    assert_refused(events.sendgrid_call(batch, key=key).post_to(client), customer)


def test_another_time_under_the_same_signature_is_refused(client, customer) -> None:
    call = sendgrid()
    call.headers["X-Twilio-Email-Event-Webhook-Timestamp"] = "1700000000"
    assert_refused(call.post_to(client), customer)
    del call.headers["X-Twilio-Email-Event-Webhook-Timestamp"]
    assert_refused(call.post_to(client), customer)


@twilio_only
def test_a_signature_with_another_token_is_refused(make, client, customer) -> None:
    assert_refused(signed_form(make().path, token="wrong").post_to(client), customer)


@twilio_only
def test_the_signature_is_for_our_public_address_whatever_the_host_header_says(
    make, client, customer
) -> None:
    forged = signed_form(make().path, public_url="http://testserver")
    assert_refused(forged.post_to(client), customer)
    response = make().post_to(client, headers={"Host": "localhost"})
    assert response.status_code in {200, 204}


@twilio_only
def test_the_signature_covers_the_query(make, client, customer) -> None:
    call = make()
    assert_refused(dataclasses.replace(call, path=f"{call.path}?a=1").post_to(client), customer)
    assert signed_form(f"{call.path}?a=1%202&b").post_to(client).status_code in {200, 204}


def test_a_callback_for_one_delivery_is_none_for_another(client, customer) -> None:
    path = f"/webhooks/twilio/status/{uuid.uuid4()}/"
    assert_refused(dataclasses.replace(status(), path=path).post_to(client), customer)


def test_nothing_is_taken_without_a_key(client, customer, settings) -> None:
    settings.ANYMAIL = {"SENDGRID_API_KEY": "x", "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": ""}
    assert_refused(sendgrid().post_to(client), customer)


@twilio_only
def test_nothing_is_taken_without_a_token(make, client, customer, settings) -> None:
    settings.TWILIO_AUTH_TOKEN = ""
    assert_refused(make().post_to(client), customer)
    assert_refused(signed_form(make().path, token="").post_to(client), customer)


@everywhere
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options"])
def test_other_methods_are_not_allowed(make, method, client, customer) -> None:
    call = make()
    response = getattr(client, method)(call.path, headers=call.headers)
    assert_refused(response, customer, status=405)
    assert response["Allow"] == "HEAD, POST"


@everywhere
def test_head_only_says_that_the_address_is_there(make, client, customer) -> None:
    assert_refused(client.head(make().path), customer, status=200)


@everywhere
@pytest.mark.parametrize(
    "content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml", ""]
)
def test_another_content_type_is_refused(make, content_type, client, customer) -> None:
    call = dataclasses.replace(make(), content_type=content_type)
    assert_refused(call.post_to(client), customer, status=415)


@everywhere
def test_too_large_a_body_is_refused_unread(make, client, customer) -> None:
    call = dataclasses.replace(make(), body=b" " * 2_000_001)
    assert_refused(call.post_to(client), customer, status=413)


@everywhere
@pytest.mark.parametrize("length", ["9" * 5_000, "-1", "²"])
def test_a_length_that_is_none_is_refused_unread(make, length, client, customer) -> None:
    assert_refused(make().post_to(client, CONTENT_LENGTH=length), customer, status=413)


def test_a_form_of_many_fields_is_refused(client, customer) -> None:
    form = {f"f{number}": "" for number in range(20_001)}
    call = dataclasses.replace(inbound(), body=urlencode(form).encode()[:99_999])
    assert_refused(call.post_to(client), customer)


@pytest.mark.parametrize(
    "body", [b" ", b"{", b"{}", b"null", b'"text"', b"7", b"\xff\xfe", b"[" * 50_000]
)
def test_a_signed_body_that_is_no_batch_is_refused(body, client, customer) -> None:
    assert_refused(events.sendgrid_call(body).post_to(client), customer, status=400)


def test_a_key_is_taken_bare_and_as_a_file(monkeypatch) -> None:
    bare = events.verification_key()
    begin, end = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
    for text in (
        bare,
        f"{begin}\n{bare}\n{end}",
        f"{begin}\\n{bare[:64]}\\n{bare[64:]}\\n{end}\\n",
    ):
        monkeypatch.setenv("KEY", text)
        assert read_verification_key("KEY") == bare
    monkeypatch.setenv("KEY", "")
    assert read_verification_key("KEY") == ""


def keys_that_are_none() -> list[str]:
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ["nonsense", events.verification_key()[:-8], events.verification_key(rsa_key), "é"]


@pytest.mark.parametrize("text", keys_that_are_none(), ids=["word", "cut", "rsa", "letter"])
def test_a_key_that_is_none_is_refused_at_the_start(text) -> None:
    environment = {"PATH": os.environ["PATH"], **services.KEYS, "PUBLIC_BASE_URL": PUBLIC_URL}
    environment["SENDGRID_WEBHOOK_VERIFICATION_KEY"] = text
    started = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        cwd=Path(__file__).resolve().parents[3],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 1
    assert "SENDGRID_WEBHOOK_VERIFICATION_KEY is not a public key: copy" in started.stderr
