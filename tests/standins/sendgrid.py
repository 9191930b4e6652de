"""SendGrid's POST /v3/mail/send, after its published OpenAPI document (tsg_mail_v3).

The document calls the message-level ``custom_args`` a string; the service wants an object, as
for a personalization, and so does this. Like the service, it knows no other properties.
"""

import base64
import binascii
import json
import uuid
from collections.abc import Iterator
from typing import Any

from tests.standins import schema
from tests.standins.ledger import DATA_URI, LARGEST_QR_IMAGE, SHORT_CODE, LedgerEntry
from tests.standins.server import Provider, Reply, Request, run

API_KEY = "SG.stand-in"
LARGEST_MESSAGE = 30_000_000
RESERVED_HEADERS = {
    *("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "subject"),
    *("content-transfer-encoding", "to", "from", "reply-to", "cc", "bcc"),
}

TEXT = {"type": "string"}
TEXT_1 = {"type": "string", "minLength": 1}
FLAG = {"type": "boolean"}
NUMBER = {"type": "integer"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
MAILBOX = {
    "type": "object",
    "properties": {"email": {"type": "string", "format": "email"}, "name": TEXT},
    "required": ["email"],
}
MAILBOXES = {"type": "array", "maxItems": 1000, "items": MAILBOX}
SWITCH = {"type": "object", "properties": {"enable": FLAG}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["personalizations", "from"],
    "properties": {
        "personalizations": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1000,
            "items": {
                "type": "object",
                "required": ["to"],
                "properties": {
                    "from": MAILBOX,
                    "to": {**MAILBOXES, "minItems": 1},
                    "cc": MAILBOXES,
                    "bcc": MAILBOXES,
                    "subject": TEXT_1,
                    "headers": TEXTS,
                    "substitutions": TEXTS,
                    "custom_args": TEXTS,
                    "send_at": NUMBER,
                },
            },
        },
        "from": MAILBOX,
        "reply_to": MAILBOX,
        "reply_to_list": MAILBOXES,
        "subject": TEXT_1,
        "content": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["type", "value"],
                "properties": {"type": TEXT_1, "value": TEXT_1},
            },
        },
        "attachments": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["content", "filename"],
                "properties": {
                    "content": TEXT_1,
                    "type": TEXT_1,
                    "filename": TEXT,
                    "disposition": {"type": "string", "enum": ["inline", "attachment"]},
                    "content_id": TEXT,
                },
            },
        },
        "headers": TEXTS,
        "categories": {
            "type": "array",
            "maxItems": 10,
            "items": {"type": "string", "maxLength": 255},
        },
        "custom_args": TEXTS,
        "send_at": NUMBER,
        "batch_id": TEXT,
        "ip_pool_name": {"type": "string", "minLength": 2, "maxLength": 64},
        "mail_settings": {"type": "object", "properties": {"sandbox_mode": SWITCH}},
        "tracking_settings": {
            "type": "object",
            "properties": {
                "click_tracking": {
                    "type": "object",
                    "properties": {"enable": FLAG, "enable_text": FLAG},
                },
                "open_tracking": SWITCH,
                "subscription_tracking": SWITCH,
            },
        },
    },
}


def violations(mail: Any) -> Iterator[tuple[str, str]]:
    """Yield (field, message) for everything that SendGrid would refuse about ``mail``."""
    found = list(schema.violations(mail, SCHEMA))
    yield from found
    if not found:
        yield from _envelope_violations(mail)
        yield from _content_violations(mail)


def _envelope_violations(mail: dict) -> Iterator[tuple[str, str]]:
    recipients = 0
    for position, envelope in enumerate(mail["personalizations"]):
        path = f"personalizations.{position}"
        mailboxes = [*envelope["to"], *envelope.get("cc", ()), *envelope.get("bcc", ())]
        addresses = [mailbox["email"].lower() for mailbox in mailboxes]
        recipients += len(addresses)
        if len(set(addresses)) < len(addresses):
            yield path, "Each unique email address in the personalizations array should be once."
        if not (mail.get("subject") or envelope.get("subject")):
            yield "subject", "The subject is required."
        yield from _header_violations(envelope.get("headers", {}), f"{path}.headers")
        custom_args = {**mail.get("custom_args", {}), **envelope.get("custom_args", {})}
        if len(json.dumps(custom_args)) > 10_000:
            yield f"{path}.custom_args", "Custom args are limited to 10,000 bytes."
        if sum(map(len, envelope.get("substitutions", {}).values())) > 10_000:
            yield f"{path}.substitutions", "Substitutions are limited to 10,000 bytes."
    if recipients > 1000:
        yield "personalizations", "There is a limit of 1000 total recipients per request."
    yield from _header_violations(mail.get("headers", {}), "headers")
    if "reply_to" in mail and "reply_to_list" in mail:
        yield "reply_to", "Use either reply_to or reply_to_list, not both."


def _header_violations(headers: dict[str, str], path: str) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        if name.lower() in RESERVED_HEADERS:
            yield f"{path}.{name}", "You cannot use a reserved header."
        if not name.isascii() or not name.isprintable() or " " in name or ":" in name:
            yield f"{path}.{name}", "Headers cannot contain such characters."
        if "\r" in value or "\n" in value:
            yield f"{path}.{name}", "Header values cannot contain line breaks."


def _content_violations(mail: dict) -> Iterator[tuple[str, str]]:
    types = [part["type"] for part in mail.get("content", ())]
    if not types:
        yield "content", "Unless a valid template_id is provided, the content is required."
    first = [kind for kind in ("text/plain", "text/html") if kind in types]
    if types[: len(first)] != first:
        yield "content", "If present, text/plain and text/html must come first, in this order."
    for position, attachment in enumerate(mail.get("attachments", ())):
        path = f"attachments.{position}"
        try:
            base64.b64decode(attachment["content"], validate=True)
        except (binascii.Error, ValueError):
            yield f"{path}.content", "The attachment content must be base64 encoded."
        if attachment.get("disposition") == "inline" and not attachment.get("content_id"):
            yield f"{path}.content_id", "An inline attachment needs a content_id."
        if any(mark in attachment.get("type", "") for mark in ";\r\n"):
            yield f"{path}.type", "The type cannot contain ; or line breaks."


class SendGrid(Provider):
    """Speaks as api.sendgrid.com does."""

    channel = "email"

    def accepted(self, provider_id: str) -> Reply:
        return Reply(202, b"", {"X-Message-Id": provider_id})

    def refusal(self, status: int, message: str = "", field: str | None = None) -> Reply:
        words = {401: "authorization required", 429: "too many requests"}
        message = message or words.get(status, "internal server error")
        return self._errors(status, [(field, message)])

    def _errors(self, status: int, errors: list[tuple[str | None, str]]) -> Reply:
        body = {"errors": [{"message": text, "field": at, "help": None} for at, text in errors]}
        return Reply.of_json(status, body)

    def read(self, request: Request) -> tuple[Reply | None, list[LedgerEntry]]:
        if request.method != "POST" or request.path != "/v3/mail/send":
            return self.refusal(404, "not found"), []
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            message = "The provided authorization grant is invalid, expired, or revoked"
            return self.refusal(401, message), []
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return self.violation(self.refusal(415, "Content-Type should be application/json."))
        if len(request.body) > LARGEST_MESSAGE:
            return self.violation(self.refusal(413, "content too large"))
        try:
            mail = json.loads(request.body)
        except ValueError:
            return self.violation(self.refusal(400, "Bad Request"))
        wrong = list(violations(mail))
        if wrong:
            words = [f"{field}: {message}" for field, message in wrong]
            return self.violation(self._errors(400, wrong), words)
        return None, [self._entry(mail, envelope) for envelope in mail["personalizations"]]

    def _entry(self, mail: dict, envelope: dict) -> LedgerEntry:
        contents = {part["type"]: part["value"] for part in mail["content"]}
        html = contents.get("text/html", "")
        for mark, text in envelope.get("substitutions", {}).items():
            html = html.replace(mark, text)
        parts = [
            part["content"]
            for part in mail.get("attachments", ())
            if part.get("type", "").startswith("image/")
        ]
        images = [*parts, *DATA_URI.findall(html)]
        custom_args = {**mail.get("custom_args", {}), **envelope.get("custom_args", {})}
        code = SHORT_CODE.search(html)
        return self.entry(
            recipient=envelope["to"][0]["email"],
            delivery_id=custom_args.get("delivery", ""),
            provider_id=uuid.uuid4().hex[:22],
            subject=envelope.get("subject") or mail["subject"],
            headers={**mail.get("headers", {}), **envelope.get("headers", {})},
            html_size=len(html),
            text_size=len(contents.get("text/plain", "")),
            short_code=code[1] if code else "",
            images=[image for image in images if len(image) <= LARGEST_QR_IMAGE],
        )


if __name__ == "__main__":
    run(SendGrid)
