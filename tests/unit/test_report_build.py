"""What building the dashboard writes, leaves alone and removes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from page_reader import fixture

from cashtag.errors import InputError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.ports import Env, ObjectInfo, Store
from cashtag.report import assets, data
from cashtag.report.build import build

LAST = date(2026, 7, 2)  # a Thursday; the six sessions are 25, 26, 29, 30 June, 1 and 2 July


class Recording:
    """A store that remembers what was put and deleted."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.puts: list[str] = []
        self.deletes: list[str] = []

    def put(self, key: str, content: bytes) -> None:
        self.puts.append(key)
        self.inner.put(key, content)

    def delete(self, key: str) -> None:
        self.deletes.append(key)
        self.inner.delete(key)

    def get(self, key: str) -> bytes:
        return self.inner.get(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self.inner.list(prefix)

    def uri(self, key: str = "") -> str:
        return self.inner.uri(key)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    fixture.make(root, fixture.Shape(tickers=3, sessions=6, tweets=(2, 4), last=LAST))
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "lake")
    return tmp_path / "lake"


def open_lake(root: Path, **overrides: Any) -> tuple[Env, Recording]:
    env = fixture.environment(root, overrides)
    report = Recording(env.lake.report)
    return replace(env, lake=replace(env.lake, report=report)), report


def shard(root: Path, name: str) -> dict[str, Any]:
    """Read one shard of the built page by the start of its file name."""
    (path,) = (root / "report" / "data").glob(f"{name}.*.js")
    text = path.read_text(encoding="ascii")
    found = json.loads(text[text.index(",") + 1 : -3])
    assert isinstance(found, dict)
    return found


def test_the_page_is_an_index_beside_plotly_and_its_shards(root: Path) -> None:
    env, _ = open_lake(root)

    where = build(env)

    assert where == str(root / "report" / "index.html")
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    installed = Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
    assert (root / "report" / "plotly.min.js").read_bytes() == installed.read_bytes()
    index = (root / "report" / "index.html").read_text(encoding="utf-8")
    sources = [part.split('"')[0] for part in index.split('src="')[1:]]
    assert [source.split(".")[0] for source in sources] == ["assets/page", "data/summary"]
    script = (root / "report" / "assets" / "page.js").read_text(encoding="utf-8")
    for name in assets.SCRIPTS:
        assert (assets.PAGE / name).read_text(encoding="utf-8") in script
    for source in sources:
        assert (root / "report" / source.split("?")[0]).is_file(), source
    assert "http://" not in index.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in index


def test_the_summary_says_what_the_tables_say(root: Path) -> None:
    env, _ = open_lake(root)
    build(env)

    summary = shard(root, "summary")

    assert summary["sessions"][0] == "2026-06-25"
    assert summary["sessions"][-1] == "2026-07-02"
    assert summary["synthetic"] is True
    assert summary["models"] == ["lexicon"]
    assert summary["tickers"] == ["AAPL", "AMD", "AMZN", "SPY"]  # SPY has prices and no tweets
    cells = summary["cells"]
    table = parquet.read(
        contract("daily_sentiment"), env.lake.signals.get(layout.signals("daily_sentiment", LAST))
    )
    for row in table.to_pylist():
        t, s = summary["tickers"].index(row["ticker"]), summary["sessions"].index(str(LAST))
        at = list(zip(cells["t"], cells["s"], strict=True)).index((t, s))
        assert cells["n"][at] == row["n_tweets"]
        assert cells["polarity"][at] == pytest.approx(row["polarity"], abs=5e-5)


def test_building_again_writes_nothing(root: Path) -> None:
    build(open_lake(root)[0])
    env, report = open_lake(root)

    build(env)

    assert report.puts == []
    assert report.deletes == []


def test_two_lakes_of_the_same_content_give_the_same_page(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "twin")
    build(open_lake(root)[0])
    build(open_lake(tmp_path / "twin")[0])

    pages = [
        {p.relative_to(r): p.read_bytes() for p in r.rglob("*") if p.is_file()}
        for r in (root / "report", tmp_path / "twin" / "report")
    ]

    assert pages[0] == pages[1]


def rewrite_tweets(env: Env, run: date, keep: int) -> None:
    key = layout.enriched("tweets", run)
    agreed = contract("tweets")
    table = parquet.read(agreed, env.lake.enriched.get(key))
    env.lake.enriched.put(key, parquet.write(agreed, table.slice(0, keep)))


def test_a_forgotten_post_is_gone_from_the_page_and_other_sessions_are_not_read(root: Path) -> None:
    build(open_lake(root)[0])
    env, report = open_lake(root)
    run = date(2026, 6, 30)
    before = shard(root, f"tweets/{run}")
    rewrite_tweets(env, run, keep=1)

    build(env)

    after = shard(root, f"tweets/{run}")
    assert sum(len(c["id"]) for c in before["cells"].values()) > 1
    assert sum(len(c["id"]) for c in after["cells"].values()) == 1
    assert sum(shard(root, "posts/2026-06")["sizes"]) == sum(
        len(c["id"])
        for name in ("2026-06-25", "2026-06-26", "2026-06-29", "2026-06-30")
        for c in shard(root, f"tweets/{name}")["cells"].values()
    )  # neither counts it
    assert [k.split(".")[0] for k in report.puts if "posts" in k] == ["data/posts/2026-06"]
    changed = [key for key in report.puts if key.startswith("data/tweets/")]
    assert [key.split(".")[0] for key in changed] == [f"data/tweets/{run}"]
    assert [k.split(".")[0] for k in report.deletes if "tweets" in k] == [f"data/tweets/{run}"]


def test_a_shard_that_was_lost_is_made_again(root: Path) -> None:
    build(open_lake(root)[0])
    for path in (root / "report" / "data" / "tweets").glob("2026-07-01.*"):
        path.unlink()
    env, report = open_lake(root)

    build(env)

    assert [key.split(".")[0] for key in report.puts] == ["data/tweets/2026-07-01"]


def test_a_cell_carries_at_most_the_posts_that_the_setting_allows(root: Path) -> None:
    env, _ = open_lake(root, **{"report.tweets_per_cell": 1})

    build(env)

    for session in shard(root, "summary")["sessions"]:
        for cell in shard(root, f"tweets/{session}")["cells"].values():
            assert len(cell["id"]) == 1
            assert cell["heavy"] == [1]  # the one that weighed most


def test_an_empty_lake_gives_a_page_without_sessions(tmp_path: Path) -> None:
    env, _ = open_lake(tmp_path)

    where = build(env)

    assert Path(where).is_file()
    assert shard(tmp_path, "summary")["sessions"] == []


def test_a_lake_without_a_ledger_has_no_accounts(root: Path) -> None:
    shutil.rmtree(root / "ledger")
    env, _ = open_lake(root)

    build(env)

    assert shard(root, "summary")["equity"] == {}
    assert shard(root, "summary")["trades"] == []


def test_the_span_ends_with_the_newest_session_and_has_at_most_the_setting(root: Path) -> None:
    env, _ = open_lake(root, **{"report.sessions": 2})

    span = data.choose_span(env, None, None)

    assert span is not None
    assert span.sessions == (date(2026, 7, 1), LAST)
    assert (span.first_dt, span.last_dt) == (date(2026, 7, 1), LAST)


def test_a_span_that_begins_on_a_monday_reads_the_weekend_runs(root: Path) -> None:
    env, _ = open_lake(root)

    span = data.choose_span(env, date(2026, 6, 27), date(2026, 6, 30))  # from a Saturday

    assert span is not None
    assert span.sessions == (date(2026, 6, 29), date(2026, 6, 30))
    assert span.first_dt == date(2026, 6, 27)


def test_a_session_that_nobody_collected_is_in_the_span_as_missing(root: Path) -> None:
    for table in ("daily_sentiment", "daily_features"):
        shutil.rmtree(root / "signals" / table / "session=2026-06-30")
    env, _ = open_lake(root)

    build(env)

    summary = shard(root, "summary")
    missing = summary["sessions"].index("2026-06-30")
    assert missing not in summary["cells"]["s"]


def test_a_span_outside_the_lake_is_none_and_a_reversed_one_is_refused(root: Path) -> None:
    env, _ = open_lake(root)

    assert data.choose_span(env, date(2027, 1, 1), None) is None
    with pytest.raises(InputError, match="first 2026-07-02 lies after last 2026-07-01"):
        data.choose_span(env, LAST, date(2026, 7, 1))


def test_averages_follow_a_split_onto_the_scale_of_the_newest_bars(root: Path) -> None:
    """A 2-for-1 split in the newest run halves every earlier close; so must the averages."""
    env, _ = open_lake(root)
    before = {r["bar_session"]: r for r in bars_of(env, "AAPL")}
    key = layout.enriched("prices", LAST)
    agreed = contract("prices")
    rows = parquet.read(agreed, env.lake.enriched.get(key)).to_pylist()
    for row in rows:
        row["adjusted_close"] /= 2
    import pyarrow as pa

    table = pa.Table.from_pylist(rows, schema=agreed.arrow_schema())
    env.lake.enriched.put(key, parquet.write(agreed, table))

    for row in bars_of(env, "AAPL"):
        old = before[row["bar_session"]]
        assert row["adjusted_close"] == pytest.approx(old["adjusted_close"] / 2)
        assert row["sma5"] == pytest.approx(old["sma5"] / 2)
        assert row["sma20"] == pytest.approx(old["sma20"] / 2)
        assert row["close"] == old["close"]  # as traded: what our fills are compared with


def bars_of(env: Env, ticker: str) -> list[dict[str, Any]]:
    span = data.choose_span(env, None, None)
    assert span is not None
    return data.bars(env, span)[ticker]
