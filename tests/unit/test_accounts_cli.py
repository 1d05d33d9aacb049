"""`cashtag accounts check`: which accounts work, by name, with X itself on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from internet import Internet
from x_site import XSite

from cashtag import services
from cashtag.operate import accounts
from cashtag.ports import Lake, SourceHealth
from cashtag.scrape import manifest
from cashtag.scrape.credentials import XAccount
from cashtag.scrape.deadline import Deadline
from cashtag.settings import Settings, load

MAIN = "from cashtag.cli import main; main()"
NAMES = ("ann", "ben", "cas")


def token(name: str) -> str:
    return f"PLANTED-token-{name}"


def secrets(folder: Path, names: tuple[str, ...] = NAMES, mode: int = 0o600) -> None:
    text = "\n".join(
        f'[[x_accounts]]\nname = "{name}"\nauth_token = "{token(name)}"\nct0 = "PLANTED-ct0-{name}"\n'
        for name in names
    )
    (folder / "secrets.toml").write_text(text, encoding="utf-8")
    (folder / "secrets.toml").chmod(mode)


def run(folder: Path, net: Internet | None, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, "accounts", "check", *options],
        cwd=folder,
        env={**os.environ, **(net.environ() if net else {}), "CASHTAG_LIVE__REQUEST_SECONDS": "10"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def site() -> XSite:
    return XSite()


@pytest.fixture
def net(site: XSite, tmp_path: Path) -> Iterator[Internet]:
    with Internet(site.sites(), tmp_path) as internet:
        yield internet


def keep(lake: Lake, dt: date, number: int, *rows: SourceHealth) -> None:
    """A manifest of a scrape that came through so."""
    cutoff = datetime(dt.year, dt.month, dt.day, 12, tzinfo=UTC)
    manifest.write(lake.raw, manifest.Manifest(dt, cutoff, "live", (), (), rows, number))


# ---------------------------------------------------------------- over loopback


def test_each_account_is_told_with_what_is_left_and_its_last_error(
    tmp_path: Path, site: XSite, net: Internet
) -> None:
    secrets(tmp_path)
    site.faults[token("ben")] = "suspended"
    lake = services.folder_lake(tmp_path / "lake")
    keep(lake, date(2026, 5, 7), 1, SourceHealth("x/cas", "refused", "rate limit, 3 in a row", 3))
    done = run(tmp_path, net, "--format", "json", "--lake", "lake")
    assert done.returncode == 0, done.stderr
    assert "PLANTED" not in done.stdout + done.stderr
    ann, ben, cas = json.loads(done.stdout)
    # The site grants 50 searches a window; the settings 49, of which the check took one.
    assert ann == {
        "account": "ann",
        "status": "ok",
        "reason": None,
        "searches_left": 48,
        "last_error": None,
        "last_error_on": None,
    }
    assert (ben["account"], ben["status"]) == ("ben", "refused")
    assert "suspended" in ben["reason"]
    assert (cas["status"], cas["last_error"]) == ("ok", "rate limit, 3 in a row")
    assert cas["last_error_on"] == "2026-05-07"
    assert all(site.used[token(name)] == 1 for name in NAMES)


def test_when_no_account_works_it_ends_with_5_and_the_remedy(
    tmp_path: Path, site: XSite, net: Internet
) -> None:
    secrets(tmp_path)
    site.everybody = "expired"
    done = run(tmp_path, net)
    assert done.returncode == 5
    assert all(name in done.stdout for name in NAMES)
    assert "session expired" in done.stdout
    assert done.stderr.startswith("error: none of 3 accounts works; log in to x.com")
    assert "secrets.toml" in done.stderr
    assert "PLANTED" not in done.stdout + done.stderr


def test_without_accounts_it_shows_what_to_write(tmp_path: Path) -> None:
    done = run(tmp_path, None)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: no X accounts are set up; write secrets.toml")
    for line in ("[[x_accounts]]", 'name = "main"', 'auth_token = "…"', "chmod 600 secrets.toml"):
        assert line in done.stderr


def test_a_file_open_to_others_is_refused_before_anyone_is_asked(
    tmp_path: Path, site: XSite, net: Internet
) -> None:
    secrets(tmp_path, mode=0o644)
    done = run(tmp_path, net)
    assert done.returncode == 2
    assert "run `chmod 600 secrets.toml`" in done.stderr
    assert net.log == []


# ---------------------------------------------------------------- the last error of an account


def ask(*rows: SourceHealth) -> Any:
    def asked(_: Settings, accounts: tuple[XAccount, ...], until: Deadline) -> Any:
        assert not until.passed
        return rows

    return asked


def states(lake: Lake, *rows: SourceHealth, names: tuple[str, ...] = NAMES, **live: Any) -> Any:
    settings = load(environ={}, overrides=live)
    held = tuple(XAccount(name, token(name), "PLANTED-ct0") for name in names)
    return {state.account: state for state in accounts.states(settings, held, lake, ask(*rows))}


def test_the_newest_error_counts(tmp_path: Path) -> None:
    lake = services.folder_lake(tmp_path)
    keep(lake, date(2026, 5, 6), 1, SourceHealth("x/ann", "refused", "the oldest"))
    # Two scrapes of one run: the second is the later one.
    keep(lake, date(2026, 5, 7), 2, SourceHealth("x/ann", "refused", "the newest"))
    keep(lake, date(2026, 5, 7), 1, SourceHealth("x/ann", "refused", "of the first call"))
    keep(lake, date(2026, 5, 8), 1, SourceHealth("x/ann", "ok"), SourceHealth("x", "refused", "-"))
    state = states(lake, SourceHealth("x/ann", "ok", None, 1, 48))["ann"]
    assert (state.last_error, state.last_error_on) == ("the newest", date(2026, 5, 7))
    assert state.works


def test_errors_are_looked_for_so_many_days_back(tmp_path: Path) -> None:
    lake = services.folder_lake(tmp_path)
    keep(lake, date(2026, 5, 6), 1, SourceHealth("x/ann", "refused", "old"))
    keep(lake, date(2026, 5, 8), 1)
    # Two days are the 8th and the 7th.
    for days, told in ((2, None), (3, "old")):
        state = states(lake, names=("ann",), **{"live.check.error_days": days})["ann"]
        assert state.last_error == told


def test_an_account_that_was_not_asked_does_not_work(tmp_path: Path) -> None:
    found = states(services.folder_lake(tmp_path), SourceHealth("x/ben", "ok", None, 1, 3))
    assert [state.works for state in found.values()] == [False, True, False]
    assert found["ann"].reason == "it was not asked in time"
