"""Lines of option chains to rows: the contract, the flags, the volume, and what becomes no row."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cashtag.enrich import chains, occ, options
from cashtag.lake import layout, lines, parquet
from cashtag.lake.contracts import contract
from cashtag.settings import load

SETTINGS = load(environ={})
FRIDAY, SATURDAY, MONDAY = date(2026, 8, 14), date(2026, 8, 15), date(2026, 8, 17)
SYMBOL = "TSLA260821C00250000"  # TSLA, 21 August 2026, call, 250 dollars
BEFORE_OPEN = "2026-08-17T12:01:00+00:00"
at = datetime.fromisoformat


def snapshot(**more: Any) -> dict[str, Any]:
    return {
        "latestQuote": {"bp": 4.8, "ap": 5.2, "t": "2026-08-14T19:59:59.731674112Z"},
        "impliedVolatility": 0.45,
        "greeks": {"delta": 0.5, "gamma": 0.01, "theta": -0.1, "vega": 0.2, "rho": 0.1},
        **more,
    }


def alpaca(symbol: str = SYMBOL, **more: Any) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "snapshot": snapshot(),
        "contract": {"open_interest": "237", "size": "100"},
        "underlying": {"p": 250.5, "t": "2026-08-14T19:59:58Z"},
        **more,
    }


def yahoo(symbol: str = SYMBOL, **more: Any) -> dict[str, Any]:
    """A row of a chain as CSV: text in every field."""
    return {
        "contractSymbol": symbol,
        "bid": "4.8",
        "ask": "5.2",
        "impliedVolatility": "0.45",
        "volume": "12.0",
        "openInterest": "237.0",
        "lastTradeDate": "2026-08-14 19:30:00+00:00",
        "spot": "250.5",
        "session": "2026-08-14",
        **more,
    }


def envelope(
    data: Any, source: str = "alpaca", scraped_at: str | None = BEFORE_OPEN
) -> dict[str, Any]:
    return {"source": source, "scraped_at": scraped_at, "query": "TSLA", "data": data}


def enriched(
    *given: Any, dt: date = MONDAY, ticker: str = "TSLA", source: str = "alpaca"
) -> options.Enriched:
    """Enrich one object of these lines: envelopes, or bytes as they are."""
    packed = lines.pack(
        row if isinstance(row, bytes) else json.dumps(row).encode() for row in given
    )
    key = layout.parse_raw(layout.raw("options", dt, source, ticker))
    assert key is not None
    return options.enrich_object(SETTINGS, key, packed)


def row(data: Any, source: str = "alpaca", dt: date = MONDAY, **more: Any) -> dict[str, Any]:
    """The one row that a line becomes; it fits the contract."""
    found = enriched(envelope(data, source, **more), dt=dt)
    assert found.rejected == ()
    parquet.write(contract("options"), found.table)
    (only,) = found.table.to_pylist()
    return only  # type: ignore[no-any-return]


def reason(line: Any, **more: Any) -> str:
    found = enriched(line, **more)
    assert found.table.num_rows == 0
    (only,) = found.rejected
    return only.reason


# ---------------------------------------------------------------- contracts


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        ("TSLA260821C00250000", ("TSLA", date(2026, 8, 21), "CALL", 250.0, False)),
        ("F260116P00012500", ("F", date(2026, 1, 16), "PUT", 12.5, False)),
        ("SPY   240426C00555500", ("SPY", date(2024, 4, 26), "CALL", 555.5, False)),  # padded
        ("BRKB260116C00500000", ("BRKB", date(2026, 1, 16), "CALL", 500.0, False)),
        ("TSLA1260821C00250000", ("TSLA", date(2026, 8, 21), "CALL", 250.0, True)),  # adjusted
        ("X280121P00000500", ("X", date(2028, 1, 21), "PUT", 0.5, False)),
    ],
)
def test_a_symbol_says_root_expiry_right_and_strike(symbol: str, said: tuple[Any, ...]) -> None:
    found = occ.parsed(symbol)
    assert found is not None
    assert (found.root, found.expiry, found.right, found.strike, found.adjusted) == said
    assert found.symbol == symbol.replace(" ", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "TSLA",
        "TSLA260231C00250000",  # no 31 February
        "TSLA260821X00250000",  # neither call nor put
        "TSLA260821C250",
        "TSLA260821C00000000",  # a strike of nothing
        "TSLAXYZ260821C00250000",  # a root has six letters at most
        "TSLAXY1260821C00250000",
        "tsla260821C00250000",
        "TSLA260821C00250000 ; x",
        "TSLA２60821C00250000",  # a digit that is not ASCII
    ],
)
def test_what_is_no_symbol_is_none(text: str) -> None:
    assert occ.parsed(text) is None


@given(st.text(max_size=30))
def test_no_text_makes_a_symbol_fail(text: str) -> None:
    occ.parsed(text)


# ---------------------------------------------------------------- rows


def test_a_line_of_alpaca_becomes_a_row() -> None:
    assert row(alpaca()) == {
        "ticker": "TSLA",
        "contract": SYMBOL,
        "expiry": date(2026, 8, 21),
        "option_right": "CALL",
        "strike": 250.0,
        "bid": 4.8,
        "ask": 5.2,
        "mid": 5.0,
        "volume": None,  # no bar was sent
        "open_interest": 237,
        "iv": 0.45,
        "delta": 0.5,
        "gamma": 0.01,
        "theta": -0.1,
        "vega": 0.2,
        "underlying_price": 250.5,
        "snapshot_at": at("2026-08-17 12:01"),
        "flags": [],
        "source": "alpaca",
    }


def test_a_row_of_a_csv_chain_becomes_a_row() -> None:
    found = row(yahoo(), "yahoo", SATURDAY, scraped_at="2026-08-14T20:00:00+00:00")
    assert found == {
        **row(alpaca()),
        "volume": 12,  # traded on Friday, the session before Monday's, which Saturday's run serves
        "delta": None,
        "gamma": None,
        "theta": None,
        "vega": None,
        "snapshot_at": at("2026-08-14 20:00"),
        "source": "yahoo",
    }


def test_a_chain_without_session_and_spot_has_no_underlying_price() -> None:
    bare = {k: v for k, v in yahoo().items() if k not in {"spot", "session"}}
    found = row(bare, "yahoo")
    assert found["underlying_price"] is None
    assert found["flags"] == []


def test_share_classes_and_old_names_have_roots_of_their_own() -> None:
    found = enriched(envelope(alpaca("BRKB260821C00500000")), ticker="BRK.B")
    assert found.table["ticker"].to_pylist() == ["BRK.B"]
    # FB became META; a chain that was asked for by the old name may hold either root.
    old = [envelope(alpaca(f"{root}260821C00500000")) for root in ("FB", "META")]
    found = enriched(*old, ticker="FB")
    assert found.table["ticker"].to_pylist() == ["META", "META"]


@pytest.mark.parametrize(
    ("iv", "kept", "flags"),
    [
        (0.45, 0.45, []),
        (3.0, 3.0, []),
        (3.0001, None, ["placeholder-iv"]),
        (1.0000000000000003e-05, None, ["placeholder-iv"]),  # as Yahoo writes 1e-5
        (1e-5, None, ["placeholder-iv"]),
        (0.0, None, ["placeholder-iv"]),
        (-0.2, None, ["placeholder-iv"]),
        (0.00002, 0.00002, []),
        (None, None, []),  # none was stated: nothing holds its place
        ("NaN", None, []),
    ],
)
def test_placeholders_of_volatility_are_no_volatility(
    iv: Any, kept: float | None, flags: list[str]
) -> None:
    found = row(alpaca(snapshot=snapshot(impliedVolatility=iv)))
    assert (found["iv"], found["flags"]) == (kept, flags)


def test_what_is_no_volatility_is_a_setting_that_rows_depend_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = {"enrich.options.placeholder_iv": 0.05, "enrich.options.highest_iv": 2.0}
    strict = load(environ={}, overrides=rules)
    assert strict.config_hash() != SETTINGS.config_hash()
    monkeypatch.setattr(f"{__name__}.SETTINGS", strict)
    kept = {
        iv: row(alpaca(snapshot=snapshot(impliedVolatility=iv)))["iv"]
        for iv in (0.05, 0.06, 2.0, 2.1)
    }
    assert kept == {0.05: None, 0.06: 0.06, 2.0: 2.0, 2.1: None}


@pytest.mark.parametrize(
    ("bid", "ask", "kept", "flags"),
    [
        (4.8, 5.2, (4.8, 5.2, 5.0), []),
        (5.0, 5.0, (5.0, 5.0, 5.0), []),  # locked, not crossed
        (5.3, 5.2, (5.3, 5.2, 5.25), ["crossed"]),
        (0.0, 0.05, (0.0, 0.05, 0.025), []),  # nobody bids, but there is an offer
        (0.0, 0.0, (0.0, None, None), ["no-quote"]),
        (None, None, (None, None, None), ["no-quote"]),
        (4.8, 0.0, (4.8, None, None), ["no-quote"]),  # zero is no offer; nothing is crossed
        (None, 5.2, (None, 5.2, None), ["no-quote"]),
        (-1.0, 5.2, (None, 5.2, None), ["no-quote"]),
        ("nan", 5.2, (None, 5.2, None), ["no-quote"]),
    ],
)
def test_a_middle_needs_both_sides(
    bid: Any, ask: Any, kept: tuple[Any, ...], flags: list[str]
) -> None:
    found = row(alpaca(snapshot=snapshot(latestQuote={"bp": bid, "ap": ask})))
    assert (found["bid"], found["ask"], found["mid"]) == pytest.approx(kept)
    assert found["flags"] == flags


@pytest.mark.parametrize(
    ("dt", "expired"),
    [
        # A contract of Friday the 14th lives through Friday's session, which Friday's run serves.
        (FRIDAY, False),
        (SATURDAY, True),  # serves Monday
        (MONDAY, True),
    ],
)
def test_a_contract_has_expired_when_the_session_of_the_run_is_after_it(
    dt: date, expired: bool
) -> None:
    moment = f"{dt}T11:00:00+00:00"
    found = row(alpaca("TSLA260814C00250000"), dt=dt, scraped_at=moment)
    assert found["flags"] == (["expired"] if expired else [])


@pytest.mark.parametrize(
    ("priced", "taken", "stale"),
    [
        ("2026-08-14T19:59:58Z", "2026-08-17T12:01:00+00:00", False),  # over a weekend
        ("2026-08-13T19:59:58Z", "2026-08-17T12:01:00+00:00", True),  # Friday lay between
        ("2026-08-14T13:29:00Z", "2026-08-14T13:30:00+00:00", True),  # the bell at 13:30
        ("2026-08-14T13:31:00Z", "2026-08-14T13:45:00+00:00", False),
        ("1960-01-01T00:00:00Z", "2026-08-14T13:45:00+00:00", True),  # before the calendar
    ],
)
def test_a_price_from_before_the_last_bell_is_stale(priced: str, taken: str, stale: bool) -> None:
    found = row(alpaca(underlying={"p": 250.5, "t": priced}), scraped_at=taken)
    assert found["flags"] == (["stale-underlying"] if stale else [])


def test_a_late_collection_of_an_earlier_session_is_marked() -> None:
    # As in archives: labelled with Thursday, whose close `spot` is, but quoted on Friday.
    found = row(
        yahoo(session="2026-08-13"), "yahoo", SATURDAY, scraped_at="2026-08-14T15:58:00+00:00"
    )
    assert found["flags"] == ["stale-underlying"]


@pytest.mark.parametrize(
    ("last_trade", "taken", "volume"),
    [
        ("2026-08-14 19:30:00+00:00", "2026-08-14T20:00:00+00:00", 12),  # Friday's
        ("2026-08-13 19:30:00+00:00", "2026-08-14T20:00:00+00:00", 0),  # nothing on Friday
        # Taken while Friday traded: what had been traded by then is known, that nothing would
        # be is not.
        ("2026-08-14 14:30:00+00:00", "2026-08-14T15:00:00+00:00", 12),
        ("2026-08-13 19:30:00+00:00", "2026-08-14T15:00:00+00:00", None),
        ("", "2026-08-14T20:00:00+00:00", None),
    ],
)
def test_volume_is_that_of_the_session_before_the_runs(
    last_trade: str, taken: str, volume: int | None
) -> None:
    found = row(yahoo(lastTradeDate=last_trade), "yahoo", SATURDAY, scraped_at=taken)
    assert found["volume"] == volume


def test_of_two_bars_the_one_of_the_prior_session_counts() -> None:
    # A daily bar is stamped midnight in New York.
    bars = {
        "dailyBar": {"t": "2026-08-17T04:00:00Z", "v": 5},
        "prevDailyBar": {"t": "2026-08-14T04:00:00Z", "v": 17},
    }
    assert row(alpaca(snapshot=snapshot(**bars)))["volume"] == 17
    assert row(alpaca(snapshot=snapshot(dailyBar=bars["prevDailyBar"])))["volume"] == 17
    assert row(alpaca(snapshot=snapshot(prevDailyBar=bars["dailyBar"])))["volume"] is None


@pytest.mark.parametrize(
    ("more", "null"),
    [
        ({"snapshot": None, "contract": None, "underlying": None}, "mid iv open_interest"),
        ({"snapshot": [], "contract": "x", "underlying": 7}, "mid delta underlying_price"),
        ({"snapshot": {"latestQuote": {"bp": {}, "ap": []}, "greeks": None}}, "bid ask gamma"),
        (
            {"snapshot": {"dailyBar": {"t": "0001-01-01T00:00:00Z", "v": 1}}},
            "volume",
        ),  # Go's "never"
        ({"underlying": {"p": "1e400", "t": "never"}}, "underlying_price"),
        ({"underlying": {"p": -1.0, "t": "2026-08-14T19:59:58Z"}}, "underlying_price"),
        ({"contract": {"open_interest": "-3", "strike_price": None}}, "open_interest"),
        ({"contract": {"open_interest": True}}, "open_interest"),
    ],
)
def test_fields_that_hold_nothing_sensible_read_as_null(more: dict[str, Any], null: str) -> None:
    found = row(alpaca(**more))
    assert [found[name] for name in null.split()] == [None] * len(null.split())


# ---------------------------------------------------------------- what becomes no row


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{nonsense", "json"),
        (b"\xff\xfe", "encoding"),
        (b"[1]", "not-object"),
        ({"source": "alpaca"}, "no-envelope"),
        (envelope(alpaca(), source="somebody"), "unknown-source"),
        (envelope({}), "no-contract"),
        (envelope(alpaca("TSLA")), "no-contract"),
        (envelope(alpaca("NVDA260821C00250000")), "other-underlying"),
        (envelope(alpaca(contract={"underlying_symbol": "NVDA"})), "other-underlying"),
        (envelope(alpaca("TSLA1260821C00250000")), "adjusted-contract"),
        (envelope(alpaca(contract={"size": "150"})), "adjusted-contract"),
        (envelope(yahoo(contractSize="MINI"), "yahoo"), "adjusted-contract"),
        (envelope(alpaca(contract={"expiration_date": "2026-08-28"})), "contradicts-symbol"),
        (envelope(alpaca(contract={"type": "put"})), "contradicts-symbol"),
        (envelope(alpaca(contract={"strike_price": "260"})), "contradicts-symbol"),
        (envelope(yahoo(type="P"), "yahoo"), "contradicts-symbol"),
        (envelope(yahoo(strike="250.5"), "yahoo"), "contradicts-symbol"),
        (envelope(alpaca(), scraped_at=None), "no-date"),
        (envelope(alpaca(), scraped_at="yesterday"), "no-date"),
        # 13:30 UTC is Monday's bell.
        (envelope(alpaca(), scraped_at="2026-08-17T13:30:00+00:00"), "after-open"),
    ],
)
def test_a_line_that_is_no_row_says_why(line: Any, why: str) -> None:
    assert reason(line) == why


def test_fields_that_agree_with_the_symbol_are_no_contradiction() -> None:
    stated = {"expiration_date": "2026-08-21", "type": "call", "strike_price": "250"}
    assert row(alpaca(contract=stated))["contract"] == SYMBOL
    stated = {"expiry": "2026-08-21", "type": "C", "strike": "250.0", "contractSize": "REGULAR"}
    assert row({**yahoo(), **stated}, "yahoo")["contract"] == SYMBOL


def test_a_chain_taken_until_the_bell_is_known_to_the_run() -> None:
    for dt in (SATURDAY, MONDAY):  # both serve Monday's session
        assert row(alpaca(), dt=dt, scraped_at="2026-08-17T13:29:59+00:00")["flags"] == []


def test_every_line_is_accounted_for_and_the_first_of_two_stays() -> None:
    second = alpaca(contract={"open_interest": "1"})
    found = enriched(
        envelope(alpaca()), envelope(second), b"{", envelope(alpaca("TSLA260821P00250000"))
    )
    assert {name: n for name, n in found.counts.items() if n} == {
        "lines": 4,
        "rows": 2,
        "repeated": 1,
        "rejected": 1,
    }
    assert found.table["open_interest"].to_pylist() == [237, 237]
    assert [(bad.line, bad.reason, bad.raw) for bad in found.rejected] == [(3, "json", b"{")]


def test_a_damaged_object_leaves_what_can_be_read() -> None:
    given = [envelope(alpaca(f"TSLA260821C00{n:03d}000")) for n in range(100, 300)]
    packed = lines.pack(json.dumps(one).encode() for one in given)
    key = layout.parse_raw(layout.raw("options", MONDAY, "alpaca", "TSLA"))
    assert key is not None
    found = options.enrich_object(SETTINGS, key, packed[: len(packed) // 2])
    assert 0 < found.table.num_rows < 200
    assert found.rejected[-1].line == 0
    assert found.rejected[-1].reason.startswith("gzip: ")


def test_an_empty_object_is_an_empty_table() -> None:
    found = enriched()
    assert found.table.schema == contract("options").arrow_schema()
    assert found.table.num_rows == 0


# Whatever a field may hold in JSON.
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@given(
    st.sampled_from(sorted(chains.READERS)),
    st.dictionaries(st.sampled_from([*alpaca(), *yahoo(), "type", "strike", "expiry"]), ANYTHING),
)
def test_no_field_makes_a_reader_fail(source: str, data: dict[str, Any]) -> None:
    whole = {**alpaca(), **yahoo(), **data}
    found = enriched(json.dumps(envelope(whole, source)).encode())
    assert found.table.num_rows + len(found.rejected) == 1


# ---------------------------------------------------------------- a day


def test_of_two_snapshots_of_a_contract_the_newer_one_is_the_days() -> None:
    early = enriched(envelope(alpaca(), scraped_at="2026-08-17T11:00:00+00:00")).table
    late = enriched(
        envelope(alpaca(contract={"open_interest": "9"}), scraped_at="2026-08-17T12:00:00+00:00"),
        envelope(alpaca("TSLA260821P00250000"), scraped_at="2026-08-17T12:00:00+00:00"),
    ).table
    for order in ([early, late], [late, early]):
        found = {r["contract"]: r for r in options.compacted(order).to_pylist()}
        assert len(found) == 2
        assert found[SYMBOL]["open_interest"] == 9


def test_of_two_snapshots_of_one_moment_the_first_object_counts() -> None:
    one = enriched(envelope(alpaca())).table
    two = enriched(envelope(alpaca(contract={"open_interest": "9"}))).table
    assert options.compacted([one, two])["open_interest"].to_pylist() == [237]
    assert options.compacted([two, one])["open_interest"].to_pylist() == [9]


def test_a_day_without_chains_is_an_empty_table() -> None:
    found = options.compacted([])
    assert isinstance(found, pa.Table)
    assert found.schema == contract("options").arrow_schema()
