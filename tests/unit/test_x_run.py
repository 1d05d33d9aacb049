"""A live run of thirty tickers over five accounts, as the scrape step stores it and tells of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from internet import Internet
from x_site import XSite

from cashtag import services, steps
from cashtag.ports import Env, Fetched, SourceHealth
from cashtag.scrape import coverage, manifest
from cashtag.scrape.credentials import XAccount
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held, held
from cashtag.scrape.live import LiveSource
from cashtag.scrape.x.errand import X
from cashtag.settings import Settings, load

FRIDAY = date(2026, 5, 8)
THIRTY = sorted(
    {"AAPL", "GOOG", "META", "NVDA", "TSLA"}  # defaults.toml
    | {f"T{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXY"}
)


class Unlisted:
    """No list of trending tickers: the watchlist is what is asked for."""

    def fetch(self, dt: date, known: Held, until: Deadline) -> tuple[Fetched, ...]:
        return ()

    def health(self) -> tuple[SourceHealth, ...]:
        return ()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    # Pages of five, twelve tweets a ticker: three pages. The budget is enough for all of it.
    return load(
        environ={},
        overrides={
            "lake": str(tmp_path / "lake"),
            "watchlist.stocks": {ticker: {} for ticker in THIRTY},
            "scrape.tweets_per_page": 5,
            "scrape.tweets_per_ticker": 12,
            "scrape.watchlist_keyword_searches": 1,
            "live.x.rest_seconds": 0.0,
        },
    )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[XSite]:
    played = XSite(tweets={"$TQ": 0})
    with Internet(played.sites(), tmp_path) as net:
        for name, value in net.environ().items():
            monkeypatch.setenv(name, value)
        yield played


def environment(settings: Settings, seconds: float = 60.0) -> Env:
    accounts = tuple(
        XAccount(f"acc{i}", f"PLANTED-token-{i}", f"PLANTED-csrf-{i}") for i in range(1, 6)
    )
    source = LiveSource(
        settings,
        services.folder_lake(settings.lake),
        [X(settings, accounts)],
        Unlisted(),  # type: ignore[arg-type]
        lambda: Deadline(seconds),
    )
    return dataclasses.replace(services.embedded(settings), source=source)


def stored(env: Env) -> dict[str, list[str]]:
    """Ids of the stored tweets by ticker, repeated ones as often as they are stored."""
    known = held(env.lake.raw, FRIDAY)
    return {
        ticker: [envelope["data"]["id_str"] for envelope in known.envelopes("tweets", ticker)]
        for ticker in THIRTY
    }


def test_a_run_that_loses_two_accounts_ends_complete_and_says_what_happened(
    site: XSite, settings: Settings
) -> None:
    site.faults = {"PLANTED-token-2": "suspended", "PLANTED-token-5": "csrf"}
    site.from_search = {"PLANTED-token-2": 5, "PLANTED-token-5": 2}
    env = environment(settings)
    whole = steps.scrape(env, FRIDAY)
    assert {row.ticker: row.status for row in whole.tickers} == {
        ticker: "empty" if ticker == "TQ" else "ok" for ticker in THIRTY
    }
    assert not any(row.more for row in whole.tickers)
    # Twelve that were asked for, and what numbers 0 and 10 of them quote.
    plain = [ticker for ticker in THIRTY if ticker.startswith("T") and len(ticker) == 2]
    found = stored(env)
    assert {len(found[ticker]) for ticker in plain if ticker != "TQ"} == {12 + 2}
    # The watched five have a page of keywords as well: five tweets, the first quotes another.
    assert {len(found[ticker]) for ticker in ("AAPL", "GOOG", "META", "NVDA", "TSLA")} == {14 + 6}
    queries = {
        envelope["query"].split(" lang:")[0]
        for envelope in held(env.lake.raw, FRIDAY).envelopes("tweets", "TSLA")
    }
    assert queries == {"$TSLA", "(Tesla)"}
    assert all(len(ids) == len(set(ids)) for ids in found.values())
    rows = {row.name: row for row in whole.health}
    assert {name: row.status for name, row in rows.items()} == {
        "x": "ok",
        "x/acc1": "ok",
        "x/acc2": "refused",
        "x/acc3": "ok",
        "x/acc4": "ok",
        "x/acc5": "refused",
    }
    assert rows["x/acc2"].reason == "suspended (64)"
    assert str(rows["x/acc5"].reason).startswith("csrf mismatch")
    day = coverage.of_run(env.lake.raw, FRIDAY, settings)
    assert (day.of_tickers, day.accounts) == (1.0, (3, 5))
    assert max(site.used.values()) <= 49
    working = [row.requests for name, row in rows.items() if row.status == "ok" and name != "x"]
    assert max(working) <= 2 * min(working)
    assert sum(row.requests for name, row in rows.items() if name != "x") == rows["x"].requests


def test_a_run_without_a_working_account_is_partial_and_its_repair_fills_the_gap(
    site: XSite, settings: Settings
) -> None:
    site.faults = {f"PLANTED-token-{i}": "expired" for i in range(1, 6)}
    site.from_search = {"PLANTED-token-1": 4}
    whole = steps.scrape(env := environment(settings), FRIDAY)
    refused = [row for row in whole.tickers if row.status == "refused"]
    assert len(refused) == 30 - 4  # four first pages came before the last account was lost
    assert {str(row.reason) for row in refused} == {
        "no account left: " + ", ".join(f"acc{i} session expired (32)" for i in range(1, 6))
    }
    assert coverage.of_run(env.lake.raw, FRIDAY, settings).of_tickers == pytest.approx(4 / 30)
    before = stored(env)
    assert sum(map(len, before.values())) == 4 * 6

    site.faults.clear()
    whole = steps.scrape(env := environment(settings), FRIDAY)
    assert {row.status for row in whole.tickers} == {"ok", "empty"}
    found = stored(env)
    assert all(len(ids) == len(set(ids)) for ids in found.values())
    for ticker, ids in before.items():
        assert found[ticker][: len(ids)] == ids  # what was there is there, untouched
    assert sum(map(len, found.values())) == 24 * 14 + 5 * 20
    assert all(row.status == "ok" for row in whole.health)

    asked = len(site.log)
    manifests = len(manifest.of_day(env.lake.raw, FRIDAY))
    steps.scrape(environment(settings), FRIDAY)
    assert len(site.log) == asked
    assert len(manifest.of_day(env.lake.raw, FRIDAY)) == manifests
