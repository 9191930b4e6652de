"""The public address of uploaded pictures: ``/i/<digest>.<format>`` (R-3, O-2)."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from campaigns.models import ImageContent

HEADERS = {
    # What is at this address follows from the address.
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    # Webmail of any origin shows it.
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Robots-Tag": "noindex",
}


@require_safe
def image(request: HttpRequest, digest: str, encoding: str) -> HttpResponseBase:
    """Show a picture to anybody, for ever. The bytes are read only when they are sent."""
    found = ImageContent.objects.filter(digest=digest, format=encoding)
    is_head = request.method == "HEAD"
    etag = quote_etag(digest)
    asks_again = "If-None-Match" in request.headers
    content = (found.defer("data") if is_head or asks_again else found).first()
    if content is None:
        return HttpResponse(
            status=404, content_type="text/plain", headers={"Cache-Control": "no-store"}
        )
    response = HttpResponse(content_type=content.content_type, headers={**HEADERS, "ETag": etag})
    answer = get_conditional_response(request, etag=etag, response=response)
    if answer is not None and answer is not response:
        return answer
    if is_head:
        response.headers["Content-Length"] = str(content.size)
    else:
        response.content = bytes(content.data)
    return response
