"""``/webhooks/…``: what providers call. The signature is the credential."""

import functools
import sys
import uuid
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from campaigns.webhooks.email import read_sendgrid_events, require_sendgrid_signature
from campaigns.webhooks.events import receive_events
from campaigns.webhooks.refusals import WebhookRefused
from campaigns.webhooks.twilio import (
    answer_to,
    read_inbound,
    read_status,
    require_twilio_signature,
)

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def _webhook(*, content_type: str, most_bytes: int) -> Callable[[View[P]], View[P]]:
    """Let through POSTs of one content type and a bounded size; HEAD only asks whether we exist."""

    def decorate(view: View[P]) -> View[P]:
        @never_cache
        @csrf_exempt
        @functools.wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method == "HEAD":
                return HttpResponse()
            if request.method != "POST":
                return HttpResponseNotAllowed(["HEAD", "POST"])
            if request.content_type != content_type:
                return _say(f"Send {content_type}.", status=415)
            if _content_length(request) > most_bytes:
                return _say(f"Send {most_bytes} bytes at most.", status=413)
            try:
                return view(request, *args, **kwargs)
            except WebhookRefused as refused:
                return _say(refused.message, status=refused.status)

        return guarded

    return decorate


def _say(sentence: str, *, status: int) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", content_type="text/plain", status=status)


def _content_length(request: HttpRequest) -> int:
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    # What is no number, or has more digits than any body of ours, is refused by its size.
    return (
        int(length) if length.isascii() and length.isdigit() and len(length) < 12 else sys.maxsize
    )


@_webhook(content_type=JSON, most_bytes=2_000_000)
def sendgrid_events(request: HttpRequest) -> HttpResponse:
    """Take a batch of SendGrid's events."""
    require_sendgrid_signature(request)
    receive_events(read_sendgrid_events(request.body))
    return HttpResponse()


@_webhook(content_type=FORM, most_bytes=100_000)
def twilio_status(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Take what Twilio reports about one text of ours."""
    require_twilio_signature(request)
    event = read_status(request.POST, public_id=public_id)
    if event is not None:
        receive_events([event])
    return HttpResponse(status=204)


@_webhook(content_type=FORM, most_bytes=100_000)
def twilio_inbound(request: HttpRequest) -> HttpResponse:
    """Take a customer's text: when this answers, a STOP is in force."""
    require_twilio_signature(request)
    event = read_inbound(request.POST)
    if event is not None and receive_events([event]):
        # It is stored, and the next tick tries again; Twilio's own log should show it too.
        return _say("Try again.", status=503)
    return HttpResponse(answer_to(request.POST), content_type="text/xml")
