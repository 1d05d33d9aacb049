"""`cashtag doctor`: what works here, what does not, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections import namedtuple
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cashtag import sessions
from cashtag.operate import doctor
from cashtag.sentiment import registry
from cashtag.settings import Settings, load


def settings(lake: Path, **overrides: Any) -> Settings:
    return load(environ={}, overrides={"lake": str(lake), **overrides})


def findings(chosen: Settings) -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine(chosen)}


def test_on_a_good_machine_nothing_fails(tmp_path: Path) -> None:
    found = findings(settings(tmp_path / "lake"))
    assert {f.what for f in found.values() if f.verdict == "fail"} == set()
    assert found["lake"].found == str(tmp_path / "lake")
    assert found["trade.mode"].found == "simulated"
    assert found["model"].found.startswith("lexicon-")
    assert set(doctor.NEEDED) <= set(found)


def test_it_leaves_no_object_behind(tmp_path: Path) -> None:
    doctor.examine(settings(tmp_path / "lake"))
    assert [path for path in (tmp_path / "lake").rglob("*") if path.is_file()] == []


def test_what_does_not_work_comes_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found = findings(settings(tmp_path / "file" / "lake"))
    assert found["lake"].verdict == "fail"
    assert "a file is where a folder is needed" in found["lake"].found
    assert "--lake" in found["lake"].remedy
    assert all(f.remedy for f in found.values() if f.verdict != "ok")


def test_a_library_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = importlib.metadata.version

    def version(name: str) -> str:
        if name == "duckdb":
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = findings(settings(tmp_path / "lake"))
    assert (found["duckdb"].verdict, found["duckdb"].found) == ("fail", "not installed")
    assert "pip install" in found["duckdb"].remedy
    assert found["pyarrow"].verdict == "ok"


def test_a_nearly_full_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**8))
    found = findings(settings(tmp_path / "lake"))["disk"]
    assert (found.verdict, found.found) == ("warn", "0.1 GB free")
    assert "free some space" in found.remedy


def test_real_orders_are_a_warning(tmp_path: Path) -> None:
    found = findings(settings(tmp_path / "lake", **{"trade.mode": "paper"}))["trade.mode"]
    assert (found.verdict, found.found) == ("warn", "paper")


def test_a_model_that_is_not_there_fails_with_its_name(tmp_path: Path) -> None:
    found = findings(settings(tmp_path / "lake", **{"enrich.model": "nonesuch"}))["model"]
    assert found.verdict == "fail"
    assert "nonesuch" in found.found


def test_a_model_that_reads_the_wrong_way_round_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Turned:
        name, version = "turned", "turned-1"

        def score(self, texts: list[str]) -> np.ndarray:
            return np.array([[0.8, 0.1, 0.1]] * len(texts))

    monkeypatch.setattr(registry, "scorer", lambda _: Turned())
    assert findings(settings(tmp_path / "lake"))["model"].verdict == "fail"


def test_a_calendar_that_ends_within_a_year_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(tmp_path / "lake")
    assert findings(chosen)["calendar"].verdict == "ok"
    monkeypatch.setattr(sessions, "last_session", lambda: datetime.now(UTC).date())
    found = findings(chosen)["calendar"]
    assert found.verdict == "warn"
    assert "cashtag.sessions_table" in found.remedy
    assert isinstance(sessions.first_session(), date)
