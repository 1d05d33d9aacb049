"""The shapes that travel to the page: what a shard's text may hold, and how rows become columns."""

from __future__ import annotations

import json
from datetime import date, datetime

import pyarrow as pa
import pytest

from cashtag.report import shards

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def payload_of(script: bytes) -> object:
    """The second argument of the one call that a shard is."""
    text = script.decode("ascii")
    assert text.startswith("cashtag.load(")
    assert text.endswith(");\n")
    _, rest = json.JSONDecoder().raw_decode(text, len("cashtag.load("))
    return json.loads(text[rest + 1 : -3])


@pytest.mark.parametrize(
    "hostile",
    [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "]]>",
        "line\u2028and paragraph\u2029 separators",
        'quote " backslash \\ newline \n',
        "🚀",
    ],
)
def test_no_text_can_end_a_shard_or_start_markup(hostile: str) -> None:
    script = shards.script("tweets/x", {"text": hostile})

    assert payload_of(script) == {"text": hostile}
    assert not set(b"<>&") & set(script)
    assert script.count(b"\n") == 1  # its own, at the end
    assert script.isascii()  # so U+2028 and U+2029 are escapes too


def test_a_shard_refuses_a_number_that_json_does_not_have() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        shards.script("x", {"value": float("nan")})


@pytest.mark.parametrize(
    ("ticker", "stem"),
    [
        ("NVDA", "NVDA"),
        ("BRK.B", "BRK.B"),
        ("^VIX", "_5eVIX"),
        ("../x", ".._2fx"),  # a slash would leave the folder
    ],
)
def test_a_ticker_becomes_a_name_that_any_file_system_takes(ticker: str, stem: str) -> None:
    assert shards.file_stem(ticker) == stem


def test_a_fingerprint_tells_where_one_part_ends() -> None:
    assert shards.fingerprint(b"ab", b"c") != shards.fingerprint(b"a", b"bc")


def test_numbers_are_shipped_with_four_decimals_and_whole_ones_without() -> None:
    assert shards.short(0.123456) == 0.1235
    assert repr(shards.short(3.0)) == "3"
    assert repr(shards.short(-0.00001)) == "0"
    assert shards.short(None) is None


def cell(session: date, ticker: str, **known: object) -> dict[str, object]:
    names = [
        "n_tweets",
        "n_effective",
        "n_authors",
        "polarity",
        "polarity_change",
        "change_se",
        "z",
        "share_positive",
        "share_negative",
        "duplicate_share",
        "flagged_share",
        "engagement",
        "coverage",
        "partial",
        "change_percent",
        "volume_ratio",
        "cross",
        "score",
        "rank",
        "n_news",
        "news_polarity",
    ]
    return {"session": session, "ticker": ticker, **dict.fromkeys(names), **known}


def test_cells_are_columns_indexed_by_ticker_and_session() -> None:
    found = [
        cell(MONDAY, "NVDA", polarity=0.25, partial=False, cross="golden"),
        cell(TUESDAY, "AAPL", polarity=-0.5, partial=True, n_tweets=7),
    ]
    signals = [
        {"session": TUESDAY, "ticker": "AAPL", "kind": "OPTION", "direction": "BUY", "confidence": 1.0},
        {"session": TUESDAY, "ticker": "AAPL", "kind": "STOCK", "direction": "SELL", "confidence": 0.97},
    ]  # fmt: skip

    table = shards.cells(found, signals, (MONDAY, TUESDAY))

    assert table["tickers"] == ["AAPL", "NVDA"]
    columns = table["columns"]
    assert columns["t"] == [1, 0]  # NVDA is the second ticker
    assert columns["s"] == [0, 1]
    assert columns["polarity"] == [0.25, -0.5]
    assert columns["partial"] == [0, 1]
    assert columns["cross"] == [1, None]
    assert columns["signal"] == [None, -1]  # the STOCK row, not the OPTION one
    assert columns["confidence"] == [None, 0.97]
    assert columns["n"] == [None, 7]
    assert {len(column) for column in columns.values()} == {2}


@pytest.mark.parametrize(
    ("stored", "sentences"),
    [
        ('["one", "two"]', ["one", "two"]),
        ('"one"', ["one"]),
        ("not JSON", ["not JSON"]),
        ("", []),
        (None, []),
    ],
)
def test_reasons_come_out_as_sentences(stored: str | None, sentences: list[str]) -> None:
    assert shards.reasons(stored) == sentences


def gate(ticker: str, name: str, verdict: str, account: str = "large") -> dict[str, object]:
    return {
        "account": account, "ticker": ticker, "instrument": "STOCK", "leg": "entry",
        "phase": "plan", "plan": "p1", "direction": "BUY", "gate": name, "value": "1",
        "limit": "5", "verdict": verdict, "reason": f"{name} says {verdict}",
    }  # fmt: skip


def test_gates_are_grouped_by_what_they_decided_about_in_their_order() -> None:
    found = [
        gate("NVDA", "mode", "pass"),
        gate("NVDA", "regime", "block"),
        gate("NVDA", "mode", "pass", account="tiny"),
    ]

    decisions = shards.day(MONDAY, [], found, [], [])["decisions"]

    assert [(d["ticker"], d["account"]) for d in decisions] == [("NVDA", "large"), ("NVDA", "tiny")]
    assert [g[0] for g in decisions[0]["gates"]] == ["mode", "regime"]
    assert decisions[0]["gates"][1] == ["regime", "1", "5", "block", "regime says block"]


def test_posts_of_a_session_are_columns_by_ticker() -> None:
    rows = [
        {
            "ticker": ticker, "tweet_id": number, "created_at": datetime(2026, 3, 2, 1, 0, 5),  # noqa: DTZ001  the lake's timestamps are UTC without a zone
            "author": "a", "author_name": None, "author_followers": 3, "lang": "en", "text": "t",
            "url": None, "likes": None, "retweets": None, "replies": None, "sentiment": "neutral",
            "polarity": 0.12345, "flags": "promo", "heavy": True, "is_key_influencer": False,
        }
        for ticker, number in (("AAPL", "1"), ("AAPL", "2"), ("NVDA", "3"))
    ]  # fmt: skip

    found = shards.tweets(MONDAY, pa.Table.from_pylist(rows))

    assert list(found["cells"]) == ["AAPL", "NVDA"]
    assert found["cells"]["AAPL"]["id"] == ["1", "2"]
    assert found["cells"]["NVDA"]["id"] == ["3"]
    # 2026-03-02 is day 20,514 of 1970: 20,514 x 86,400 + 3,605
    assert found["cells"]["NVDA"]["at"] == [1_772_413_205]
    assert found["cells"]["NVDA"]["polarity"] == [0.1235]
    assert found["cells"]["NVDA"]["heavy"] == [1]


def test_equity_is_one_line_per_account_however_many_positions_it_holds() -> None:
    def row(account: str, session: date, symbol: str, equity: float) -> dict[str, object]:
        return {
            "account": account,
            "session": session,
            "symbol": symbol,
            "equity": equity,
            "previous_equity": 100.0,
        }

    found = [
        row("large", MONDAY, "CASH", 100.0),
        row("large", MONDAY, "NVDA", 100.0),
        row("large", TUESDAY, "CASH", 103.5),
    ]

    assert shards.equity(found, (MONDAY, TUESDAY)) == {"large": [[0, 100, 100], [1, 103.5, 100]]}
