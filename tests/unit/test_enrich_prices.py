"""Bars as they were known at a run: cut before its session, adjusted for nothing later."""

from __future__ import annotations

import gzip
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cashtag import sessions, settings
from cashtag.enrich import bars
from cashtag.enrich.prices import prices_for
from cashtag.errors import InputError
from cashtag.lake import lines, parquet
from cashtag.lake.contracts import contract

SOUND = settings.load(environ={})
PRICES = contract("prices")


def bar(session: str, close: float = 10.0, **fields: Any) -> dict[str, Any]:
    return {
        "session": session,
        "open": close,
        "high": close + 1,
        "low": close - 0.5,
        "close": close,
        "adjusted_close": close,
        "volume": 1000,
        "dividend": None,
        "split": None,
        **fields,
    }


def packed(*found: dict[str, Any], source: str = "synthetic") -> bytes:
    return lines.pack(
        json.dumps({"source": source, "scraped_at": None, "query": None, "data": one}).encode()
        for one in found
    )


def rows(
    dt: str, objects: dict[str, bytes], own: settings.Settings = SOUND
) -> list[dict[str, Any]]:
    table = prices_for(date.fromisoformat(dt), objects, own)
    return list(parquet.read(PRICES, parquet.write(PRICES, table)).to_pylist())


def known(dt: str, *found: dict[str, Any]) -> list[tuple[str, float, float]]:
    objects = {"bars/source=synthetic/NVDA-1.jsonl.gz": packed(*found)}
    return [(str(r["session"]), r["close"], r["adjusted_close"]) for r in rows(dt, objects)]


# 2026-03-02 is a Monday.
WEEK = [bar(f"2026-03-0{day}", 10.0 + day) for day in (2, 3, 4, 5, 6)]


def test_bars_end_before_the_session_that_the_run_serves() -> None:
    assert [s for s, _, _ in known("2026-03-04", *WEEK)] == ["2026-03-02", "2026-03-03"]
    # Saturday's run serves Monday: Friday's bar is known.
    assert known("2026-03-07", *WEEK)[-1][0] == "2026-03-06"
    assert known("2026-03-02", *WEEK) == []


def test_only_the_trailing_bars_are_kept() -> None:
    own = settings.load(environ={}, overrides={"scrape.bars_per_run": 60})
    days = sessions.sessions_between(date(2025, 6, 2), date(2026, 3, 6))
    objects = {"bars/source=a/NVDA-1.jsonl.gz": packed(*(bar(str(day)) for day in days))}
    found = [r["session"] for r in rows("2026-03-04", objects, own)]
    assert found == list(sessions.sessions_before(date(2026, 3, 4), 60))


def test_a_dividend_of_later_is_not_in_what_was_known() -> None:
    # As sold, with a dividend of 1 % on Thursday: the source has lowered all earlier adjusted
    # closes to 99 %. On Wednesday nobody knew of it; on Friday everybody did.
    adjusted = [
        bar("2026-03-02", 100.0, adjusted_close=99.0),
        bar("2026-03-03", 102.0, adjusted_close=100.98),
        bar("2026-03-04", 104.0, adjusted_close=102.96),
        bar("2026-03-05", 103.0, adjusted_close=103.0, dividend=1.04),
    ]
    assert known("2026-03-04", *adjusted) == [
        ("2026-03-02", 100.0, 100.0),
        ("2026-03-03", 102.0, 102.0),
    ]
    assert [a for _, _, a in known("2026-03-06", *adjusted)] == [99.0, 100.98, 102.96, 103.0]


def test_a_poisoned_future_changes_nothing() -> None:
    honest = known("2026-03-04", *WEEK)
    poisoned = [*WEEK[:2], *(bar(b["session"], 9e9, adjusted_close=1e-9) for b in WEEK[2:])]
    assert known("2026-03-04", *poisoned) == honest


def test_a_higher_number_wins_its_sessions() -> None:
    objects = {
        "bars/source=b/NVDA-1.jsonl.gz": packed(bar("2026-03-02", 1.0), bar("2026-03-03", 1.0)),
        "bars/source=a/NVDA-10.jsonl.gz": packed(bar("2026-03-03", 10.0)),
        "bars/source=a/NVDA-2.jsonl.gz": packed(bar("2026-03-03", 2.0), bar("2026-03-04", 2.0)),
    }
    found = {str(r["session"]): r["close"] for r in rows("2026-03-09", objects)}
    assert found == {"2026-03-02": 1.0, "2026-03-03": 10.0, "2026-03-04": 2.0}


def test_an_earlier_import_is_brought_to_the_scale_of_a_later_one() -> None:
    # Imported again after a two-for-one split on Wednesday: the later file halves what was.
    objects = {
        "bars/source=a/NVDA-1.jsonl.gz": packed(
            bar("2026-03-02", 100.0, adjusted_close=100.0),
            bar("2026-03-03", 110.0, adjusted_close=110.0),
        ),
        "bars/source=a/NVDA-2.jsonl.gz": packed(
            bar("2026-03-03", 110.0, adjusted_close=55.0),
            bar("2026-03-04", 56.0, adjusted_close=56.0, split=2.0),
        ),
    }
    found = rows("2026-03-05", objects)
    assert [r["adjusted_close"] for r in found] == [50.0, 55.0, 56.0]
    assert [r["split"] for r in found] == [None, None, 2.0]


def test_aliases_join_the_bars_of_two_names() -> None:
    objects = {
        "bars/source=a/FB-1.jsonl.gz": packed(bar("2026-03-02", 5.0)),
        "bars/source=a/META-2.jsonl.gz": packed(bar("2026-03-03", 6.0)),
    }
    assert [(r["ticker"], r["close"]) for r in rows("2026-03-04", objects)] == [
        ("META", 5.0),
        ("META", 6.0),
    ]


def test_bars_of_a_day_name_their_tickers() -> None:
    both = packed(
        bar("2026-03-02", 5.0, ticker="NVDA"), bar("2026-03-02", 6.0, ticker="SPY"), source="alpaca"
    )
    found = rows("2026-03-03", {"prices/dt=2026-03-03/source=alpaca/prices-1.jsonl.gz": both})
    assert [(r["ticker"], r["close"], r["source"]) for r in found] == [
        ("NVDA", 5.0, "alpaca"),
        ("SPY", 6.0, "alpaca"),
    ]


def test_the_same_key_with_another_content_is_read_again() -> None:
    name = "bars/source=a/NVDA-1.jsonl.gz"
    assert rows("2026-03-03", {name: packed(bar("2026-03-02", 5.0))})[0]["close"] == 5.0
    assert rows("2026-03-03", {name: packed(bar("2026-03-02", 6.0))})[0]["close"] == 6.0


def test_no_bars_are_a_table_of_no_rows() -> None:
    assert prices_for(date(2026, 3, 3), {}, SOUND).schema == PRICES.arrow_schema()


def test_a_key_of_something_else_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="tweets/dt=2026"):
        prices_for(date(2026, 3, 3), {"tweets/dt=2026-03-03/source=x/A-1.jsonl.gz": b""}, SOUND)


REFUSED = [
    ({"session": "2026-03-07"}, "not-a-session"),  # a Saturday
    ({"session": "2026-01-01"}, "not-a-session"),
    ({"session": "2005-03-02"}, "outside-calendar"),
    ({"session": "soon"}, "no-date"),
    ({"session": None}, "no-date"),
    ({"open": None}, "no-price"),
    ({"close": 0}, "no-price"),
    ({"low": -1}, "no-price"),
    ({"high": "x"}, "no-price"),
    ({"high": True}, "no-price"),
    ({"adjusted_close": "nan"}, "no-price"),
    ({"high": 5.0, "low": 6.0}, "high-below-low"),
    ({"volume": None}, "no-volume"),
    ({"volume": -5}, "no-volume"),
    ({"volume": 1e300}, "no-volume"),
    ({"ticker": 5}, "no-ticker"),
]


@pytest.mark.parametrize(("fields", "reason"), REFUSED)
def test_what_is_no_bar_says_why(fields: dict[str, Any], reason: str) -> None:
    good = bar("2026-03-02", ticker="NVDA")
    found, rejected = bars.read(packed(good, bar("2026-03-03", ticker="NVDA") | fields))
    assert [r.reason for r in rejected] == [reason]
    assert rejected[0].line == 2
    assert len(found["NVDA"].session) == 1


def test_of_two_bars_of_a_session_the_first_stays() -> None:
    found, rejected = bars.read(packed(bar("2026-03-02", 1.0), bar("2026-03-02", 2.0)), "NVDA")
    assert found["NVDA"].numbers["close"].tolist() == [1.0]
    assert [r.reason for r in rejected] == ["duplicate-date"]


def test_an_index_has_no_volume_and_a_missing_adjusted_close_is_the_close() -> None:
    plain = bar("2026-03-02", 18.0, volume=None, adjusted_close=None)
    found, rejected = bars.read(packed(plain), "^VIX")
    assert rejected == ()
    assert found["^VIX"].volume.tolist() == [0]
    assert found["^VIX"].numbers["adjusted_close"].tolist() == [18.0]


def test_numbers_in_text_and_dates_with_times_are_read() -> None:
    loose = bar("2026-03-02T21:00:00Z", open="10.0", volume="1000")
    found, rejected = bars.read(packed(loose), "NVDA")
    assert rejected == ()
    assert found["NVDA"].numbers["open"].tolist() == [10.0]


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_no_line_makes_reading_bars_raise(found: list[bytes]) -> None:
    good = gzip.decompress(packed(bar("2026-03-02"))).strip()
    series, _ = bars.read(gzip.compress(b"\n".join([*found, good])), "NVDA")
    assert len(series["NVDA"].session) == 1
