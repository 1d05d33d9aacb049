"""When a day is complete: what is missing, what a state is called, and who says so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Barrier

from cashtag import services
from cashtag.lake import completion, layout
from cashtag.ports import Lake

DT = date(2026, 5, 5)
NVDA = layout.raw("tweets", DT, "x", "NVDA")
NEWS = layout.raw("news", DT, "x", "news")
BARS = layout.bars("x", "NVDA")


def lake(folder: Path) -> Lake:
    return services.folder_lake(folder)


def test_a_build_is_named_after_settings_and_model_version() -> None:
    # The first twelve digits of sha256 over both, a line each; known by anyone with a terminal:
    # printf 'settings\nlexicon-1' | sha256sum
    expected = hashlib.sha256(b"settings\nlexicon-1").hexdigest()[:12]
    assert completion.build("settings", "lexicon-1") == expected
    assert completion.build("settings", "lexicon-2") != expected
    assert completion.build("others", "lexicon-1") != expected


def test_a_run_is_named_after_its_date_too() -> None:
    names = {
        completion.run_id(day, config, model)
        for day in (DT, date(2026, 5, 6))
        for config in ("a", "b")
        for model in ("1", "2")
    }
    assert len(names) == 8
    assert all(len(name) == 12 for name in names)


def test_a_state_is_the_set_of_manifests_and_the_build() -> None:
    assert completion.state(["b", "a"], "build") == completion.state(iter(["a", "b"]), "build")
    others = [
        completion.state(["a"], "build"),
        completion.state(["a", "b"], "other"),
        completion.state([], "build"),
    ]
    assert len({*others, completion.state(["a", "b"], "build")}) == 4


def test_bars_leave_no_stage_object_so_that_none_is_missed(tmp_path: Path) -> None:
    zones = lake(tmp_path)
    assert completion.staged_kinds([NVDA, NEWS, BARS]) == [NVDA, NEWS]
    assert completion.missing(zones, "b1", [NVDA, NEWS, BARS]) == [NVDA, NEWS]
    zones.enriched.put(layout.stage("b1", NVDA), b"")
    zones.enriched.put(layout.stage("b2", NEWS), b"")  # of another build
    assert completion.missing(zones, "b1", [NVDA, NEWS, BARS]) == [NEWS]
    zones.enriched.put(layout.stage("b1", NEWS), b"")
    assert completion.missing(zones, "b1", [NVDA, NEWS, BARS]) == []
    assert completion.missing(zones, "b1", []) == []


def at_once(calls: list[Callable[[], bool]]) -> list[bool]:
    """Start all calls at one moment."""
    together = Barrier(len(calls))

    def go(call: Callable[[], bool]) -> bool:
        together.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(go, calls))


def test_of_many_that_mark_a_state_one_did(tmp_path: Path) -> None:
    said = at_once([lambda: completion.mark(lake(tmp_path), DT, "s1") for _ in range(12)])
    assert sorted(said) == [False] * 11 + [True]
    assert completion.mark(lake(tmp_path), DT, "s1") is False


def test_another_state_has_a_marker_of_its_own(tmp_path: Path) -> None:
    zones = lake(tmp_path)
    assert completion.mark(zones, DT, "s1")
    assert completion.mark(zones, DT, "s2")
    assert [info.key for info in zones.enriched.list("_SUCCESS/")] == [
        "_SUCCESS/dt=2026-05-05/s1",
        "_SUCCESS/dt=2026-05-05/s2",
    ]
