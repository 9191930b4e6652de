"""Twilio's POST /2010-04-01/Accounts/{sid}/Messages.json, after its published OpenAPI document
(twilio_api_v2010) and its list of error codes.
"""

import base64
import re
import uuid
from collections.abc import Iterator
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

from tests.standins.ledger import SHORT_CODE, LedgerEntry
from tests.standins.server import Provider, Reply, Request, run

ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "stand-in-token"
FROM_NUMBER = "+15005550006"
E164 = re.compile(r"\+[1-9]\d{6,14}")
# E.164, an alphanumeric sender (at most 11 characters, not digits alone), or a short code.
SENDER = re.compile(r"\+[1-9]\d{6,14}|(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}|\d{3,8}")
SERVICE_SID = re.compile(r"MG[0-9a-fA-F]{32}")
PARAMETERS = {
    *("To", "From", "FallbackFrom", "MessagingServiceSid", "Body", "MediaUrl", "ContentSid"),
    *("ContentVariables", "StatusCallback", "ApplicationSid", "MaxPrice", "ProvideFeedback"),
    *("Attempt", "ValidityPeriod", "ForceDelivery", "ContentRetention", "AddressRetention"),
    *("SmartEncoded", "PersistentAction", "TrafficType", "ShortenUrls", "ScheduleType"),
    *("SendAt", "SendAsMms", "RiskCheck"),
}
# 3GPP TS 23.038: the default alphabet, and what takes two places in it.
GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_TWICE = set("\f^{}\\[~]|€")


def count_segments(body: str) -> int:
    """Return how many segments a text takes; no character is torn in two between them."""
    if set(body) <= GSM_7 | GSM_7_TWICE:
        places, one, each = [2 if mark in GSM_7_TWICE else 1 for mark in body], 160, 153
    else:
        places, one, each = [len(mark.encode("utf-16-be")) // 2 for mark in body], 70, 67
    if sum(places) <= one:
        return 1
    segments, used = 1, 0
    for size in places:
        segments, used = (segments + 1, size) if used + size > each else (segments, used + size)
    return segments


def violations(form: dict[str, list[str]]) -> Iterator[tuple[int, str]]:
    """Yield (error code, message) for everything that Twilio would refuse about ``form``."""
    once = {name: values[0] for name, values in form.items() if len(values) == 1}
    for name in form.keys() - PARAMETERS:
        yield 21600, f"{name} is not a parameter of this resource."
    for name in form.keys() - once.keys() - {"MediaUrl", "PersistentAction"}:
        yield 21600, f"{name} was given more than once."
    if not once.get("To"):
        yield 21604, "A 'To' phone number is required."
    elif not E164.fullmatch(once["To"]):
        yield 21211, "The 'To' number is not a valid phone number."
    body = once.get("Body", "")
    if not body:
        yield 21602, "Message body is required."
    elif len(body) > 1600:
        yield 21617, "The concatenated message body exceeds the 1600 character limit."
    if "MessagingServiceSid" in once:
        if not SERVICE_SID.fullmatch(once["MessagingServiceSid"]):
            yield 21701, "The Messaging Service does not exist."
    elif not once.get("From"):
        yield 21603, "A 'From' phone number is required."
    if once.get("From") and not SENDER.fullmatch(once["From"]):
        yield 21212, "The 'From' number is not a valid phone number, shortcode or sender."
    if "StatusCallback" in once and not _is_callback(once["StatusCallback"]):
        yield 21609, "The 'StatusCallback' URL is not a valid URL."


def _is_callback(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme in {"http", "https"} and bool(host) and "_" not in host and " " not in url


class Twilio(Provider):
    """Speaks as api.twilio.com does."""

    channel = "sms"

    def accepted(self, provider_id: str) -> Reply:
        now = formatdate(usegmt=False)
        uri = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{provider_id}"
        return Reply.of_json(
            201,
            {
                "account_sid": ACCOUNT_SID,
                "api_version": "2010-04-01",
                "body": "",
                "date_created": now,
                "date_sent": None,
                "date_updated": now,
                "direction": "outbound-api",
                "error_code": None,
                "error_message": None,
                "from": None,
                "messaging_service_sid": None,
                "num_media": "0",
                "num_segments": "1",
                "price": None,
                "price_unit": "USD",
                "sid": provider_id,
                "status": "queued",
                "subresource_uris": {"media": f"{uri}/Media.json"},
                "to": None,
                "uri": f"{uri}.json",
            },
        )

    def refusal(self, status: int, message: str = "", code: int | None = None) -> Reply:
        usual = {401: (20003, "Authenticate"), 404: (20404, "Not Found")}
        usual[429] = (20429, "Too Many Requests")
        number, words = usual.get(status, (20500, "Internal Server Error"))
        code = code or number
        return Reply.of_json(
            status,
            {
                "code": code,
                "message": message or words,
                "more_info": f"https://www.twilio.com/docs/errors/{code}",
                "status": status,
            },
        )

    def read(self, request: Request) -> tuple[Reply | None, list[LedgerEntry]]:
        if request.method != "POST" or (
            request.path != f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
        ):
            return self.refusal(404), []
        credentials = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {credentials}":
            return self.refusal(401), []
        content_type = request.headers.get("content-type", "").partition(";")[0]
        if content_type != "application/x-www-form-urlencoded":
            return self.violation(self.refusal(415, "Unsupported Media Type", 20415))
        form = parse_qs(request.body.decode(), keep_blank_values=True)
        wrong = list(violations(form))
        if wrong:
            words = [f"{code}: {message}" for code, message in wrong]
            return self.violation(self.refusal(400, wrong[0][1], wrong[0][0]), words)
        body = form["Body"][0]
        found = SHORT_CODE.search(body)
        callback = urlsplit(form.get("StatusCallback", [""])[0]).path
        entry = self.entry(
            recipient=form["To"][0],
            delivery_id=callback.rstrip("/").rpartition("/")[2],
            provider_id=f"SM{uuid.uuid4().hex}",
            text_size=len(body),
            segments=count_segments(body),
            short_code=found[1] if found else "",
        )
        return None, [entry]


if __name__ == "__main__":
    run(Twilio)
