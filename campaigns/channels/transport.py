"""HTTP to a provider: bounded in total, never repeated, clear about whether it may have arrived.

The timeout of ``requests`` bounds each single read, so an answer that trickles in outlives every
lease; and its pool does not say whether a request had left when a connection broke. Whether a
message may be sent again hangs on exactly that (D-6).
"""

import http.client
import io
import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import SplitResult, urlsplit

import certifi
from requests import ConnectionError, PreparedRequest, Response, Session
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.util.wait import wait_for_read

from campaigns.channels.base import Answer, AnswerKind

# Load balancers commonly close idle connections after 60 seconds; a request written into one that
# is just being closed is lost.
IDLE_SECONDS = 20
# Waiting longer than this on a provider's word would look like a hang.
LONGEST_WAIT_SECONDS = 24 * 3600
# What a provider's own code looks like; an address or a number never does.
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,39}|\d{1,6}")


class RequestNeverLeft(ConnectionError):
    """Nothing was written: the provider cannot have seen this request."""


class AnswerLost(ConnectionError):
    """The request was written, at least in part, and no whole answer came back in time."""


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


def _connect(scheme: str, host: str, port: int, deadline: float) -> socket.socket:
    failure: OSError = OSError("no address")
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        link = socket.socket(family, kind, protocol)
        try:
            # A share of the time for each address, so that a dead one leaves some for the next.
            link.settimeout(_left(deadline) / (len(addresses) - tried))
            link.connect(address)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if scheme == "https":
                link = _tls().wrap_socket(link, server_hostname=host)
        except OSError as error:
            link.close()
            failure = error
        else:
            return link
    raise failure


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a deadline, however the bytes are spread."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        super().__init__()
        self._link = link
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._link.settimeout(_left(self._deadline))
        return self._link.recv_into(buffer)


class _TimedSocket:
    """What ``http.client`` needs of a socket to read a response from it."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        self._reader = _TimedReader(link, deadline)

    def makefile(self, *_mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader)


def _written_form(request: PreparedRequest, url: SplitResult) -> bytes:
    headers = {"Host": url.netloc.rpartition("@")[2], **request.headers}
    headers["Accept-Encoding"] = "identity"
    lines = [f"{request.method} {request.path_url} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    body = request.body or b""
    content = body.encode() if isinstance(body, str) else bytes(body)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + content


class ProviderAdapter(BaseAdapter):
    """Carries the requests of one session over one connection, for one thread at a time.

    ``timeout`` is seconds in total, from connecting to the last byte of the answer (the look-up of
    a host name, which the system bounds, apart). ``response`` is the answer to the last request,
    or None when there was none.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._timeout = timeout
        self._link: socket.socket | None = None
        self._origin: tuple[str, str, int] = ("", "", 0)
        self.response: Response | None = None

    def send(self, request: PreparedRequest, *_args: Any, **_options: Any) -> Response:
        """Send one request once and return the whole answer.

        Raises RequestNeverLeft or AnswerLost; neither carries the request.
        """
        self.response = None
        deadline = time.monotonic() + self._timeout
        url = urlsplit(str(request.url))
        content = _written_form(request, url)
        try:
            link = self._connection(url, deadline)
            link.settimeout(_left(deadline))
        except (OSError, UnicodeError) as error:
            self.close()
            raise RequestNeverLeft(type(error).__name__) from None
        try:
            link.sendall(content)
            # Only its makefile() is called.
            answer = http.client.HTTPResponse(_TimedSocket(link, deadline), method=request.method)  # type: ignore[arg-type]
            answer.begin()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise AnswerLost(type(error).__name__) from None
        if answer.will_close:
            self.close()
        response = Response()
        response.status_code = answer.status
        response.reason = answer.reason
        response.headers = CaseInsensitiveDict(answer.getheaders())
        response.raw = io.BytesIO(body)
        response.encoding = "utf-8"
        response.url = str(request.url)
        response.request = request
        self.response = response
        return response

    def _connection(self, url: SplitResult, deadline: float) -> socket.socket:
        port = url.port or (443 if url.scheme == "https" else 80)
        origin = (url.scheme, url.hostname or "", port)
        # Something to read between two requests means that the provider has closed.
        if self._link is not None and (
            origin != self._origin or wait_for_read(self._link, timeout=0)
        ):
            self.close()
        if self._link is None:
            self._link = _connect(*origin, deadline)
            self._origin = origin
        return self._link

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._link is not None:
            self._link.close()
            self._link = None


def use_adapter(session: Session, adapter: ProviderAdapter) -> None:
    """Make ``session`` send everything through ``adapter``, once, and mind no proxy variables."""
    session.trust_env = False
    # A redirect would post the message again somewhere else.
    session.max_redirects = 0
    session.mount("https://", adapter)
    session.mount("http://", adapter)


def provider_code(word: object) -> str:
    """Return a provider's own error code, or nothing when it could be anything else."""
    text = str(word)
    return text if _CODE.fullmatch(text) and text.lower() not in {"null", "none"} else ""


def seconds_to_wait(response: Response) -> float | None:
    """Return how long the provider asks to wait, or None.

    Retry-After is seconds or a date (RFC 9110 10.2.3). SendGrid's 429 carries X-RateLimit-Reset,
    the Unix time at which its limit starts afresh.
    """
    headers = response.headers
    word = headers.get("Retry-After", "").strip()
    seconds: float | None = None
    if word.replace(".", "", 1).isascii() and word.replace(".", "", 1).isdigit():
        seconds = float(word)
    elif word:
        seconds = _seconds_until(_timestamp(word), headers)
    if seconds is None and response.status_code == http.HTTPStatus.TOO_MANY_REQUESTS:
        word = headers.get("X-RateLimit-Reset", "").strip()
        if word.isascii() and word.isdigit():
            seconds = _seconds_until(float(word), headers)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def _timestamp(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def _seconds_until(moment: float | None, headers: CaseInsensitiveDict[str]) -> float | None:
    """Return the seconds from the provider's own clock, as far as it shows it, to ``moment``."""
    now = _timestamp(headers.get("Date", ""))
    return None if moment is None else moment - (time.time() if now is None else now)


def answer_from(response: Response, *, code: str = "", provider_id: str = "") -> Answer:
    """Return what an HTTP answer means: 2xx is accepted, everything else refused."""
    status = response.status_code
    if http.HTTPStatus.OK <= status < http.HTTPStatus.MULTIPLE_CHOICES:
        return Answer(AnswerKind.ACCEPTED, status=status, provider_id=provider_id)
    return Answer(
        AnswerKind.REFUSED, status=status, code=code, retry_after=seconds_to_wait(response)
    )


class Closable(Protocol):
    """Something that holds a connection."""

    def close(self) -> None:
        """Close it."""


C = TypeVar("C", bound=Closable)


class ConnectionPool(Generic[C]):
    """Keeps what was opened for the next message, whichever thread sends it.

    A pool rather than a connection per thread: the sender's threads come and go with its turns.
    """

    def __init__(self, open_one: Callable[[], C]) -> None:
        self._open_one = open_one
        self._idle: deque[tuple[C, float]] = deque()

    def take(self) -> C:
        """Return the one used last, or a new one; the caller alone uses it."""
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return self._open_one()
            if time.monotonic() - since < IDLE_SECONDS:
                return connection
            connection.close()

    def give_back(self, connection: C) -> None:
        """Keep a connection for the next message."""
        self._idle.append((connection, time.monotonic()))

    def close(self) -> None:
        """Close those that nobody is using."""
        while True:
            try:
                connection, _ = self._idle.pop()
            except IndexError:
                return
            connection.close()
