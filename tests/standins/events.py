"""What providers tell: SendGrid's signed batches, Twilio's callbacks and inbound texts.

Shapes after SendGrid's Event Webhook reference and Twilio's webhook reference; signatures are made
here from scratch, so that the product is not checked against itself.
"""

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.standins.twilio import ACCOUNT_SID, AUTH_TOKEN, FROM_NUMBER

PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
FORM = "application/x-www-form-urlencoded"
SENDGRID_PATH = "/webhooks/email/sendgrid/"
INBOUND_PATH = "/webhooks/twilio/inbound/"
IP = "203.0.113.77"
USER_AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) SecretBrowser/9"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Call:
    """One request as a provider makes it."""

    path: str
    body: bytes
    content_type: str
    headers: dict[str, str]

    def post(self, base_url: str) -> int:
        """Make it over HTTP and return the status."""
        connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=30)
        try:
            headers = {"Content-Type": self.content_type, **self.headers}
            connection.request("POST", self.path, self.body, headers)
            response = connection.getresponse()
            response.read()
        finally:
            connection.close()
        return response.status

    def post_to(self, client: Any, **extra: Any) -> Any:
        """Make it through Django's test client and return the response."""
        return client.post(
            self.path,
            self.body,
            content_type=self.content_type,
            headers=self.headers | extra.pop("headers", {}),
            **extra,
        )


def verification_key(key: Any = PRIVATE_KEY) -> str:
    """The public key as SendGrid's page shows it."""
    return base64.b64encode(
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    ).decode()


# What each kind of event carries beside what all do.
SENDGRID_FIELDS: dict[str, dict[str, Any]] = {
    "processed": {"pool": {"name": "marketing", "id": 210}},
    "deferred": {"response": "400 try again later", "attempt": "5"},
    "delivered": {"response": "250 2.0.0 OK", "tls": 1, "ip": "198.51.100.9"},
    "bounce": {
        "reason": "550 5.1.1 <{email}>: user unknown; see https://mx.example.net/?u={email}",
        "status": "5.1.1",
        "type": "bounce",
        "bounce_classification": "Invalid Address",
        "tls": 1,
        "ip": "198.51.100.9",
    },
    "blocked": {
        "event": "bounce",
        "reason": "450 4.2.1 {email} receives too much mail",
        "status": "4.2.1",
        "type": "blocked",
        "bounce_classification": "Frequency or Volume Too High",
    },
    "dropped": {"reason": "Bounced Address", "status": "5.0.0"},
    "open": {"useragent": USER_AGENT, "ip": IP, "sg_machine_open": False},
    "click": {
        "useragent": USER_AGENT,
        "ip": IP,
        "url": "https://coupons.example.com/u/secret-signed-link",
        "url_offset": {"index": 0, "type": "html"},
    },
    "spamreport": {},
    "unsubscribe": {},
    "group_unsubscribe": {"asm_group_id": 10, "useragent": USER_AGENT, "ip": IP},
    "group_resubscribe": {"asm_group_id": 10, "useragent": USER_AGENT, "ip": IP},
}


def sendgrid_event(
    event: str, *, email: str, delivery: object = None, at: float | None = None, **fields: Any
) -> dict[str, Any]:
    """One event; ``delivery`` is the custom arg that the product sends along."""
    number = next(_numbers)
    content: dict[str, Any] = {
        "email": email,
        "timestamp": int(time.time() if at is None else at),
        "smtp-id": f"<14c5d75ce93.dfd.{number}@geopod-ismtpd-1>",
        "event": event,
        "sg_event_id": base64.urlsafe_b64encode(f"{event}-0-1-{number}-0".encode()).decode(),
        "sg_message_id": f"14c5d75ce93.dfd.{number}.filter0001.16648.5515E0B88.0",
    }
    if delivery is not None:
        content["delivery"] = str(delivery)
    for name, value in SENDGRID_FIELDS.get(event, {}).items():
        content[name] = value.format(email=email) if isinstance(value, str) else value
    return content | fields


def sign_sendgrid(body: bytes, timestamp: str, key: Any = PRIVATE_KEY) -> str:
    """The signature of X-Twilio-Email-Event-Webhook-Signature."""
    signature = key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return base64.b64encode(signature).decode()


def sendgrid_call(
    events: Sequence[Any] | bytes, *, key: Any = PRIVATE_KEY, timestamp: str = ""
) -> Call:
    """A signed batch; bytes are sent as they are."""
    body = events if isinstance(events, bytes) else json.dumps(events).encode()
    timestamp = timestamp or str(int(time.time()))
    return Call(
        SENDGRID_PATH,
        body,
        "application/json",
        {
            "X-Twilio-Email-Event-Webhook-Signature": sign_sendgrid(body, timestamp, key),
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        },
    )


def sign_twilio(url: str, form: Mapping[str, str], token: str = AUTH_TOKEN) -> str:
    """The signature of X-Twilio-Signature: the address and the sorted form."""
    text = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def twilio_call(
    path: str, form: Mapping[str, str], *, public_url: str, token: str = AUTH_TOKEN
) -> Call:
    """A signed call; ``public_url`` is the address that Twilio believes it calls."""
    signature = sign_twilio(public_url + path, form, token)
    return Call(path, urlencode(form).encode(), FORM, {"X-Twilio-Signature": signature})


def twilio_sid() -> str:
    return f"SM{uuid.uuid4().hex}"


def status_call(
    delivery: object, status: str, *, to: str, public_url: str, code: str = "", **fields: str
) -> Call:
    """What Twilio posts to a message's StatusCallback."""
    form = {
        "ApiVersion": "2010-04-01",
        "AccountSid": ACCOUNT_SID,
        "From": FROM_NUMBER,
        "To": to,
        "MessageSid": twilio_sid(),
        "SmsSid": "",
        "MessageStatus": status,
        "SmsStatus": status,
    }
    form |= {"ErrorCode": code} if code else {}
    form |= fields
    form["SmsSid"] = form["MessageSid"]
    return twilio_call(f"/webhooks/twilio/status/{delivery}/", form, public_url=public_url)


def inbound_call(body: str, *, sender: str, public_url: str, **fields: str) -> Call:
    """What Twilio posts when somebody has written to our number."""
    form = {
        "ApiVersion": "2010-04-01",
        "AccountSid": ACCOUNT_SID,
        "From": sender,
        "FromCity": "HAMBURG",
        "FromCountry": "DE",
        "FromState": "",
        "FromZip": "",
        "To": FROM_NUMBER,
        "ToCity": "",
        "Body": body,
        "NumMedia": "0",
        "NumSegments": "1",
        "MessageSid": twilio_sid(),
        "SmsStatus": "received",
    } | fields
    return twilio_call(INBOUND_PATH, form, public_url=public_url)
