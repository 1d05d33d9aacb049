"""A whole live day by the command line, over loopback: accounts that die, a day that is resumed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import live_world
import pytest
from internet import Internet
from live_world import ACCOUNTS, THIRTY, World, token
from x_site import XSite

from cashtag import services, sessions
from cashtag.lake import layout, lines
from cashtag.ports import Lake
from cashtag.scrape import coverage, manifest
from cashtag.settings import load

pytestmark = pytest.mark.slow
SETTINGS = load(environ={})
# The newest session whose run is due: a live day of later would not be over yet.
DT = sessions.previous_session(
    sessions.next_session((datetime.now(UTC) - timedelta(hours=12)).date())
)


def cashtag(
    net: Internet, folder: Path, *args: str, **more: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", "from cashtag.cli import main; main()", *args],
        env={**os.environ, **live_world.environ(net, folder), **more},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "PLANTED" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


def run(net: Internet, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return cashtag(net, folder, "run", "--source", "live", "--date", str(DT), "--no-report", **more)


def lake_of(folder: Path) -> Lake:
    return services.folder_lake(folder / "lake")


def whole(lake: Lake) -> tuple[dict[str, manifest.TickerEntry], dict[str, Any]]:
    """Best answer by ticker, and health by name."""
    found = manifest.of_day(lake.raw, DT)
    return (
        {row.ticker: row for row in manifest.tickers(found)},
        {row.name: row for row in manifest.health(found)},
    )


def tweets(lake: Lake) -> dict[str, set[str]]:
    """Ids of the tweets in raw, by ticker."""
    found: dict[str, set[str]] = {}
    for info in lake.raw.list(layout.raw_prefix("tweets", DT)):
        key = layout.parse_raw(info.key)
        assert key is not None
        for line in lines.read(lake.raw.get(info.key), info.key):
            found.setdefault(key.name, set()).add(json.loads(line)["data"]["id_str"])
    return found


# ---------------------------------------------------------------- two of five die


@pytest.fixture(scope="module")
def two_died(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, World, Lake]:
    """A run with five accounts, of which two are refused for good after a few searches."""
    folder = tmp_path_factory.mktemp("two-died")
    # 45 tweets a ticker: three pages. Five stocks of the watchlist have keywords as well.
    world = World(DT, x=XSite(default=45))
    world.x.faults = {token("bert"): "suspended", token("cleo"): "expired"}
    world.x.from_search = {token("bert"): 8, token("cleo"): 3}
    live_world.write_secrets(folder)
    with Internet(world.sites(), folder) as net:
        done = run(net, folder)
    return done, world, lake_of(folder)


def test_a_day_on_which_two_of_five_accounts_die_is_complete(two_died: Any) -> None:
    done, _, lake = two_died
    assert done.returncode == 0, done.stderr
    answers, _ = whole(lake)
    assert {ticker: row.status for ticker, row in answers.items()} == dict.fromkeys(THIRTY, "ok")
    run = coverage.of_run(lake.raw, DT, SETTINGS)
    assert run.share == 1.0
    assert run.reason(SETTINGS.scrape.coverage.partial_below) is None
    found = tweets(lake)
    # Of a ticker's 45 tweets every tenth quotes another, which is kept too: 45 + 5.
    assert len(found["PLTR"]) == 50


def test_the_searches_are_spread_evenly_over_the_accounts_that_are_left(two_died: Any) -> None:
    _, world, _ = two_died
    left = [world.x.answered[token(name)] for name in ("anna", "dora", "emil")]
    assert min(left) >= 20
    # Of the idle ones the least used is asked next; a busy machine makes some idle more often.
    assert max(left) <= 1.5 * min(left)
    assert max(left) <= SETTINGS.scrape.searches_per_account


def test_the_manifest_says_what_happened(two_died: Any) -> None:
    done, _, lake = two_died
    answers, health = whole(lake)
    assert health["x/bert"].status == "refused"
    assert "64" in health["x/bert"].reason
    assert health["x/cleo"].status == "refused"
    assert "32" in health["x/cleo"].reason
    assert {health[f"x/{name}"].status for name in ("anna", "dora", "emil")} == {"ok"}
    for name in ("x", "finder", "trending", "alpaca", "yahoo", "prices", "cnbc", "wsj", "sec"):
        assert health[name].status == "ok", health[name]
    run = coverage.of_run(lake.raw, DT, SETTINGS)
    assert run.accounts == (3, 5)
    # The site's newest tweet of a query is one minute old at the cutoff.
    assert run.age == timedelta(minutes=1)
    assert "x/bert" in done.stdout
    assert answers["NVDA"].tweets > answers["PLTR"].tweets  # keywords of the watchlist as well


def test_every_kind_of_raw_data_became_rows(two_died: Any) -> None:
    _, _, lake = two_died
    import cashtag as package

    opened = package.open(lake.raw.uri().rsplit("/", 1)[0])
    assert set(opened.table("tweets", start=DT, end=DT)["ticker"]) == set(THIRTY)
    prices = opened.table("prices", start=DT, end=DT)
    assert set(prices["ticker"]) == {*THIRTY, "SPY", "^VIX"}
    assert set(prices.groupby("ticker").size()) == {SETTINGS.scrape.bars_per_run}
    assert (prices["session"].astype(str) < str(DT)).all()  # nothing of the session itself
    news = opened.table("news", start=DT, end=DT)
    assert set(news["ticker"]) == {"NVDA"}


# ---------------------------------------------------------------- all are dead, then repaired


@pytest.fixture(scope="module")
def repaired(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run with five suspended accounts, and the same run again when they are well."""
    folder = tmp_path_factory.mktemp("repaired")
    world = World(DT, x=XSite(default=45))
    world.x.faults = {token(name): "suspended" for name in ACCOUNTS}
    live_world.write_secrets(folder)
    lake = lake_of(folder)
    seen: dict[str, Any] = {"lake": lake}
    with Internet(world.sites(), folder) as net:
        seen["first"] = run(net, folder)
        seen["status"] = cashtag(net, folder, "status", "--date", str(DT))
        seen["raw before"] = {info.key: lake.raw.get(info.key) for info in lake.raw.list("")}
        seen["ledger before"] = [info.key for info in lake.ledger.list("events/")]
        seen["answers before"], seen["health before"] = whole(lake)
        seen["coverage before"] = coverage.of_run(lake.raw, DT, SETTINGS)
        net.log.clear()
        world.x.faults = {}
        seen["second"] = run(net, folder)
        seen["hosts asked again"] = {request.host for request in net.log}
        net.log.clear()
        seen["third"] = run(net, folder)
        seen["searches of the third"] = [r for r in net.log if "SearchTimeline" in r.path]
    return seen


def test_a_day_without_a_living_account_is_partial_and_says_so(repaired: dict[str, Any]) -> None:
    first = repaired["first"]
    assert first.returncode == 5
    assert "no ticker was answered" in first.stderr
    assert "suspended (64)" in first.stdout + first.stderr
    answers = repaired["answers before"]
    assert {row.status for row in answers.values()} == {"refused"}
    assert set(answers) == set(THIRTY)
    assert all("suspended" in row.reason for row in answers.values())
    assert not any(key.startswith("tweets/") for key in repaired["raw before"])
    covered = repaired["coverage before"]
    assert covered.share == 0.0
    assert covered.reason(0.6) is not None
    assert covered.accounts == (0, 5)
    assert "anna" in repaired["status"].stdout


def test_nothing_is_planned_on_such_a_day(repaired: dict[str, Any]) -> None:
    assert not [key for key in repaired["ledger before"] if "/intent" in key]


def test_everything_else_of_that_day_was_kept(repaired: dict[str, Any]) -> None:
    kinds = {key.split("/")[0] for key in repaired["raw before"]}
    assert {"news", "prices", "trending", "assets", "manifests"} <= kinds


def test_the_run_after_the_repair_fills_exactly_the_gap(repaired: dict[str, Any]) -> None:
    assert repaired["second"].returncode == 0, repaired["second"].stderr
    raw = repaired["lake"].raw
    after = {info.key: raw.get(info.key) for info in raw.list("")}
    before = repaired["raw before"]
    assert {key: after[key] for key in before} == before  # raw is never edited
    added = {key.split("/")[0] for key in after if key not in before}
    assert added - {"options"} == {"tweets", "manifests"}
    assert set(tweets(repaired["lake"])) == set(THIRTY)
    answers, health = whole(repaired["lake"])
    assert {row.status for row in answers.values()} == {"ok"}
    assert health["x/anna"].status == "ok"
    # Lists, bars and news were there: nobody was asked for them again.
    assert not repaired["hosts asked again"] & {"www.finder.com", "www.cnbc.com", "www.sec.gov"}


def test_a_third_call_has_nothing_to_search_for(repaired: dict[str, Any]) -> None:
    assert repaired["third"].returncode == 0
    assert repaired["searches of the third"] == []


# ---------------------------------------------------------------- a source that never answers


def test_a_silent_x_costs_the_deadline_and_no_more(tmp_path: Path) -> None:
    world = World(DT, x=XSite(default=45, everybody="hang"))
    live_world.write_secrets(tmp_path)
    with Internet(world.sites(), tmp_path) as net:
        done = run(net, tmp_path, CASHTAG_LIVE__STEP_SECONDS="15")
    assert done.returncode == 5
    answers, health = whole(lake_of(tmp_path))
    assert {row.status for row in answers.values()} == {"refused"}
    assert health["cnbc"].status == "ok"


def test_a_run_before_its_cutoff_is_refused(tmp_path: Path) -> None:
    live_world.write_secrets(tmp_path)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    with Internet({}, tmp_path) as net:
        done = cashtag(net, tmp_path, "run", "--source", "live", "--date", str(tomorrow))
    assert done.returncode == 2
    assert "is not due before its cutoff at 12:00 UTC" in done.stderr
    assert isinstance(DT, date)
