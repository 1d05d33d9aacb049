"""`cashtag doctor --live`: every source by its own errand, over loopback, healthy and broken."""

from __future__ import annotations

import importlib.metadata
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alpaca_bars_site import AlpacaSite
from alpaca_keys import KEY_ID, SECRET_KEY
from alpaca_options_site import Alpaca
from bedrock_site import Bedrock, refused, used
from feeds_site import (
    CNBC,
    CNBC_PATH,
    DOW_JONES,
    MARKETWATCH_PATH,
    SEC,
    WSJ_PATH,
    Edgar,
    Feeds,
    filing,
    item,
    rss,
)
from internet import Answer, Internet, Request, json_answer
from share_history import steady
from trending_site import (
    APEWISDOM,
    DATA,
    FINDER,
    STOCKTWITS,
    TRADING,
    TWELVE,
    Broker,
    always,
    apewisdom,
    finder_page,
    html,
    stocktwits,
)
from x_site import XSite
from yahoo_site import YahooSite

from cashtag import cli, sessions
from cashtag.operate import live_doctor, live_probes, schedule
from cashtag.operate.doctor import Finding
from cashtag.settings import load

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:yfinance")
NOW = datetime.now(UTC)
DAYS = sessions.sessions_before(sessions.session_of_run(NOW.date()), 320)
SECRETS = f"""
[[x_accounts]]
name = "ann"
auth_token = "PLANTED-token-ann"
ct0 = "PLANTED-ct0-ann"
[[x_accounts]]
name = "ben"
auth_token = "PLANTED-token-ben"
ct0 = "PLANTED-ct0-ben"
[alpaca]
key_id = "{KEY_ID}"
secret_key = "{SECRET_KEY}"
"""


class World:
    """Every site of a live run, in good health until a test changes one."""

    def __init__(self, folder: Path) -> None:
        self.x = XSite()
        self.bars = AlpacaSite({"SPY": steady(DAYS, 500.0)})
        self.options = Alpaca()
        expiry = sessions.next_session(NOW.date() + timedelta(days=14))
        self.options.add("TSLA", 250.0, [expiry], [240.0, 250.0, 260.0])
        self.broker = Broker()
        self.broker.assets[0] = {**self.broker.assets[0], "symbol": "SPY"}
        self.broker.active = list(TWELVE)
        yahoo = YahooSite({"SPY": steady(DAYS, 500.0), "^VIX": steady(DAYS, 15.0)})
        hour = NOW - timedelta(hours=1)
        self.sites: dict[str, Callable[[Request], Answer]] = {
            **self.x.sites(),
            FINDER: always(html(finder_page([f"<strong>{code}</strong>" for code in TWELVE]))),
            APEWISDOM: self.dated(json_answer(apewisdom(TWELVE))),
            STOCKTWITS: always(json_answer(stocktwits(TWELVE))),
            DATA: self.data,
            TRADING: self.trading,
            **yahoo.hosts(),
            CNBC: Feeds({CNBC_PATH: rss(item(1, "Up", hour), item(2, "Down", hour))}),
            DOW_JONES: Feeds(
                {
                    WSJ_PATH: rss(item(1, "Steady", hour)),
                    MARKETWATCH_PATH: rss(item(1, "Flat", hour)),
                }
            ),
            SEC: Edgar(filing("Acme Corp", 1, "0000000001-26-000001", hour.isoformat())),
        }
        self.net = Internet(self.sites, folder)

    @staticmethod
    def dated(answer: Answer, ahead: float = 0.0, age: int = 0) -> Callable[[Request], Answer]:
        """A site whose clock is so many seconds ahead of ours, behind a cache."""

        def site(_: Request) -> Answer:
            made = datetime.now(UTC) + timedelta(seconds=ahead - age)
            told = {"date": format_datetime(made, usegmt=True), "age": str(age)}
            return replace(answer, headers={**answer.headers, **told})

        return site

    def data(self, request: Request) -> Answer:
        """Alpaca's market data: bars, chains, most actives, each of its own double."""
        if request.path.startswith("/v1beta1/screener"):
            return self.broker.site(request)
        if "options" in request.path or request.path.endswith("/trades/latest"):
            return self.options.sites()[DATA](request)
        return self.bars(request)

    def trading(self, request: Request) -> Answer:
        """Alpaca's trading host: assets and contracts."""
        if request.path.startswith("/v2/assets"):
            return self.broker.site(request)
        return self.options.sites()[TRADING](request)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path)
    file = tmp_path / "secrets.toml"
    file.write_text(SECRETS, encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    # Neither this machine's systemd nor its cron, nor what they were told before.
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    with made.net:
        for name, value in made.net.environ().items():
            monkeypatch.setenv(name, value)
        yield made


def examined(**live: Any) -> dict[str, Finding]:
    given = {key.replace("__", "."): value for key, value in live.items()}
    chosen = {"live.contact": "me@example.org", "live.request_seconds": 30.0, **given}
    settings = load(environ={}, overrides=chosen)
    return {one.what: one for one in live_doctor.examine(settings)}


NEWS = [{"name": "cnbc", "url": f"https://{CNBC}{CNBC_PATH}"}]
# Little to ask, for tests of something else.
FEW: dict[str, Any] = {
    "scrape__trending__chain": ["apewisdom"],
    "live__prices__chain": ["alpaca"],
    "live__options__enabled": False,
    "live__news__feeds": [],
}


def bad(found: dict[str, Finding]) -> dict[str, str]:
    """What is not ok, but for the timer: there is none in a test's world."""
    told = {one.what: one.verdict for one in found.values() if one.verdict != "ok"}
    print(*(found[what] for what in told), sep="\n")  # for whoever reads a failure
    assert told.pop("schedule") == "warn"
    return told


# ---------------------------------------------------------------- all is well


def test_when_everything_works_everything_is_ok(world: World) -> None:
    ticks: list[tuple[int, int, str]] = []
    # Ample time: on a busy machine the first import of a library takes seconds.
    ample = {
        "live.contact": "me@example.org",
        "live.check.seconds": 120,
        "live.request_seconds": 60,
    }
    settings = load(environ={}, overrides=ample)
    found = live_doctor.examine(settings, tick=lambda *tick: ticks.append(tick))
    assert bad({one.what: one for one in found}) == {}
    # Libraries, credentials, then the sources in the order of a run.
    assert [one.what for one in found][7:] == [
        "live.contact",
        "secrets",
        "x/ann",
        "x/ben",
        "x",
        "trending/finder",
        "trending/apewisdom",
        "trending/stocktwits",
        "trending/alpaca",
        "trending",
        "prices/alpaca",
        "prices/yahoo",
        "prices",
        "searches",
        "alpaca/assets",
        "options",
        "news/cnbc",
        "news/marketwatch",
        "news/sec",
        "news/wsj",
        "clock",
        "schedule",
    ]
    told = {one.what: one.found for one in found}
    assert told["secrets"] == "secrets.toml: 2 X accounts, Alpaca keys: yes"
    assert told["x/ann"] == "works, 48 searches left in this window"
    assert told["x"] == "2 of 2 work"
    # Two accounts with 49 searches each; five are what a run reckons with.
    assert told["searches"] == "2 accounts give 98 searches in 15 minutes"
    assert told["trending/finder"] == "12 tickers: TSLA, NVDA, AAPL …"
    # 300 bars of SPY; Yahoo has the index too.
    assert told["prices/alpaca"].startswith("300 bars, 1 of 1 tickers")
    assert told["prices/yahoo"].startswith("600 bars, 2 of 2 tickers")
    assert told["options"] == "6 contracts of TSLA"
    assert told["news/cnbc"] == "2 items"
    assert told["clock"].endswith("apewisdom.io")
    assert ticks[-1][:2] == (12, 12)  # X, 4 lists, 2 prices, assets, chains, news, clock, timer
    assert "PLANTED" not in repr(found)


# ---------------------------------------------------------------- what does not work


def test_one_broken_source_hides_no_other(world: World) -> None:
    world.x.faults["PLANTED-token-ben"] = "suspended"
    world.net.sites[FINDER] = always(html(finder_page(["TSLA", "NVDA"])))
    world.net.sites[STOCKTWITS] = always(Answer(403, b"<html>", {"server": "cloudflare"}))
    world.net.sites[CNBC] = always(Answer(500))
    found = examined()
    assert bad(found) == {
        "x/ben": "warn",
        "trending/finder": "warn",
        "trending/stocktwits": "warn",
        "news/cnbc": "warn",
    }
    assert "suspended" in found["x/ben"].found
    assert found["x"].found == "1 of 2 work"
    assert "2" in found["trending/finder"].found
    assert "403 (Cloudflare)" in found["trending/stocktwits"].found
    assert "500" in found["news/cnbc"].found
    assert all(one.remedy for one in found.values() if one.verdict != "ok")


def test_what_a_run_cannot_do_without_fails(world: World) -> None:
    world.x.everybody = "expired"
    for host in (FINDER, APEWISDOM, STOCKTWITS, DATA, "query2.finance.yahoo.com"):
        world.net.sites[host] = always(Answer(403))  # a 503 would be worth another attempt
    found = examined()
    failed = {what for what, verdict in bad(found).items() if verdict == "fail"}
    assert failed == {"x", "trending", "prices"}
    assert found["x"].found == "0 of 2 work"
    assert "cookies" in found["x/ann"].remedy


def test_refused_keys_are_told_where_they_are_used(world: World, tmp_path: Path) -> None:
    wrong = SECRETS.replace(KEY_ID, "PLANTED-wrong-key")
    (tmp_path / "secrets.toml").write_text(wrong, encoding="utf-8")
    found = examined()
    assert bad(found) == dict.fromkeys(
        ("trending/alpaca", "prices/alpaca", "alpaca/assets", "options"), "warn"
    )
    assert found["prices"].verdict == "ok"  # Yahoo has bars
    assert "403" in found["prices/alpaca"].found


def test_without_a_file_of_secrets_it_says_what_to_do(world: World, tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").unlink()
    found = examined()
    assert bad(found) == {"secrets": "warn", "alpaca": "warn", "x": "fail"}
    assert found["secrets"].found == f"secrets.toml is not there, in {tmp_path}"
    assert found["x"].found == "no account is set up"
    assert "cashtag accounts check" in found["x"].remedy
    assert "bars come from Yahoo alone" in found["alpaca"].found
    assert "trending/alpaca" not in found
    assert not [request for request in world.net.log if request.host == "x.com"]


def test_a_file_open_to_others_fails_once_with_the_command(world: World, tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").chmod(0o644)
    found = examined(**FEW)
    assert found["secrets"].verdict == "fail"
    assert "chmod 600 secrets.toml" in found["secrets"].found
    assert found["x"].found == "accounts cannot be read"
    assert "alpaca" not in found  # nobody knows whether there are keys
    assert found["trending/apewisdom"].verdict == "ok"


def test_an_account_that_is_malformed_leaves_the_keys(world: World, tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").write_text(SECRETS.replace("ct0", "cto"), encoding="utf-8")
    found = examined(**FEW)
    assert bad(found) == {"secrets": "fail", "x": "fail"}
    assert "account 1: `cto` is unknown" in found["secrets"].found
    assert found["prices/alpaca"].verdict == "ok"


def test_a_secrets_manager_that_hangs_leaves_time_for_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes calls, says nothing
        for name, value in {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "PLANTED-aws-key",
        }.items():
            monkeypatch.setenv(name, value)
        found = examined(
            live__x__accounts_secret="accounts",  # noqa: S106  a name
            live__check__seconds=12.0,
            **FEW,
        )
    assert found["boto3"].verdict == "ok"
    assert found["secrets"].found.startswith("AWS Secrets Manager did not answer in time")
    assert found["x"].found == "accounts cannot be read"
    assert found["trending"].verdict == found["prices"].verdict == "ok"


def test_the_sec_wants_to_know_who_asks(world: World) -> None:
    found = examined(live__contact="")
    assert bad(found) == {"live.contact": "warn", "news/sec": "warn"}
    assert "[live] contact" in found["news/sec"].remedy


def test_a_clock_that_is_off_is_told(world: World) -> None:
    body = json_answer(apewisdom(TWELVE))
    world.net.sites[APEWISDOM] = world.dated(body, ahead=300.0)
    found = examined(**FEW)
    assert found["clock"].verdict == "warn"
    assert found["clock"].found in ("299 s behind apewisdom.io", "300 s behind apewisdom.io")
    assert "timedatectl" in found["clock"].remedy
    # An answer that a cache kept for ten minutes was made ten minutes ago: the clock is right.
    world.net.sites[APEWISDOM] = world.dated(body, age=600)
    assert examined(**FEW)["clock"].verdict == "ok"


def test_a_source_that_hangs_does_not_keep_the_others_waiting(world: World) -> None:
    world.net.sites[STOCKTWITS] = always(Answer(hang=True))
    world.net.sites[DATA] = always(Answer(hang=True))
    began = time.monotonic()
    found = examined(live__check__seconds=6.0, live__request_seconds=60.0)
    assert time.monotonic() - began < 30  # not the minute of one request
    assert found["x"].verdict == found["trending"].verdict == found["prices"].verdict == "ok"
    hung = {"trending/stocktwits", "trending/alpaca", "prices/alpaca", "options"}
    assert bad(found) == dict.fromkeys(hung, "warn")


def test_a_probe_that_breaks_is_a_finding(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Iterator[Finding]:
        raise ZeroDivisionError("in our own code, with PLANTED-token-ann")
        yield

    def lacking(*_: object) -> Iterator[Finding]:
        raise ModuleNotFoundError("No module named 'feedparser'", name="feedparser")
        yield

    monkeypatch.setattr(live_probes, "_clock", broken)
    monkeypatch.setattr(live_probes, "_news", lacking)
    found = examined(**{**FEW, "live__news__feeds": NEWS})
    assert found["clock"].found == "ZeroDivisionError: in our own code, with [secret]"
    assert "report it" in found["clock"].remedy
    assert found["news"].found == "the package feedparser is not installed"
    assert ".[live]" in found["news"].remedy
    assert bad(found) == {"clock": "warn", "news": "warn"}


def test_a_package_that_is_missing_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = importlib.metadata.version

    def version(name: str) -> str:
        if name in ("twscrape", "curl_cffi"):
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    chain = {"scrape__trending__chain": ["yesterday"]}
    found = examined(live__x__backend="curl", **{**FEW, **chain})
    assert (found["twscrape"].verdict, found["curl_cffi"].verdict) == ("fail", "fail")
    assert found["twscrape"].remedy == live_probes.INSTALL
    # A chain that asks no site cannot be relied on.
    assert found["trending"].found == "0 of 0 work"


@pytest.mark.parametrize(
    ("installed", "state", "result", "verdict", "told", "remedy"),
    [
        ("no", "not installed; `x`", "no run yet", "warn", "not installed; `x`", "install"),
        ("cron", "as set", "ok", "ok", "cron, as set; ok", ""),
        ("systemd", "as set", "no run yet", "ok", "systemd, as set; no run yet", ""),
        ("cron", "as set", "failed: X", "warn", "cron, as set; failed: X", "schedule show"),
        ("systemd", "installed, but stopped", "ok", "warn", "systemd, installed, but", "install"),
    ],
)
def test_the_timer_is_told_with_how_its_last_run_ended(
    monkeypatch: pytest.MonkeyPatch,
    installed: str,
    state: str,
    result: str,
    verdict: str,
    told: str,
    remedy: str,
) -> None:
    shown = {"installed": installed, "state": state, "last_result": result}
    monkeypatch.setattr(schedule, "show", lambda *_: shown)
    visit: Any = SimpleNamespace(settings=None, now=NOW)
    (finding,) = live_probes._schedule(visit)
    assert finding.verdict == verdict
    assert told in finding.found
    assert remedy in finding.remedy


def test_without_a_timer_the_remedy_installs_one(world: World) -> None:
    found = examined(**FEW)["schedule"]
    assert found.found.startswith("not installed")
    assert "cashtag schedule install" in found.remedy


@pytest.mark.parametrize(
    ("reply", "verdict", "told"),
    [
        (used({"tickers": []}), "ok", "region us-east-1, model anthropic.claude-3-5"),
        (refused(403, "AccessDeniedException", "no access"), "warn", "AccessDeniedException"),
    ],
)
def test_discovery_is_asked_for_one_token_where_it_is_on(
    world: World, monkeypatch: pytest.MonkeyPatch, reply: Any, verdict: str, told: str
) -> None:
    with Bedrock(reply) as bedrock:
        for name, value in bedrock.environ().items():
            monkeypatch.setenv(name, value)
        found = examined(scrape__discovery__enabled=True, **FEW)
        assert [asked["inferenceConfig"] for asked in bedrock.asked] == [{"maxTokens": 1}]
    assert found["discovery"].verdict == verdict
    assert told in found["discovery"].found
    assert found["boto3"].verdict == "ok"
    assert "options" not in found


# ---------------------------------------------------------------- the command


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[object, list[dict[str, str]], str]]:
    for where, hook in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(where, hook, getattr(where, hook))  # the command replaces them

    def run(*options: str) -> tuple[object, list[dict[str, str]], str]:
        """Exit code, rows and what stands on stderr."""
        argv = ["cashtag", "doctor", *options, "--lake", "lake", "--format", "json"]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code, json.loads(printed.out), printed.err

    return run


def test_the_command_ends_with_1_when_something_needed_failed(
    world: World, command: Callable[..., Any]
) -> None:
    code, rows, said = command("--live")
    found = {row["what"]: row["verdict"] for row in rows}
    assert (code or 0, said) == (0, "")
    assert found["live.contact"] == "warn"  # which does not count
    assert {"python", "lake", "x/ann", "prices"} <= set(found)
    world.x.everybody = "expired"
    code, rows, said = command("--live")
    assert (code, said) == (1, "")
    assert {row["what"] for row in rows if row["verdict"] == "fail"} == {"x"}


def test_without_live_nobody_is_asked(world: World, command: Callable[..., Any]) -> None:
    code, rows, _ = command()
    assert (code or 0) == 0
    assert "x" not in {row["what"] for row in rows}
    assert world.net.log == []
