"""SendGrid's event webhook, read through anymail, and the other providers of anymail (E-1, E-3)."""

import json
import logging
import re
from datetime import datetime
from typing import Any

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.signals import AnymailTrackingEvent, EventType
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
from django.http import HttpRequest

from campaigns.channels.email import METADATA_KEY
from campaigns.models import ProviderEvent
from campaigns.webhooks.normalise import email_index, event_key, keep_allowed, public_id_of
from campaigns.webhooks.refusals import WebhookRefused, bad_signature
from config.clock import database_now

logger = logging.getLogger(__name__)

Kind = ProviderEvent.Kind

SENDGRID = "sendgrid"
KINDS = {
    EventType.QUEUED: Kind.ACCEPTED,
    EventType.DEFERRED: Kind.ACCEPTED,
    EventType.DELIVERED: Kind.DELIVERED,
    EventType.BOUNCED: Kind.BOUNCED,
    EventType.REJECTED: Kind.BOUNCED,
    EventType.OPENED: Kind.OPENED,
    EventType.CLICKED: Kind.CLICKED,
    EventType.COMPLAINED: Kind.COMPLAINED,
    EventType.UNSUBSCRIBED: Kind.OPTED_OUT,
}
# SendGrid's types of bounces.
BOUNCED = {"bounce": "hard_bounce", "blocked": "blocked", "expired": "soft_bounce"}
# SendGrid's reasons for not even trying, in lower case.
DROPPED = {
    "bounced address": "bounced_before",
    "unsubscribed address": "unsubscribed_at_provider",
    "spam reporting address": "spam_complaint",
    "invalid": "invalid_address",
}
# Everything else SendGrid tells is dropped: addresses, IPs, browsers, links, servers' sentences.
ALLOWED = {
    "event": re.compile(r"[a-z_]{1,30}"),
    "type": re.compile(r"[a-z_]{1,30}"),
    "status": re.compile(r"\d\.\d{1,3}\.\d{1,3}"),
    "bounce_classification": re.compile(r"[A-Za-z /]{1,40}"),
    "attempt": re.compile(r"\d{1,3}"),
    "sg_machine_open": re.compile(r"True|False"),
    "sg_message_id": re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9._-]{1,120}"),
}


def require_sendgrid_signature(request: HttpRequest) -> None:
    """Raise WebhookRefused unless SendGrid has signed the request with its key.

    The signed time is not judged: SendGrid repeats a call for a day and does not say that it signs
    again, and an event that comes twice or late changes nothing.
    """
    view = SendGridTrackingWebhookView()
    if view.webhook_verification_key is None:
        raise WebhookRefused("not_configured", "SENDGRID_WEBHOOK_VERIFICATION_KEY is not set.")
    try:
        view.run_validators(request)
    except (AnymailWebhookValidationFailure, ValueError):
        raise bad_signature() from None


def read_sendgrid_events(body: bytes) -> list[ProviderEvent]:
    """Return the events of a batch; those that make no sense are left out and counted in the log.

    Raises WebhookRefused ``malformed`` when the body is no batch.
    """
    try:
        batch = json.loads(body)
    except (ValueError, RecursionError):
        batch = None
    if not isinstance(batch, list):
        raise WebhookRefused("malformed", "The body is not a JSON array of events.")
    view = SendGridTrackingWebhookView()
    received_at = database_now()
    events: list[ProviderEvent] = []
    unreadable = 0
    for words in batch:
        try:
            event = _read_sendgrid_event(view.esp_to_anymail_event(words), received_at)
        except Exception:
            # Whatever is wrong with this one, the others count.
            unreadable += 1
            continue
        if event is not None:
            events.append(event)
    if unreadable:
        logger.warning("%s of %s SendGrid events could not be read", unreadable, len(batch))
    return events


def _read_sendgrid_event(
    event: AnymailTrackingEvent, received_at: datetime
) -> ProviderEvent | None:
    """Return the event in our words, or None for one of a kind that nothing follows from."""
    words: dict[str, Any] = event.esp_event
    kind = KINDS.get(event.event_type)
    if kind is None:
        return None
    if kind == Kind.OPENED and words.get("sg_machine_open") is True:
        # A mail program fetched the images by itself: nobody has seen anything.
        kind = Kind.ACCEPTED
    return ProviderEvent(
        provider=SENDGRID,
        key=event_key(event.event_id, words),
        kind=kind,
        public_id=public_id_of(event.metadata.get(METADATA_KEY)),
        address_index=email_index(event.recipient),
        code=_code_of(event) if kind == Kind.BOUNCED else "",
        occurred_at=min(event.timestamp or received_at, received_at),
        received_at=received_at,
        payload=keep_allowed(words, ALLOWED),
    )


def _code_of(event: AnymailTrackingEvent) -> str:
    words: dict[str, Any] = event.esp_event
    if event.event_type == EventType.REJECTED:
        return DROPPED.get(str(words.get("reason", "")).lower(), "dropped")
    # SendGrid itself suppresses the address after a "bounce" only.
    return BOUNCED.get(words.get("type") or _type_by_status(words), "soft_bounce")


def _type_by_status(words: dict[str, Any]) -> str:
    """Return the type of a bounce that does not name it: 4.x.x is temporary (RFC 3463)."""
    return "expired" if str(words.get("status", "")).startswith("4") else "bounce"
