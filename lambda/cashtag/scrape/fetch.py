"""One page over HTTP within bounds of time, size and redirects: it comes whole, or it is refused.

The request runs in a thread of its own, for no setting of an HTTP client bounds the name lookup,
nor headers that come a byte at a time; when the time is up, its connection is cut.

An address from the settings is followed wherever it leads: people run mirrors in their own
networks. A redirect is the word of a stranger, and is not: never from https to http, and never
from a public address to a private one (loopback, link-local, a host of the local network), by
name or, where no proxy stands between, by the address that the name leads to. Behind a proxy the
names are the proxy's to look up.
"""

from __future__ import annotations

import io
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cashtag import __version__
from cashtag.errors import SourceRefused
from cashtag.scrape import waiting
from cashtag.scrape.addresses import host_of, is_private, plain

if TYPE_CHECKING:
    import httpx

    from cashtag.scrape.deadline import Deadline
    from cashtag.settings import Settings

MOST_REDIRECTS = 5  # a feed that moved needs one or two; more is a loop or a consent wall
_NOT_MODIFIED = 304
_GOOD = range(200, 300)
_OUR_MISTAKE = range(400, 500)  # such an answer may say what is wrong with the request
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # "automatic header detection", zlib manual
# What another host may be told when a redirect leads there: no key, no cookie.
_HARMLESS = frozenset(
    {"accept", "accept-encoding", "user-agent", "if-none-match", "if-modified-since", "host"}
)


class Unsuccessful(SourceRefused):
    """The host answered, with a status that is no success; the reason names it.

    `body` is what came first of the body of a 4xx, decompressed, and in its own words: `plain` them.
    """

    def __init__(
        self, reason: str, status: int, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        super().__init__(reason)
        self.status, self.headers, self.body = status, headers or {}, body


@dataclass(frozen=True, slots=True)
class Page:
    """A whole answer: the last address, its status (200 to 299, or 304), the decompressed body."""

    url: str
    status: int
    body: bytes
    headers: Mapping[str, str]
    """Names in lower case."""


def fetch(
    url: str, settings: Settings, until: Deadline, *, headers: Mapping[str, str] | None = None
) -> Page:
    """GET `url` within `live.request_seconds` in all, and at most `live.max_bytes`.

    Raises:
        SourceRefused: any other status than 200 to 299 and 304 (`Unsuccessful`), a time-out, too
            many bytes, a bad certificate, a host that cannot be reached, a redirect not to be
            followed; the reason names the host and the cause.
    """
    seconds = until.within(settings.live.request_seconds)
    agent = f"cashtag/{__version__}"
    if settings.live.contact:
        agent += f" ({settings.live.contact.encode('ascii', 'replace').decode()})"
    sent = {"User-Agent": agent, "Accept-Encoding": "gzip", **(headers or {})}
    # As bytes: a server's ETag, sent back to it, need not be ASCII.
    attempt = _Attempt(
        url,
        {name.encode(): text.encode() for name, text in sent.items()},
        seconds,
        settings.live.max_bytes,
    )
    attempt.start()
    attempt.join(seconds)
    return attempt.page()


def fetch_json(
    url: str, settings: Settings, until: Deadline, *, headers: Mapping[str, str] | None = None
) -> Any:
    """GET `url` as `fetch` does and return what its JSON holds.

    Raises:
        SourceRefused: as `fetch`, or the body is no JSON.
    """
    return json_of(fetch(url, settings, until, headers=headers))


def json_of(page: Page) -> Any:
    """What the JSON of a page holds. Raises SourceRefused where it is none."""
    import orjson

    try:
        return orjson.loads(page.body)
    except orjson.JSONDecodeError as error:
        kind = plain(page.headers.get("content-type", "")) or "no content type"
        raise SourceRefused(
            f"{host_of(page.url)} answered {page.status} with {kind} that is no JSON"
        ) from error


class _Attempt(waiting.Outcome, threading.Thread):
    """One GET with its redirects, in a thread that nobody has to wait for."""

    def __init__(self, url: str, headers: dict[bytes, bytes], seconds: float, most: int) -> None:
        # A daemon: a name lookup that hangs must not keep the process alive.
        super().__init__(name="fetch", daemon=True)
        self._url, self._headers, self._seconds, self._most = url, headers, seconds, most
        self._host = host_of(url)
        self._page: Page | None = None
        self._socket: socket.socket | None = None
        self._over = threading.Event()
        self._received = 0
        self._from_private = is_private(self._host)
        self._redirected = False

    def page(self) -> Page:
        """What came of it; cuts the connection when nothing did."""
        if self.error is not None:
            raise self.error
        if self._page is not None:
            return self._page
        self._over.set()
        if self._socket is not None:
            with suppress(OSError):  # it may have been closed this moment
                self._socket.shutdown(socket.SHUT_RDWR)
        raise SourceRefused(self._too_slow())

    def run(self) -> None:
        """Fetch; keep the page or the error for the thread that waits."""
        with self, self._explained():
            self._page = self._get()

    def _get(self) -> Page:
        import httpx

        # One for the direct way and for each proxy of the environment: reading the authorities
        # takes longer than many a request.
        tls = httpx.create_ssl_context()
        with httpx.Client(headers=self._headers, timeout=self._seconds, verify=tls) as client:
            request = client.build_request("GET", self._url)
            for _ in range(MOST_REDIRECTS + 1):
                request.extensions = {**request.extensions, "trace": self._watch}
                self._host = request.url.host
                response = client.send(request, stream=True, follow_redirects=False)
                try:
                    if response.next_request is None:
                        return self._page_of(response)
                    self._judge(response.url, response.next_request.url)
                    if response.next_request.url.host != request.url.host:
                        for name in set(response.next_request.headers) - _HARMLESS:
                            del response.next_request.headers[name]
                    request = response.next_request
                finally:
                    response.close()
        raise SourceRefused(
            f"{host_of(self._url)} redirected more than {MOST_REDIRECTS} times, "
            f"at last to {self._host}"
        )

    def _page_of(self, response: httpx.Response) -> Page:
        headers = {name.lower(): value for name, value in response.headers.items()}
        status = response.status_code
        if status == _NOT_MODIFIED:
            return Page(str(response.url), status, b"", headers)
        if status not in _GOOD:
            reason = f"{self._host} answered {status}{_circumstances(headers)}"
            words = self._first(response, headers) if status in _OUR_MISTAKE else b""
            raise Unsuccessful(reason, status, headers, words)
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._most:
            raise SourceRefused(self._too_large())
        body = io.BytesIO()  # gives what it holds without making it twice
        for piece in self._inflated(response, headers.get("content-encoding", "identity")):
            body.write(piece)
            if body.tell() > self._most:
                raise SourceRefused(self._too_large())
        return Page(str(response.url), status, body.getvalue(), headers)

    def _first(self, response: httpx.Response, headers: Mapping[str, str]) -> bytes:
        """The first piece of the body of a refusal; nothing where that cannot be read."""
        import httpx

        with suppress(httpx.HTTPError, zlib.error, SourceRefused):
            return next(self._inflated(response, headers.get("content-encoding", "identity")), b"")
        return b""

    def _inflated(self, response: httpx.Response, encoding: str) -> Iterator[bytes]:
        """Pieces of the body, decompressed no further than one byte past the limit."""
        pieces = self._pieces(response)
        if encoding.lower() == "identity":
            yield from pieces
            return
        if encoding.lower() not in ("gzip", "x-gzip", "deflate"):
            raise SourceRefused(
                f"{self._host} answered in the encoding {plain(encoding)}, which nobody asked for"
            )
        stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        for piece in pieces:
            rest = piece
            while rest:
                if stream.eof:  # gzip allows several members in a row
                    stream = zlib.decompressobj(_GZIP_OR_ZLIB)
                yield stream.decompress(rest, self._most + 1)
                rest = stream.unconsumed_tail or stream.unused_data
        if self._received and not stream.eof:
            raise SourceRefused(f"{self._host} sent compressed data that end too early")

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        for piece in response.iter_raw():
            self._received += len(piece)
            if self._over.is_set():
                raise SourceRefused(self._too_slow())
            yield piece

    def _judge(self, old: httpx.URL, new: httpx.URL) -> None:
        """Say whether a redirect is to be followed; see the module's docstring."""
        self._redirected = True
        if old.scheme == "https" and new.scheme != "https":
            raise SourceRefused(
                f"{old.host} redirects to {new.host} without encryption: not followed"
            )
        if new.host != old.host and is_private(new.host) and not self._from_private:
            raise SourceRefused(self._inward(new.host))

    def _watch(self, event: str, info: dict[str, Any]) -> None:
        """Follow the connection (httpcore's "trace" extension): to cut it, and to see its peer."""
        if self._over.is_set():
            raise SourceRefused(self._too_slow())
        if event.endswith("connect_tcp.started"):
            self._direct = info["host"] == self._host  # else a proxy's
        stream = info.get("return_value")
        if stream is None or not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        self._socket = stream.get_extra_info("socket")
        if event.endswith("connect_tcp.complete") and self._direct:
            inside = is_private(stream.get_extra_info("server_addr")[0])
            if not self._redirected:
                self._from_private = self._from_private or inside
            elif inside and not self._from_private:
                raise SourceRefused(self._inward(self._host))

    _direct = False

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the client raises into refusals in words."""
        import httpx

        try:
            yield
        except httpx.TimeoutException as error:
            raise SourceRefused(self._too_slow()) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise SourceRefused(
                f"{self._host}: no address to fetch ({plain(str(error))})"
            ) from error
        except zlib.error as error:
            raise SourceRefused(f"{self._host} sent damaged compressed data ({error})") from error
        except (httpx.ConnectError, httpx.ProxyError) as error:
            raise SourceRefused(self._unreachable(error)) from error
        except (httpx.HTTPError, OSError) as error:
            raise SourceRefused(f"{self._host} broke off: {plain(str(error))}") from error

    def _unreachable(self, error: BaseException) -> str:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return f"{self._host} showed a bad certificate: {plain(cause.verify_message)}"
            if isinstance(cause, ssl.SSLError):
                return f"{self._host} cannot be reached: no TLS ({plain(str(cause.reason))})"
            cause = cause.__cause__ or cause.__context__
        return f"{self._host} cannot be reached: {plain(str(error)) or type(error).__name__}"

    def _too_slow(self) -> str:
        if self._received:
            return f"{self._host} sent only {self._received:,} bytes within {self._seconds:.3g} s"
        return f"{self._host} did not answer within {self._seconds:.3g} s"

    def _too_large(self) -> str:
        return f"{self._host} sent more than {self._most:,} bytes"

    def _inward(self, host: str) -> str:
        origin = host_of(self._url)
        return f"{origin} redirects to {host}, inside a private network: not followed"


def _circumstances(headers: Mapping[str, str]) -> str:
    """Who refused, and until when, as the answer's headers tell."""
    told = []
    if "cf-mitigated" in headers or headers.get("server", "").lower() == "cloudflare":
        told.append("Cloudflare")
    if wait := plain(headers.get("retry-after", "")):
        told.append(f"it asks to wait {wait}{' s' if wait.isdecimal() else ''}")
    return f" ({', '.join(told)})" if told else ""
