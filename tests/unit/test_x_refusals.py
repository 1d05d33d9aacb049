"""Every refusal of X, by the unpatched client library over real sockets, with both HTTP backends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from internet import Internet
from x_site import ERRORS, STARTS, XSite

from cashtag.errors import SourceRefused
from cashtag.ports import SourceHealth
from cashtag.scrape.credentials import XAccount
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.x.check import check
from cashtag.settings import load

# What X does to an account, and by which words cashtag knows it.
KNOWN = {
    "expired": "session expired (32)",
    "suspended": "suspended (64)",
    "suspended-user": "suspended (141)",
    "locked": "locked, log in by hand and unlock it (326)",
    "csrf": "csrf mismatch, ct0 does not belong to auth_token (353)",
    "internal": "X's error 131: Internal error",
    "features": "the list of features is outdated (336)",
    "ban": "banned from searching (88 with budget left)",
    "logged-out": "logged out; renew both cookies",
    "changed-home": "X's home page has changed (X web scripts not found)",
    "keyless-home": "X's home page has changed (X verification key not found)",
    "home-cloudflare": "blocked by Cloudflare (403)",
    "home-failing": "X failed (503)",
    "loadshed": "X is overloaded (LoadShed)",
    "spent88": "rate limit (88)",
    "limited": "rate limit (429)",
    "bare": "session expired or banned (bare 403)",
    "failing": "X failed (500)",
    "stale": "stale query id or transaction id (404)",
    "cloudflare": "blocked by Cloudflare (403)",
    "webpage": "X answered with a web page (200)",
    "nojson": "X's answer is no JSON",
    "notimeline": "X's answer holds no timeline",
    "cut": "no answer from X",
    "hang": "no answer from X within 3 s",
    "blind": "the canary found nothing either ($SPY)",
    "unreadable": "none of 20 tweets has the shape that is known",
}
FATAL = {
    "expired", "suspended", "suspended-user", "locked", "csrf", "ban", "bare", "logged-out", "blind",
}  # fmt: skip
WAITING = {"loadshed", "stale", "cut", "hang"}
WORKING = ("fine", "warning")


@pytest.fixture(scope="module", params=["httpx", "curl"])
def checked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[XSite, dict[str, SourceHealth]]:
    """One account for each fault; those that make the library wait get three seconds."""
    faults = [*KNOWN, *WORKING]
    site = XSite(faults={f"PLANTED-token-{fault}": fault for fault in faults if fault != "fine"})

    def asked(some: set[str], seconds: int) -> tuple[SourceHealth, ...]:
        environ = {
            "CASHTAG_LIVE__X__BACKEND": str(request.param),
            "CASHTAG_LIVE__REQUEST_SECONDS": str(seconds),
        }
        accounts = tuple(
            XAccount(fault, f"PLANTED-token-{fault}", f"PLANTED-csrf-{fault}")
            for fault in sorted(some)
        )
        return check(load(environ=environ), accounts, Deadline(60))

    with (
        Internet(site.sites(), tmp_path_factory.mktemp("ca")) as net,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in net.environ().items():
            environment.setenv(name, value)
        rows = asked(set(faults) - WAITING, 30) + asked(WAITING, 3)
        assert os.environ["TWS_HTTP_BACKEND"] == request.param
    return site, {row.name.removeprefix("x/"): row for row in rows}


def test_every_refusal_is_known_by_its_name(
    checked: tuple[XSite, dict[str, SourceHealth]],
) -> None:
    _, rows = checked
    assert {*ERRORS, *STARTS} <= set(KNOWN)
    for fault, words in KNOWN.items():
        assert rows[fault].status == "refused", fault
        assert str(rows[fault].reason).startswith(words), (fault, rows[fault].reason)


def test_an_account_that_works_is_told_from_all_of_them(
    checked: tuple[XSite, dict[str, SourceHealth]],
) -> None:
    _, rows = checked
    for name in WORKING:
        # One search of 49 is made; X's own count, 49 of 50 left, allows 48 more as well.
        assert rows[name] == SourceHealth(f"x/{name}", "ok", None, 1, 48)


def test_an_account_that_is_lost_has_nothing_left(
    checked: tuple[XSite, dict[str, SourceHealth]],
) -> None:
    _, rows = checked
    for fault in (*FATAL, "limited", "spent88"):
        assert rows[fault].left == 0, fault
    for fault in set(KNOWN) - FATAL - {"limited", "spent88"}:
        assert rows[fault].left, fault


def test_each_request_is_counted_also_those_the_library_repeats(
    checked: tuple[XSite, dict[str, SourceHealth]],
) -> None:
    site, rows = checked
    for name, row in rows.items():
        assert row.requests >= site.used[f"PLANTED-token-{name}"], name
        assert row.requests <= 12  # three attempts of four
    # The library signs anew and asks again, a second later each time.
    assert rows["stale"].requests in (2, 3)


def test_no_cookie_is_told(checked: tuple[XSite, dict[str, SourceHealth]]) -> None:
    _, rows = checked
    assert "PLANTED" not in repr(rows)


def test_a_dead_network_is_named_within_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = (XAccount("acc1", "PLANTED-token-1", "PLANTED-csrf-1"),)
    with Internet({}, tmp_path) as net:  # a proxy that reaches no site
        for name, value in net.environ().items():
            monkeypatch.setenv(name, value)
        for backend in ("httpx", "curl"):
            settings = load(environ={"CASHTAG_LIVE__X__BACKEND": backend})
            [row] = check(settings, accounts, Deadline(10))
            assert row.status == "refused"
            assert str(row.reason).startswith("no answer from X")


def test_an_account_goes_through_its_own_proxy_whose_password_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    site = XSite()
    with Internet(site.sites(), tmp_path) as net:
        for name, value in net.environ().items():
            monkeypatch.setenv(name, value)
        for name in ("TWS_PROXY", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.delenv(name)
        host = net.proxy.removeprefix("http://")
        dead = "http://user:PLANTED-password@127.0.0.1:9"  # nobody listens there
        accounts = (
            XAccount("good", "PLANTED-1", "PLANTED-2", f"http://user:PLANTED-password@{host}"),
            XAccount("dead", "PLANTED-3", "PLANTED-4", dead),
        )
        rows = check(load(environ={}), accounts, Deadline(10))
    assert [(row.name, row.status) for row in rows] == [("x/good", "ok"), ("x/dead", "refused")]
    out, err = capfd.readouterr()
    assert "PLANTED" not in f"{rows}{out}{err}"


def test_without_accounts_the_error_says_where_to_put_them() -> None:
    settings = load(environ={"CASHTAG_LIVE__SECRETS_FILE": "private.toml"})
    with pytest.raises(SourceRefused, match=r"\[\[x_accounts\]\].*'private.toml'"):
        check(settings, (), Deadline(10))
