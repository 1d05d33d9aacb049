"""One page within bounds, over real sockets: whole, or refused with the host and the cause."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from internet import Answer, Internet, Request, Site

from cashtag import __version__, redaction
from cashtag.errors import SourceRefused
from cashtag.scrape.addresses import is_private
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.fetch import Page, Unsuccessful, fetch, fetch_json
from cashtag.settings import Settings, load

HOST = "feeds.example.com"
URL = f"https://{HOST}/a.xml"
PLENTY = 60.0

Get = Callable[..., Page]


def settings(**live: Any) -> Settings:
    chosen = {"live.request_seconds": 5.0} | {f"live.{name}": value for name, value in live.items()}
    return load(environ={}, overrides=chosen)


@pytest.fixture
def reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Internet]]:
    """Play hosts; their names become reachable, and no others."""
    opened: list[Internet] = []

    def play(**sites: Site) -> Internet:
        hosts = {name.replace("__", "-").replace("_", "."): site for name, site in sites.items()}
        net = Internet(hosts, tmp_path).__enter__()
        opened.append(net)
        for name, value in net.environ().items():
            monkeypatch.setenv(name, value)
        return net

    yield play
    for net in opened:
        net.__exit__()


def always(answer: Answer) -> Site:
    return lambda _: answer


def get(url: str = URL, left: float = PLENTY, **live: Any) -> Page:
    return fetch(url, settings(**live), Deadline(left))


def moved(to: str, status: int = 302) -> Answer:
    return Answer(status, b"", {"location": to})


# ---------------------------------------------------------------- what comes


def test_a_page_comes_whole_with_its_headers_in_lower_case(reach: Any) -> None:
    net = reach(feeds_example_com=always(Answer(200, b"<rss/>", {"ETag": '"v1"'})))
    page = get(contact="desk@example.com")
    assert (page.url, page.status, page.body, page.headers["etag"]) == (URL, 200, b"<rss/>", '"v1"')
    [request] = net.requests(HOST)
    assert request.headers["user-agent"] == f"cashtag/{__version__} (desk@example.com)"


def test_without_a_contact_the_user_agent_has_no_empty_brackets(reach: Any) -> None:
    net = reach(feeds_example_com=always(Answer()))
    get()
    assert net.requests(HOST)[0].headers["user-agent"] == f"cashtag/{__version__}"


def test_headers_of_the_caller_are_sent_even_when_they_are_not_ascii(reach: Any) -> None:
    net = reach(feeds_example_com=always(Answer(304)))
    page = fetch(URL, settings(), Deadline(PLENTY), headers={"If-None-Match": '"é"'})
    assert (page.status, page.body) == (304, b"")
    assert net.requests(HOST)[0].headers["if-none-match"].encode("latin-1") == '"é"'.encode()


@pytest.mark.parametrize("packed", [gzip.compress(b"rss " * 9), zlib.compress(b"rss " * 9)])
def test_a_compressed_body_is_unpacked(reach: Any, packed: bytes) -> None:
    reach(feeds_example_com=always(Answer(200, packed, {"content-encoding": "gzip"})))
    assert get().body == b"rss " * 9


def test_gzip_of_several_members_is_one_body(reach: Any) -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two")
    reach(feeds_example_com=always(Answer(200, packed, {"content-encoding": "gzip"})))
    assert get().body == b"one two"


def test_a_redirect_is_followed_and_the_page_knows_its_last_address(reach: Any) -> None:
    reach(
        feeds_example_com=always(moved("https://new.example.com/b")),
        new_example_com=always(Answer(200, b"moved")),
    )
    page = get()
    assert (page.url, page.body) == ("https://new.example.com/b", b"moved")


def test_json_is_read(reach: Any) -> None:
    reach(feeds_example_com=always(Answer(200, b'{"results": []}')))
    assert fetch_json(URL, settings(), Deadline(PLENTY)) == {"results": []}


# ---------------------------------------------------------------- what is refused


def refused(*, left: float = PLENTY, url: str = URL, **live: Any) -> str:
    with pytest.raises(SourceRefused) as refusal:
        get(url, left, **live)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(403, b"<html>", {"server": "cloudflare"}), "answered 403 (Cloudflare)"),
        (Answer(403, b"", {"cf-mitigated": "challenge"}), "answered 403 (Cloudflare)"),
        (Answer(429, b"", {"retry-after": "30"}), "answered 429 (it asks to wait 30 s)"),
        (
            Answer(429, b"", {"retry-after": "Mon, 05 Jan 2026 12:00:00 GMT"}),
            "answered 429 (it asks to wait Mon, 05 Jan 2026 12:00:00 GMT)",
        ),
        (
            Answer(503, b"", {"server": "cloudflare", "retry-after": "5"}),
            "answered 503 (Cloudflare, it asks to wait 5 s)",
        ),
        (Answer(404, b""), "answered 404"),
        (Answer(500, b""), "answered 500"),
        (Answer(300, b""), "answered 300"),  # a choice is no page, and it says not where to go
    ],
)
def test_any_other_status_is_refused_by_name(reach: Any, answer: Answer, reason: str) -> None:
    net = reach(feeds_example_com=always(answer))
    with pytest.raises(Unsuccessful) as refusal:
        get()
    assert str(refusal.value) == f"{HOST} {reason}"
    assert refusal.value.status == answer.status
    assert len(net.requests(HOST)) == 1, "nothing is tried twice"


def test_a_host_that_does_not_answer_costs_no_more_than_its_time(reach: Any) -> None:
    reach(feeds_example_com=always(Answer(hang=True)))
    began = time.monotonic()
    assert refused(request_seconds=0.4) == f"{HOST} did not answer within 0.4 s"
    assert time.monotonic() - began < 3.0


def test_the_deadline_bounds_a_request_that_could_last_longer(reach: Any) -> None:
    reach(feeds_example_com=always(Answer(hang=True)))
    began = time.monotonic()
    assert "did not answer within 0.3 s" in refused(left=0.3)
    assert time.monotonic() - began < 3.0


def test_after_the_deadline_nothing_is_asked(reach: Any) -> None:
    net = reach(feeds_example_com=always(Answer()))
    assert "live.step_seconds" in refused(left=0.0)
    assert net.requests(HOST) == []


def test_a_body_that_drips_is_cut_off_in_time(reach: Any) -> None:
    # A byte every 50 ms never lets a read time out; 10,000 of them would last eight minutes.
    reach(feeds_example_com=always(Answer(200, b"x" * 10_000, drip=0.05)))
    began = time.monotonic()
    reason = refused(request_seconds=0.5)
    assert reason.startswith(f"{HOST} sent only ")
    assert reason.endswith(" bytes within 0.5 s")
    assert time.monotonic() - began < 3.0


def test_headers_that_drip_are_cut_off_in_time_and_the_connection_is_closed() -> None:
    with dripping() as (url, closed):
        began = time.monotonic()
        assert refused(url=url, request_seconds=0.5) == "127.0.0.1 did not answer within 0.5 s"
        assert time.monotonic() - began < 3.0
        assert closed.wait(5.0), "the server still has somebody to drip to"


@contextmanager
def dripping() -> Iterator[tuple[str, threading.Event]]:
    """A plain server that sends one header, a byte at a time, until its client is gone."""
    closed = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
                    while not closed.wait(0.05):
                        connection.sendall(b"x")
                except OSError:
                    closed.set()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", closed
        closed.set()


def test_a_body_that_declares_too_much_is_not_read(reach: Any) -> None:
    reach(feeds_example_com=always(Answer(200, b"x" * 20_001)))
    assert refused(max_bytes=20_000) == f"{HOST} sent more than 20,000 bytes"


def test_a_body_that_declares_nothing_is_read_no_further_than_the_limit(reach: Any) -> None:
    # No length, an open end: the connection's end would be the body's.
    with answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 50_000) as url:
        assert refused(url=url, max_bytes=20_000) == "127.0.0.1 sent more than 20,000 bytes"


def test_a_small_body_that_unpacks_to_a_large_one_is_refused(reach: Any) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)  # 48 KB on the wire
    reach(feeds_example_com=always(Answer(200, bomb, {"content-encoding": "gzip"})))
    assert refused(max_bytes=100_000) == f"{HOST} sent more than 100,000 bytes"


def test_the_limit_itself_is_allowed(reach: Any) -> None:
    reach(feeds_example_com=always(Answer(200, b"x" * 20_000)))
    assert len(get(max_bytes=20_000).body) == 20_000


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (gzip.compress(b"rss" * 99)[:-9], "gzip", "compressed data that end too early"),
        (b"no gzip at all", "gzip", "damaged compressed data"),
        (b"whatever", "br", "in the encoding br, which nobody asked for"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_refused(
    reach: Any, body: bytes, encoding: str, reason: str
) -> None:
    reach(feeds_example_com=always(Answer(200, body, {"content-encoding": encoding})))
    assert reason in refused()


def test_a_connection_cut_in_the_body_is_refused(reach: Any) -> None:
    reach(feeds_example_com=always(Answer(200, b"x" * 100, cut=40)))
    assert refused().startswith(f"{HOST} broke off: ")


def test_a_certificate_that_nobody_vouches_for_is_named(
    reach: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach(feeds_example_com=always(Answer()))
    monkeypatch.delenv("SSL_CERT_FILE")  # what public authorities sign does not hold here
    assert refused().startswith(f"{HOST} showed a bad certificate: ")


def test_a_host_that_cannot_be_reached_is_named(reach: Any) -> None:
    reach(feeds_example_com=always(Answer()))
    assert refused(url="https://gone.example.com/").startswith(
        "gone.example.com cannot be reached: 502"
    )


def test_a_refused_connection_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert refused(url=f"http://127.0.0.1:{port}/").startswith("127.0.0.1 cannot be reached: ")


def test_something_that_speaks_no_tls_is_named() -> None:
    with dripping() as (url, _):
        reason = refused(url=url.replace("http:", "https:"))
    assert reason.startswith("127.0.0.1 cannot be reached: no TLS")


def test_an_address_that_is_none_is_named() -> None:
    assert "no address to fetch" in refused(url="ftp://feeds.example.com/")
    assert "no address to fetch" in refused(url="https://feeds.example.com:port/")
    assert "cannot be reached" in refused(url="https://[feeds")


@pytest.mark.parametrize("body", [b"<!doctype html>", b"", b'{"results": ['])
def test_json_that_is_none_is_refused(reach: Any, body: bytes) -> None:
    reach(feeds_example_com=always(Answer(200, body, {"content-type": "text/html"})))
    with pytest.raises(SourceRefused, match=rf"{HOST} answered 200 with text/html that is no JSON"):
        fetch_json(URL, settings(), Deadline(PLENTY))


# ---------------------------------------------------------------- redirects


def test_five_redirects_are_followed_and_the_sixth_is_not(reach: Any) -> None:
    def hops(request: Request) -> Answer:
        left = int(request.path.strip("/"))
        return moved(f"/{left - 1}") if left else Answer(200, b"there")

    reach(feeds_example_com=hops)
    assert get(f"https://{HOST}/5").body == b"there"
    assert refused(url=f"https://{HOST}/6").startswith(f"{HOST} redirected more than 5 times")


def test_a_redirect_loop_ends(reach: Any) -> None:
    net = reach(feeds_example_com=always(moved(URL)))
    assert refused() == f"{HOST} redirected more than 5 times, at last to {HOST}"
    assert len(net.requests(HOST)) == 6


def test_redirects_share_one_time(reach: Any) -> None:
    # Each answer comes within the limit; together they would not.
    reach(feeds_example_com=always(Answer(302, b"", {"location": URL}, delay=0.3)))
    assert refused(request_seconds=0.7).startswith(f"{HOST} did not answer within 0.7 s")


def test_a_key_is_shown_to_no_other_host(reach: Any) -> None:
    net = reach(
        feeds_example_com=always(moved("https://new.example.com/")),
        new_example_com=always(Answer()),
    )
    sent = {"APCA-API-SECRET-KEY": "PLANTED-key-1", "If-None-Match": '"v1"'}
    fetch(URL, settings(), Deadline(PLENTY), headers=sent)
    assert net.requests(HOST)[0].headers["apca-api-secret-key"] == "PLANTED-key-1"
    [elsewhere] = net.requests("new.example.com")
    assert "apca-api-secret-key" not in elsewhere.headers
    assert elsewhere.headers["if-none-match"] == '"v1"'


def test_https_does_not_become_http(reach: Any) -> None:
    net = reach(
        feeds_example_com=always(moved("http://plain.example.com/")),
        plain_example_com=always(Answer(200, b"changed on the way")),
    )
    assert refused() == f"{HOST} redirects to plain.example.com without encryption: not followed"
    assert net.requests("plain.example.com") == []


@pytest.mark.parametrize(
    "inside",
    ["169.254.169.254", "localhost", "127.1", "[::1]", "10.0.0.8", "2130706433", "router.local"],
)
def test_a_public_page_does_not_lead_into_a_private_network(reach: Any, inside: str) -> None:
    net = reach(feeds_example_com=always(moved(f"https://{inside}/latest/meta-data")))
    assert "inside a private network: not followed" in refused()
    assert len(net.log) == 1


def test_a_public_name_that_leads_to_a_private_address_is_not_followed(
    reach: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = reach(feeds_example_com=always(Answer()))
    look_up = socket.getaddrinfo

    def names(host: Any, *rest: Any, **more: Any) -> Any:
        return look_up("127.0.0.1" if host == "rebound.example.com" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", names)  # the resolver's word
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost,rebound.example.com")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost,rebound.example.com")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        net.sites[HOST] = always(moved(f"https://rebound.example.com:{port}/"))
        assert refused() == (
            f"{HOST} redirects to rebound.example.com, inside a private network: not followed"
        )


def test_a_private_page_may_redirect_within_its_network() -> None:
    # A mirror on the user's own machine: it was named in the settings, so it is meant.
    with answering(b"HTTP/1.1 302 Found\r\nlocation: {url}b\r\ncontent-length: 0\r\n\r\n") as url:
        assert get(url.replace("127.0.0.1", "localhost")).body == b"mirror"


@contextmanager
def answering(first: bytes) -> Iterator[str]:
    """A plain server whose first answer is `first` and whose second one is a page."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        def serve() -> None:
            second = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nmirror"
            for answer in (first.replace(b"{url}", url.encode()), second):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield url


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("www.finder.com", False),
        ("93.184.216.34", False),
        ("2606:4700::1111", False),
        ("localhost", True),
        ("intranet", True),  # a name without a dot is looked up in the local domain
        ("metadata.google.internal", True),
        ("127.0.0.1", True),
        ("127.1", True),
        ("2130706433", True),  # 127.0.0.1 as one number
        ("0x7f.0.0.1", True),
        ("192.168.1.1", True),
        ("172.16.0.1", True),
        ("100.64.0.1", True),  # carrier-grade NAT, RFC 6598
        ("169.254.169.254", True),
        ("0.0.0.0", True),  # noqa: S104  judged, not bound to
        ("224.0.0.1", True),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("::ffff:10.0.0.1", True),
        ("fd00::1", True),
    ],
)
def test_what_counts_as_private(host: str, private: bool) -> None:
    assert is_private(host) is private


# ---------------------------------------------------------------- what a reason never holds


def test_a_reason_holds_no_secret_and_no_line_break(reach: Any) -> None:
    redaction.remember("PLANTED-retry-1")
    reach(feeds_example_com=always(Answer(429, b"", {"retry-after": "PLANTED-retry-1\tsoon"})))
    assert refused() == f"{HOST} answered 429 (it asks to wait {redaction.MARK} soon)"
