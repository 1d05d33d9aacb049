"""Option chains of others in the raw zone: which run may know them, which bytes, what is refused."""

from __future__ import annotations

import gzip
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cashtag import services, sessions, steps
from cashtag.cli.app import app
from cashtag.enrich import moments
from cashtag.enrich import options as rows_of
from cashtag.errors import InputError
from cashtag.exchange import importing, options_in
from cashtag.exchange.importing import FileReport, Imported
from cashtag.lake import layout, lines
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import read
from cashtag.ports import Lake
from cashtag.scrape.archive import ArchiveSource
from cashtag.settings import load

SETTINGS = load(environ={})
# 13 August 2026 is a Thursday; the sessions close at 20:00 UTC, the cutoff is 12:00 UTC.
THURSDAY, FRIDAY, SATURDAY = "2026-08-13", "2026-08-14", "2026-08-15"
COLUMNS = [
    "contractSymbol",
    "expiry",
    "type",
    "strike",
    "lastPrice",
    "bid",
    "ask",
    "volume",
    "openInterest",
    "impliedVolatility",
    "inTheMoney",
    "lastTradeDate",
    "spot",
    "session",
]


def cells(strike: float = 250.0, **more: str) -> dict[str, str]:
    """A contract of 21 August, last traded on Thursday at 19:30 UTC."""
    return {
        "contractSymbol": f"SPY260821C{round(strike * 1000):08d}",
        "expiry": "2026-08-21",
        "type": "C",
        "strike": f"{strike}",
        "lastPrice": "5.0",
        "bid": "4.8",
        "ask": "5.2",
        "volume": "12.0",
        "openInterest": "237.0",
        "impliedVolatility": "0.45",
        "inTheMoney": "True",
        "lastTradeDate": "2026-08-13 19:30:00+00:00",
        "spot": "250.5",
        "session": THURSDAY,
        **more,
    }


def csv(*rows: dict[str, str], columns: list[str] | None = None, mark: str = ",") -> bytes:
    names = columns or COLUMNS
    return "\n".join(
        [mark.join(names), *(mark.join(row.get(name, "") for name in names) for row in rows)]
    ).encode()


def lake(folder: Path) -> Lake:
    return services.folder_lake(folder / "lake")


def bring(folder: Path, *paths: Path, **more: Any) -> Imported:
    return importing.bring(lake(folder), SETTINGS, "options", paths, **more)


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def imported(folder: Path, data: bytes, name: str = "SPY.csv", **more: Any) -> FileReport:
    """Import one file; every line must be accounted for."""
    (report,) = bring(folder, write(folder / "in" / name, data), **more).files
    fates = report.accepted + report.already + report.repeated + report.rejected
    assert report.lines == fates
    return report


def keys(folder: Path) -> list[str]:
    return [info.key for info in lake(folder).raw.list("options/")]


def kept(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Envelopes by run."""
    raw = lake(folder).raw
    found: dict[str, list[dict[str, Any]]] = {}
    for key in keys(folder):
        parsed = layout.parse_raw(key)
        assert parsed is not None
        rows = found.setdefault(str(parsed.dt), [])
        rows += [json.loads(line) for line in lines.read(raw.get(key), key)]
    return found


def quarantine(folder: Path) -> list[dict[str, Any]]:
    raw = lake(folder).raw
    return [
        json.loads(line)
        for info in raw.list("quarantine/import/options/")
        for line in lines.read(raw.get(info.key), info.key)
    ]


# ---------------------------------------------------------------- which run may know it


@pytest.mark.parametrize(
    ("session", "last_trade", "run"),
    [
        # Prices after Thursday's close are known to the run of Friday noon.
        (THURSDAY, f"{THURSDAY} 19:30:00+00:00", FRIDAY),
        (THURSDAY, f"{THURSDAY} 20:10:00+00:00", FRIDAY),  # options trade until 20:15
        # After Friday's close the next cutoff is Saturday's, which serves Monday's session.
        (FRIDAY, f"{FRIDAY} 19:30:00+00:00", SATURDAY),
        # A contract that has not traded for long says nothing of its chain's moment.
        (FRIDAY, "2026-03-02 15:00:00+00:00", SATURDAY),
        # Labelled with Thursday, whose close is the spot, but collected while Friday traded:
        # the run of Friday noon cannot have known it.
        (THURSDAY, f"{FRIDAY} 13:30:01+00:00", SATURDAY),
        (FRIDAY, "2026-08-17 14:05:00+00:00", "2026-08-18"),  # labelled Friday, of Monday morning
        # Without a session the newest trade is all there is to go by.
        ("", f"{FRIDAY} 15:00:00+00:00", SATURDAY),
        ("", f"{FRIDAY} 11:59:59+00:00", FRIDAY),
        ("", f"{FRIDAY} 12:00:00+00:00", SATURDAY),  # at the cutoff is after it
        (FRIDAY, "", SATURDAY),
        # An early close, 18:00 UTC on the day after Thanksgiving.
        ("2025-11-28", "2025-11-28 17:30:00+00:00", "2025-11-29"),
    ],
)
def test_a_chain_goes_to_the_first_run_that_could_know_it(
    tmp_path: Path, session: str, last_trade: str, run: str
) -> None:
    imported(tmp_path, csv(cells(session=session, lastTradeDate=last_trade)))
    assert list(kept(tmp_path)) == [run]


def test_the_newest_trade_of_a_chain_is_the_moment_of_all_its_rows(tmp_path: Path) -> None:
    old = cells(240.0, lastTradeDate="2026-06-01 15:00:00+00:00")
    new = cells(250.0, lastTradeDate=f"{FRIDAY} 15:58:37+00:00")
    imported(tmp_path, csv(old, new))
    assert keys(tmp_path) == ["options/dt=2026-08-15/source=yahoo/SPY-1.jsonl.gz"]
    moments_of = {row["scraped_at"] for row in kept(tmp_path)[SATURDAY]}
    assert moments_of == {"2026-08-14T15:58:37+00:00"}


def test_chains_of_several_sessions_in_one_file_are_told_apart(tmp_path: Path) -> None:
    report = imported(
        tmp_path,
        csv(cells(), cells(session=FRIDAY, lastTradeDate=f"{FRIDAY} 19:00:00+00:00")),
    )
    assert report.accepted == 2
    assert {dt: len(rows) for dt, rows in kept(tmp_path).items()} == {FRIDAY: 1, SATURDAY: 1}


def test_the_meta_beside_a_file_says_when_it_was_collected(tmp_path: Path) -> None:
    # An illiquid chain: nothing traded on Friday, but its quotes are of Friday afternoon.
    write(tmp_path / "in" / "meta.json", b'{"utc": "2026-08-14T16:13:33.049692+00:00"}')
    imported(tmp_path, csv(cells()))
    (row,) = kept(tmp_path)[SATURDAY]
    assert row["scraped_at"] == "2026-08-14T16:13:33.049000+00:00"


@pytest.mark.parametrize("meta", [b"{}", b"[1]", b"no json", b'{"utc": 5}'])
def test_a_meta_that_says_no_moment_is_none(tmp_path: Path, meta: bytes) -> None:
    write(tmp_path / "in" / "meta.json", meta)
    imported(tmp_path, csv(cells()))
    assert list(kept(tmp_path)) == [FRIDAY]


def test_a_meta_that_cannot_be_read_stops_the_import(tmp_path: Path) -> None:
    (tmp_path / "in" / "meta.json").mkdir(parents=True)
    with pytest.raises(InputError, match=r"meta\.json cannot be read"):
        imported(tmp_path, csv(cells()))
    assert keys(tmp_path) == []


def test_the_caller_may_say_when_chains_were_collected(tmp_path: Path) -> None:
    at = moments.milliseconds("2026-08-14T16:00Z")
    imported(tmp_path, csv(cells()), collected=at)
    assert list(kept(tmp_path)) == [SATURDAY]


def test_no_chain_is_known_before_its_session_has_opened_or_its_trades_are_made(
    tmp_path: Path,
) -> None:
    # Whatever a file says, its rows lie before the cutoff of their run, and so before its bell.
    days = [date(2026, 8, day) for day in (13, 14, 17, 18)]
    rows = [
        cells(strike, session=f"{day}", lastTradeDate=f"{trade} {clock}:00+00:00")
        for strike, day in enumerate(days, start=200)
        for trade, clock in ((day, "13:30"), (day, "20:14"), (day, "11:59"))
    ]
    imported(tmp_path, csv(*rows))
    for dt, found in kept(tmp_path).items():
        cutoff = sessions.cutoff(date.fromisoformat(dt))
        for row in found:
            data = row["data"]
            assert row["scraped_at"] < cutoff.isoformat()
            assert data["lastTradeDate"] < f"{cutoff}"
            assert sessions.closes(date.fromisoformat(data["session"])) < cutoff


# ---------------------------------------------------------------- what is kept


def test_the_cells_are_kept_as_they_are(tmp_path: Path) -> None:
    report = imported(tmp_path, csv(cells()))
    assert (report.lines, report.accepted, report.reasons) == (1, 1, "")
    assert kept(tmp_path) == {
        FRIDAY: [
            {
                "source": "yahoo",
                "scraped_at": "2026-08-13T20:00:00+00:00",  # Thursday's close
                "query": "SPY",
                "data": cells(),
            }
        ]
    }


YFINANCE = (
    ",contractSymbol,lastTradeDate,strike,lastPrice,bid,ask,change,percentChange,volume,"
    "openInterest,impliedVolatility,inTheMoney,contractSize,currency"
)


def test_the_shape_of_yfinance_without_expiry_and_session_is_taken(tmp_path: Path) -> None:
    row = "0,SPY260821C00250000,2026-08-13 19:30:00+00:00,250.0,5.0,4.8,5.2,0.1,2.0,,237,0.45,True,REGULAR,USD"
    report = imported(tmp_path, f"{YFINANCE}\n{row}\n".encode())
    assert (report.accepted, report.rejected) == (1, 0)
    (found,) = kept(tmp_path)[FRIDAY]
    assert found["scraped_at"] == "2026-08-13T19:30:00+00:00"
    assert found["data"]["contractSize"] == "REGULAR"
    assert "" not in found["data"]  # the index of the frame


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("SPY.csv", lambda data: data),
        ("SPY.csv.gz", gzip.compress),
        ("SPY.csv", lambda data: data.replace(b"\n", b"\r\n")),
        ("SPY.csv", lambda data: b"\xef\xbb\xbf" + data),
        ("SPY.csv", lambda data: data.decode().encode("utf-16")),
        ("SPY.tsv", lambda data: data.replace(b",", b"\t")),
        ("SPY.csv", lambda data: data.replace(b",", b";")),
        ("SPY.csv", lambda data: data.replace(b"contractSymbol", b"Contract Symbol")),
        ("SPY.csv", lambda data: data + b"\n\n,,,\n"),
    ],
)
def test_packing_line_ends_and_spelling_do_not_matter(
    tmp_path: Path, name: str, change: Any
) -> None:
    report = imported(tmp_path, change(csv(cells())), name)
    assert (report.lines, report.accepted) == (1, 1)
    assert kept(tmp_path)[FRIDAY][0]["data"] == cells()


@given(st.permutations(COLUMNS))
@settings(
    max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_the_order_of_columns_does_not_matter(tmp_path: Path, order: list[str]) -> None:
    found = options_in.gather("SPY", "SPY.csv", csv(cells(), columns=order), None, SETTINGS)
    (rows,) = found.rows.values()
    (only,) = rows.values()
    assert json.loads(only.envelope)["data"] == cells()


def test_an_import_that_runs_again_adds_nothing(tmp_path: Path) -> None:
    data = csv(cells(), cells(240.0))
    assert imported(tmp_path, data).accepted == 2
    again = imported(tmp_path, data)
    assert (again.accepted, again.already) == (0, 2)
    assert len(keys(tmp_path)) == 1


def test_two_imports_at_once_leave_one_object(tmp_path: Path) -> None:
    path = write(tmp_path / "in" / "SPY.csv", csv(*(cells(float(n)) for n in range(100, 200))))
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(bring, tmp_path, path) for _ in range(4)]
        assert {report.result().accepted in (0, 100) for report in done} == {True}
    assert len(keys(tmp_path)) == 1


def test_a_newer_chain_of_the_same_run_is_added_and_an_older_one_is_not(tmp_path: Path) -> None:
    noon, three = (f"{FRIDAY} {clock}:00+00:00" for clock in ("16:00", "19:00"))
    assert imported(tmp_path, csv(cells(lastTradeDate=noon))).accepted == 1
    assert imported(tmp_path, csv(cells(lastTradeDate=three, bid="4.9"))).accepted == 1
    assert imported(tmp_path, csv(cells(lastTradeDate=noon, bid="4.7"))).already == 1
    assert keys(tmp_path) == [
        "options/dt=2026-08-15/source=yahoo/SPY-1.jsonl.gz",
        "options/dt=2026-08-15/source=yahoo/SPY-2.jsonl.gz",
    ]


def test_of_several_chains_of_a_run_the_newest_is_the_runs_whatever_the_order(
    tmp_path: Path,
) -> None:
    noon, three = (f"{FRIDAY} {clock}:00+00:00" for clock in ("16:00", "19:00"))
    for order in ((noon, three), (three, noon)):
        folder = tmp_path / order[0][11:13]
        paths = [
            write(folder / f"{n}" / "SPY.csv", csv(cells(lastTradeDate=when, bid=f"4.{n}")))
            for n, when in enumerate(order)
        ]
        result = bring(folder, *paths)
        assert result.files[0].accepted == 1
        # An older chain is known already when a newer one is there.
        assert result.files[1].accepted == int(order[1] == three)
        tables = [
            rows_of.enrich_object(SETTINGS, parsed, lake(folder).raw.get(key)).table
            for key in keys(folder)
            if (parsed := layout.parse_raw(key)) is not None
        ]
        assert rows_of.compacted(tables)["bid"].to_pylist() == [4.0 + order.index(three) / 10]


def test_of_two_rows_of_a_file_for_a_contract_the_first_is_taken(tmp_path: Path) -> None:
    report = imported(tmp_path, csv(cells(bid="4.1"), cells(bid="4.2")))
    assert (report.accepted, report.repeated) == (1, 1)
    assert kept(tmp_path)[FRIDAY][0]["data"]["bid"] == "4.1"


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (cells(contractSymbol="SPY"), "no-contract"),
        (cells(contractSymbol=""), "no-contract"),
        (cells(contractSymbol="QQQ260821C00250000"), "other-underlying"),
        (cells(contractSymbol="SPY1260821C00250000"), "adjusted-contract"),
        (cells(type="P"), "contradicts-symbol"),
        (cells(expiry="2026-08-22"), "contradicts-symbol"),
        ({**cells(), "strike": "251"}, "contradicts-symbol"),
        (cells(session="2026-08-15"), "no-session"),  # a Saturday
        (cells(session="1999-08-13"), "outside-calendar"),
        (cells(session="last week"), "bad-date"),
        (cells(lastTradeDate="last week"), "bad-date"),
        (cells(session="", lastTradeDate=""), "no-date"),
        # A trade later than the session after its chain's, or than the contract's life, is damage:
        # it must not carry a whole chain into another year.
        (cells(lastTradeDate="2026-08-17 14:00:00+00:00"), "trade-too-late"),
        (cells(session="", lastTradeDate="2026-08-24 14:00:00+00:00"), "trade-too-late"),
        (cells(session="", lastTradeDate="2005-08-24 14:00:00+00:00"), "outside-calendar"),
    ],
)
def test_a_row_that_cannot_be_taken_is_kept_in_quarantine(
    tmp_path: Path, row: dict[str, str], why: str
) -> None:
    report = imported(tmp_path, csv(row))
    assert (report.accepted, report.rejected, report.reasons) == (0, 1, f"{why} 1")
    (found,) = quarantine(tmp_path)
    assert (found["reason"], found["file"], found["line"]) == (why, "SPY.csv", 2)
    assert found["raw"] == csv(row).decode().splitlines()[1]


def test_a_trade_after_the_chain_was_collected_is_damage(tmp_path: Path) -> None:
    write(tmp_path / "in" / "meta.json", b'{"utc": "2026-08-13T16:00:00+00:00"}')
    assert imported(tmp_path, csv(cells())).reasons == "trade-too-late 1"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"contractSymbol,bid,ask\n", "empty"),
        (b"<html>Too Many Requests</html>", "no-header"),
        (b"Date,Open,High,Low,Close,Volume\n2026-08-14,1,1,1,1,1\n", "no-header"),
        (b"contractSymbol,strike\nSPY260821C00250000,250\n", "no-column"),
        (b"contractSymbol,bid,bid,ask\nSPY260821C00250000,1,1,1\n", "ambiguous-columns"),
    ],
)
def test_a_file_that_is_no_chain_is_refused_as_a_whole(
    tmp_path: Path, data: bytes, why: str
) -> None:
    report = imported(tmp_path, data)
    assert (report.lines, report.rejected, report.reasons) == (1, 1, f"{why} 1")
    assert quarantine(tmp_path)[0]["line"] == 0


def test_bad_rows_cost_no_good_ones(tmp_path: Path) -> None:
    data = b"\n".join(
        [
            csv(cells()),
            b"\xff\xfe,nonsense",
            csv(cells(240.0)).splitlines()[1] + b",surplus",
            csv().splitlines()[0],  # the header again, as where files were joined
            csv(cells()).splitlines()[1],  # the first row again
            csv(cells(230.0)).splitlines()[1],
            csv(cells(220.0)).splitlines()[1][:-24],  # cut off before spot and session
            csv(cells(210.0, session="")).splitlines()[1],
        ]
    )
    report = imported(tmp_path, data)
    assert (report.lines, report.accepted, report.repeated, report.rejected) == (8, 2, 2, 4)
    assert report.reasons == "encoding 1, no-session 1, too-few-cells 1, too-many-cells 1"


def test_a_damaged_file_gives_the_rows_before_the_damage(tmp_path: Path) -> None:
    whole = gzip.compress(csv(*(cells(n / 8) for n in range(1, 2000))))
    report = imported(tmp_path, whole[: len(whole) // 2], "SPY.csv.gz")
    assert 0 < report.accepted < 1999
    assert "gzip 1" in report.reasons


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_no_bytes_make_the_import_fail(data: bytes) -> None:
    for given_data in (data, csv(cells()) + b"\n" + data):
        found = options_in.gather("SPY", "SPY.csv", given_data, None, SETTINGS)
        taken = sum(map(len, found.rows.values()))
        assert taken + len(found.refused) + found.repeated == found.seen


# ---------------------------------------------------------------- from archive to table


def test_an_imported_chain_becomes_the_options_of_its_run(tmp_path: Path) -> None:
    imported(tmp_path, csv(cells(), cells(240.0, impliedVolatility="1.0000000000000003e-05")))
    settings = load(environ={}, overrides={"lake": str(tmp_path / "lake")})
    env = services.embedded(settings, source_name="archive")
    assert isinstance(env.source, ArchiveSource)
    dt = date.fromisoformat(FRIDAY)
    whole = steps.scrape(env, dt)
    (key,) = (row.key for row in whole.objects)
    assert not steps.complete(env, dt)  # an expected chain is missed until it is staged
    enriched = steps.enrich(env, key)
    assert enriched is not None
    assert enriched.counts["rows"] == 2
    assert steps.complete(env, dt)
    steps.signals(env, dt)
    table = read(env.lake, contract("options"), dt)
    assert table is not None
    assert table.select(["contract", "iv", "flags", "volume"]).to_pylist() == [
        # IV 1e-5 is Yahoo's placeholder. Thursday is the session before Friday's.
        {"contract": "SPY260821C00240000", "iv": None, "flags": ["placeholder-iv"], "volume": 12},
        {"contract": "SPY260821C00250000", "iv": 0.45, "flags": [], "volume": 12},
    ]


def test_every_imported_row_is_one_that_enrichment_reads(tmp_path: Path) -> None:
    imported(tmp_path, csv(*(cells(float(n)) for n in range(100, 120))))
    (key,) = keys(tmp_path)
    parsed = layout.parse_raw(key)
    assert parsed is not None
    found = rows_of.enrich_object(SETTINGS, parsed, lake(tmp_path).raw.get(key))
    assert (found.table.num_rows, found.rejected) == (20, ())


def test_the_command_reports_each_file(tmp_path: Path) -> None:
    path = write(tmp_path / "in" / "SPY.csv", csv(cells()))
    words = ["import", "options", str(path), "--lake", str(tmp_path / "lake")]
    done = CliRunner().invoke(app, [*words, "--format", "json"])
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)
    assert (row["ticker"], row["accepted"]) == ("SPY", 1)
    done = CliRunner().invoke(app, [*words, "--collected", "2026-08-14T16:00Z"])
    assert done.exit_code == 0, done.output
    assert list(kept(tmp_path)) == [FRIDAY, SATURDAY]


SHARED = Path(os.environ.get("CASHTAG_SHARED", Path(__file__).parents[3] / "shared"))


@pytest.mark.shared
@pytest.mark.skipif(
    not (SHARED / "data" / "options").is_dir(), reason="no data beside the checkout"
)
def test_real_chains_are_taken_whole_and_known_after_their_collection(tmp_path: Path) -> None:
    result = bring(tmp_path, SHARED / "data" / "options" / "2026-08-14")
    # The folder's meta.json counts 6,036 contracts of SPY, 5,543 of QQQ, 2,089 of IWM, and says
    # that they were collected on Monday the 17th: the run of Tuesday is the first to know them.
    assert {f.ticker: f.accepted for f in result.files} == {"SPY": 6036, "QQQ": 5543, "IWM": 2089}
    assert sum(f.rejected for f in result.files) == 0
    assert list(kept(tmp_path)) == ["2026-08-18"]
