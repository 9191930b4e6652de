"""Twilio's status callbacks and inbound texts: STOP, START and HELP (C-7, E-3)."""

import re
import unicodedata
import uuid
from collections.abc import Mapping
from xml.sax.saxutils import escape

from django.conf import settings
from django.http import HttpRequest
from twilio.request_validator import RequestValidator

from campaigns.models import ProviderEvent
from campaigns.models.events import TWILIO
from campaigns.webhooks.normalise import event_key, keep_allowed, phone_index
from campaigns.webhooks.refusals import WebhookRefused, bad_signature
from config.clock import database_now

Kind = ProviderEvent.Kind

KINDS = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), Kind.ACCEPTED),
    "delivered": Kind.DELIVERED,
    "read": Kind.OPENED,
    "undelivered": Kind.BOUNCED,
    "failed": Kind.BOUNCED,
}
# Twilio's words for ours: https://www.twilio.com/docs/api/errors. Of these only a number that does
# not exist, a landline and an opt-out close the number; a phone is off at times (30003).
CODES = {
    "21211": "invalid_address",
    "21610": "unsubscribed_at_provider",
    "21614": "landline",
    "21635": "landline",
    "30001": "provider_error",
    "30002": "account_suspended",
    "30003": "unreachable_handset",
    "30004": "blocked",
    "30005": "unknown_number",
    "30006": "landline",
    "30007": "filtered",
}
ALLOWED = {
    "MessageStatus": re.compile(r"[a-z_]{1,30}"),
    "ErrorCode": re.compile(r"\d{1,6}"),
}
_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
_SHORT_CODE = re.compile(r"\d{3,8}")

STOP, START, HELP = "STOP", "START", "HELP"
KEYWORDS = {
    **dict.fromkeys(
        ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE", "ARRET"),
        STOP,
    ),
    **dict.fromkeys(("START", "YES", "UNSTOP"), START),
    **dict.fromkeys(("HELP", "INFO"), HELP),
}
INBOUND_KINDS = {STOP: Kind.OPTED_OUT, START: Kind.OPTED_IN}
SAY_NOTHING = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def require_twilio_signature(request: HttpRequest) -> None:
    """Raise WebhookRefused unless Twilio has signed the request for our public address.

    What the caller says our host is counts for nothing.
    """
    if not settings.TWILIO_AUTH_TOKEN:
        raise WebhookRefused("not_configured", "TWILIO_AUTH_TOKEN is not set.")
    query = request.META.get("QUERY_STRING", "")
    url = f"{settings.PUBLIC_BASE_URL}{request.path_info}{'?' if query else ''}{query}"
    signature = request.headers.get("X-Twilio-Signature", "")
    if not RequestValidator(settings.TWILIO_AUTH_TOKEN).validate(url, request.POST, signature):
        raise bad_signature()


def read_status(form: Mapping[str, str], *, public_id: uuid.UUID) -> ProviderEvent | None:
    """Return the event of a status callback, or None for a status that nothing follows from."""
    status = form.get("MessageStatus") or form.get("SmsStatus", "")
    kind = KINDS.get(status)
    if kind is None:
        return None
    now = database_now()
    return ProviderEvent(
        provider=TWILIO,
        key=_key(form, status),
        kind=kind,
        public_id=public_id,
        address_index=phone_index(form.get("To")),
        code=_code_of(form) if kind == Kind.BOUNCED else "",
        occurred_at=now,
        received_at=now,
        payload=keep_allowed(form, ALLOWED),
    )


def _key(form: Mapping[str, str], what: str) -> str:
    sid = form.get("MessageSid", "")
    own = f"{sid}:{what}" if _SID.fullmatch(sid) else None
    return event_key(own, {name: form[name] for name in form})


def _code_of(form: Mapping[str, str]) -> str:
    code = CODES.get(form.get("ErrorCode", ""), "undelivered")
    if code == "landline" and _SHORT_CODE.fullmatch(form.get("From", "")):
        # From a short code 30006 can also mean that it does not reach this phone company.
        return "unreachable_carrier" if form.get("ErrorCode") == "30006" else code
    return code


def read_keyword(form: Mapping[str, str]) -> str:
    """Return STOP, START or HELP for what a text asks for, or nothing.

    Twilio's own OptOutType, which knows keywords of any language, decides where it is given.
    """
    decided = form.get("OptOutType", "").upper()
    if decided in {STOP, START, HELP}:
        return decided
    words = unicodedata.normalize("NFKC", form.get("Body", ""))
    return KEYWORDS.get(re.sub(r"[\W_]", "", words).upper(), "")


def read_inbound(form: Mapping[str, str]) -> ProviderEvent | None:
    """Return the event of a text that stops or starts texts, or None; its words do not stay."""
    keyword = read_keyword(form)
    if keyword not in INBOUND_KINDS:
        return None
    now = database_now()
    return ProviderEvent(
        provider=TWILIO,
        key=_key(form, keyword),
        kind=INBOUND_KINDS[keyword],
        address_index=phone_index(form.get("From")),
        code=keyword,
        occurred_at=now,
        received_at=now,
    )


def answer_to(form: Mapping[str, str]) -> str:
    """Return the TwiML for an inbound text: help where Twilio has not answered, else nothing.

    Twilio itself confirms a STOP and a START, and would refuse to carry an answer to a STOP.
    """
    if form.get("OptOutType") or read_keyword(form) != HELP:
        return SAY_NOTHING
    words = (
        f"{settings.BUSINESS_NAME}: offers and coupons by text. "
        "Reply STOP to get no more of them, START to get them again."
    )
    message = f"<Response><Message>{escape(words)}</Message></Response>"
    return f'<?xml version="1.0" encoding="UTF-8"?>{message}'
