"""Daily bars in the shapes that people have them: which rows are bars, and why others are not."""

from __future__ import annotations

import gzip
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cashtag.enrich import bars
from cashtag.exchange import bars_in, cells, importing
from cashtag.lake import lines
from cashtag.lake.disk import FolderStore
from cashtag.ports import Lake
from cashtag.settings import load

SETTINGS = load(environ={})

# Thursday and Friday; 2014-01-01 was New Year's Day, the 4th a Saturday.
JAN2, JAN3 = date(2014, 1, 2), date(2014, 1, 3)
TWO = {JAN2: (79.0, 80.0, 78.0, 79.5, 79.5, 100), JAN3: (79.0, 79.5, 77.0, 77.5, 77.5, 200)}


def gather(text: str | bytes, ticker: str = "AAPL") -> bars_in.Gathered:
    data = text.encode() if isinstance(text, str) else text
    found = bars_in.gather(ticker, f"{ticker}.csv", data)
    assert found.seen == len(found.bars) + found.repeated + len(found.refused)
    return found


def numbers(found: bars_in.Gathered) -> dict[date, tuple[Any, ...]]:
    names = ("open", "high", "low", "close", "adjusted_close", "volume")
    return {day: tuple(bar[name] for name in names) for day, bar in found.bars.items()}


def reasons(found: bars_in.Gathered) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in found.refused]


# ---------------------------------------------------------------- shapes

SHAPES = {
    "Yahoo": """\
Date,Open,High,Low,Close,Adj Close,Volume
2014-01-02,79.0,80.0,78.0,79.5,79.5,100
2014-01-03,79.0,79.5,77.0,77.5,77.5,200
""",
    "adjusted only, other order": """\
Date,Close,High,Low,Open,Volume
2014-01-02,79.5,80.0,78.0,79.0,100
2014-01-03,77.5,79.5,77.0,79.0,200
""",
    "yfinance, field over ticker": """\
Price,Close,High,Low,Open,Volume
Ticker,AAPL,AAPL,AAPL,AAPL,AAPL
Date,,,,,
2014-01-02,79.5,80.0,78.0,79.0,100
2014-01-03,77.5,79.5,77.0,79.0,200
""",
    "yfinance, ticker over field, of two stocks": """\
Ticker,MSFT,MSFT,MSFT,MSFT,MSFT,AAPL,AAPL,AAPL,AAPL,AAPL
Price,Open,High,Low,Close,Volume,Open,High,Low,Close,Volume
Date,,,,,,,,,,
2014-01-02,37.0,37.5,36.5,37.1,9,79.0,80.0,78.0,79.5,100
2014-01-03,37.0,37.5,36.5,37.1,9,79.0,79.5,77.0,77.5,200
""",
    "yfinance before 0.2, of two stocks": """\
,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume
,AAPL,MSFT,AAPL,MSFT,AAPL,MSFT,AAPL,MSFT,AAPL,MSFT
Date,,,,,,,,,,
2014-01-02,79.5,37.1,80.0,37.5,78.0,36.5,79.0,37.0,100,9
2014-01-03,77.5,37.1,79.5,37.5,77.0,36.5,79.0,37.0,200,9
""",
    "yfinance without its row for the date": """\
Price,Close,High,Low,Open,Volume
Ticker,AAPL,AAPL,AAPL,AAPL,AAPL
2014-01-02,79.5,80.0,78.0,79.0,100
2014-01-03,77.5,79.5,77.0,79.0,200
""",
    "one ticker's history with zone": """\
Date,Open,High,Low,Close,Volume,Dividends,Stock Splits
2014-01-02 00:00:00-05:00,79.0,80.0,78.0,79.5,100,0.0,0.0
2014-01-03 00:00:00-05:00,79.0,79.5,77.0,77.5,200,0.0,0.0
""",
    "Nasdaq, newest first": """\
Date,Close/Last,Volume,Open,High,Low
01/03/2014,$77.50,200,$79.00,$79.50,$77.00
01/02/2014,$79.50,100,$79.00,$80.00,$78.00
""",
    "Stooq": """\
<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>
AAPL.US,D,20140102,000000,79.0,80.0,78.0,79.5,100,0
AAPL.US,D,20140103,000000,79.0,79.5,77.0,77.5,200,0
""",
    "Alpha Vantage as CSV from its JSON": """\
,1. open,2. high,3. low,4. close,5. adjusted close,6. volume,7. dividend amount,8. split coefficient
2014-01-02,79.0,80.0,78.0,79.5,79.5,100,0.0000,1.0
2014-01-03,79.0,79.5,77.0,77.5,77.5,200,0.0000,1.0
""",
    "Tiingo": """\
date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor
2014-01-02T00:00:00.000Z,79.5,80.0,78.0,79.0,100,79.5,80.0,78.0,79.0,100,0.0,1.0
2014-01-03T00:00:00.000Z,77.5,79.5,77.0,79.0,200,77.5,79.5,77.0,79.0,200,0.0,1.0
""",
    "Alpaca": """\
symbol,timestamp,open,high,low,close,volume,trade_count,vwap
AAPL,2014-01-02 05:00:00+00:00,79.0,80.0,78.0,79.5,100.0,7,79.2
AAPL,2014-01-03 05:00:00+00:00,79.0,79.5,77.0,77.5,200.0,7,78.2
""",
    "quantmod": """\
"","AAPL.Open","AAPL.High","AAPL.Low","AAPL.Close","AAPL.Volume","AAPL.Adjusted"
"2014-01-02",79.0,80.0,78.0,79.5,100,79.5
"2014-01-03",79.0,79.5,77.0,77.5,200,77.5
""",
    "pandas with tuples": """\
Date,"('Adj Close', 'AAPL')","('Close', 'AAPL')","('High', 'AAPL')","('Low', 'AAPL')","('Open', 'AAPL')","('Volume', 'AAPL')"
2014-01-02,79.5,79.5,80.0,78.0,79.0,100
2014-01-03,77.5,77.5,79.5,77.0,79.0,200
""",
    "an index column, several stocks in rows": """\
,date,open,high,low,close,volume,Name
0,2014-01-02,79.0,80.0,78.0,79.5,100,AAPL
1,2014-01-03,79.0,79.5,77.0,77.5,200,AAPL
""",
    "a company's name": """\
Name,Date,Open,High,Low,Close,Adj_Close,Volume
Apple,2014-01-02,79.0,80.0,78.0,79.5,79.5,100
Apple,2014-01-03,79.0,79.5,77.0,77.5,77.5,200
""",
    "Wall Street Journal": """\
Date, Open, High, Low, Close, Volume
01/03/14, 79.0, 79.5, 77.0, 77.5, 200
01/02/14, 79.0, 80.0, 78.0, 79.5, 100
""",
    "Investing.com": """\
"Date","Price","Open","High","Low","Vol.","Change %"
"Jan 03, 2014","77.50","79.00","79.50","77.00","0.20K","-2.5%"
"Jan 02, 2014","79.50","79.00","80.00","78.00","0.10K","0.1%"
""",
    "European": """\
Datum;Date;Open;High;Low;Close;adjclose;Volume
x;02.01.2014;79,00;80,00;78,00;79,50;79,50;100
x;03.01.2014;79,00;79,50;77,00;77,50;77,50;200
""",
    "tabs and capitals": """\
DATE\tOPEN\tHIGH\tLOW\tCLOSE\tVOLUME
2014/01/02\t79.0\t80.0\t78.0\t79.5\t100
2014/01/03\t79.0\t79.5\t77.0\t77.5\t200
""",
    "a title above, nothing below": """\
Historical prices of AAPL,,,,,
,,,,,
Date,Open,High,Low,Close,Volume
2014-01-02,79.0,80.0,78.0,79.5,100
2014-01-03,79.0,79.5,77.0,77.5,200
,,,,,

""",
    "seconds since 1970": """\
timestamp|open|high|low|close|volume
1388673000|79.0|80.0|78.0|79.5|100
1388759400|79.0|79.5|77.0|77.5|200
""",  # 14:30 UTC, the opening bell
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES.keys())
def test_the_same_two_bars_are_read_from_every_shape(text: str) -> None:
    found = gather(text)
    assert reasons(found) == []
    assert numbers(found) == TWO
    assert found.seen == 2
    assert {(bar["dividend"], bar["split"]) for bar in found.bars.values()} == {(None, None)}


@pytest.mark.parametrize(
    "data",
    [
        SHAPES["Yahoo"].encode("utf-8-sig"),
        SHAPES["Yahoo"].encode("utf-16"),
        SHAPES["Yahoo"].replace("\n", "\r\n").encode(),
        SHAPES["Yahoo"].replace("\n", "\r").encode(),
        gzip.compress(SHAPES["Yahoo"].encode()),
    ],
    ids=["mark", "utf-16", "Windows", "old Mac", "gzip"],
)
def test_neither_encoding_nor_packing_nor_line_ends_matter(data: bytes) -> None:
    assert numbers(gather(data)) == TWO


# ---------------------------------------------------------------- cells


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("2014-01-02", JAN2),
        ("2014-1-2", JAN2),
        ("20140102", JAN2),
        ("2014-01-02 00:00:00", JAN2),
        ("2014-01-02 00:00:00-05:00", JAN2),
        # Midnight in the stated zone is how programs write a bare date …
        ("2014-01-02T00:00:00Z", JAN2),
        ("2014-01-02T00:00:00.000+00:00", JAN2),
        # … any other time is a moment: the close, midnight and the open of New York.
        ("2014-01-02T21:00:00Z", JAN2),
        ("2014-01-02 05:00:00+0000", JAN2),
        ("2014-01-02T14:30:00+00:00", JAN2),
        ("2014-01-03T01:00:00Z", JAN2),  # 20:00 New York, the end of late trading
        ("2014-01-02 16:00:00 EST", JAN2),
        ("2014-01-02 16:00:00-05:00[America/New_York]", JAN2),
        ("2014-01-02 UTC", JAN2),
        ("01/02/2014", JAN2),
        ("1/2/2014 16:00:00", JAN2),  # GOOGLEFINANCE
        ("1/2/14", JAN2),
        ("Jan 2, 2014", JAN2),
        ("January 02, 2014", JAN2),
        ("02-Jan-2014", JAN2),
        ("2 Jan 14", JAN2),
        ("Thu, Jan 2, 2014", JAN2),
        ("Thursday, January 2, 2014", JAN2),
        ("1388673000", JAN2),
        ("1388673000000", JAN2),
        ("1388620800", JAN2),  # midnight UTC
        ("2014-02-30", None),
        ("2014", None),
        ("93088100", None),  # a volume
        ("64.389999", None),
        ("today", None),
        ("", None),
        ("2014-01-02 25:00:00Z", None),
        ("2014-01-02 at night", None),
    ],
)
def test_a_cell_names_a_new_york_date(cell: str, day: date | None) -> None:
    assert cells.session_day(cell) == day


def test_one_number_above_twelve_tells_whether_the_day_comes_first() -> None:
    assert cells.day_comes_first(["02/01/2014", "13/01/2014"])
    assert not cells.day_comes_first(["02/01/2014", "01/13/2014"])
    assert not cells.day_comes_first(["02/01/2014"])  # left open: American
    assert cells.day_comes_first(["02.01.2014"])  # nobody writes the month first with dots
    assert cells.session_day("02/01/2014", day_first=True) == JAN2


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("79.5", 79.5),
        ("$1,234.56", 1234.56),
        ("1,234,567", 1234567.0),
        ("93.09M", 93_090_000.0),
        ("1.5B", 1.5e9),
        ("9.30881E+07", 93_088_100.0),
        ("1 234.5", 1234.5),
        ("1'234.5", 1234.5),
        ("79.5 USD", 79.5),
        (".5", 0.5),
        ("-1", -1.0),
    ],
)
def test_a_cell_is_a_number_in_many_ways(cell: str, value: float) -> None:
    assert cells.number(cell) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("cell", ["", " ", "NaN", "null", "None", "N/A", "-", "--"])
def test_a_cell_may_stand_for_nothing(cell: str) -> None:
    assert cells.number(cell) is None


@pytest.mark.parametrize("cell", ["abc", "1.2.3", "12,34", "inf", "1e999", "1_000", "٣"])
def test_what_is_no_number_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="number"):
        cells.number(cell)


def test_a_decimal_comma_is_known_by_the_prices_of_its_file() -> None:
    assert cells.comma_is_decimal(["578,50"], ",")
    assert cells.comma_is_decimal(["1.234,56"], ";")
    assert cells.comma_is_decimal(["578,500", "579,250"], ";")  # three decimals, no dot anywhere
    assert not cells.comma_is_decimal(["1,234.50", "987.25"], ";")
    assert not cells.comma_is_decimal(["452,100"], ",")  # quoted thousands
    assert cells.number("1.234,56", decimal_comma=True) == 1234.56


@pytest.mark.parametrize(
    ("cell", "value"), [("7", 7.0), ("7:1", 7.0), ("3/2", 1.5), ("1 for 10", 0.1), ("", None)]
)
def test_a_split_is_new_shares_per_old_one(cell: str, value: float | None) -> None:
    assert cells.ratio(cell) == value


# ---------------------------------------------------------------- rows

HEAD = "Date,Open,High,Low,Close,Volume\n"
GOOD = "2014-01-02,79.0,80.0,78.0,79.5,100\n"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2014-01-01,79,80,78,79.5,100", "no-session"),  # New Year's Day
        ("2014-01-04,79,80,78,79.5,100", "no-session"),  # a Saturday
        ("1999-12-31,79,80,78,79.5,100", "outside-calendar"),
        ("soon,79,80,78,79.5,100", "no-date"),
        (",79,80,78,79.5,100", "no-date"),
        ("Too Many Requests", "no-date"),
        ("2014-01-03,nan,nan,nan,nan,nan", "no-price"),
        ("2014-01-03,null,null,null,null,null", "no-price"),
        ("2014-01-03,,,,,", "no-price"),
        ("2014-01-03,79,80,78", "no-price"),
        ('2014-01-03,"0.47 Dividend"', "bad-number"),
        ("2014-01-03,79,80,78,n.a.,100", "bad-number"),
        ("2014-01-03,0,80,78,79.5,100", "bad-price"),
        ("2014-01-03,79,80,-78,79.5,100", "bad-price"),
        ("2014-01-03,79,80,78,79.5,-100", "bad-number"),
        ("2014-01-03,79,80,78,79.5,1e16", "bad-number"),
        ("2014-01-03,79,80,78,79.5,", "no-volume"),
        ("2014-01-03,79,78,80,79,100", "high-below-low"),
        ("2014-01-03,790,80,78,79,100", "outside-range"),
        ("2014-01-03,79,80,78,7.95,100", "outside-range"),
        ("2014-01-03,1,079.0,1,080.0,100", "outside-range"),  # thousands without quotes
        ("2014-01-03,79,80,78,79.5,1,000,000", "too-many-cells"),
    ],
)
def test_a_row_that_is_no_bar_says_why_and_costs_only_itself(row: str, reason: str) -> None:
    found = gather(HEAD + GOOD + row + "\n")
    assert list(found.bars) == [JAN2]
    assert reasons(found) == [(3, reason)]
    assert found.refused[0].raw == row.encode()


def test_a_row_in_another_encoding_costs_only_itself() -> None:
    found = gather((HEAD + GOOD).encode() + b"2014-01-03,79,80,78,79\xa05,100\n")
    assert reasons(found) == [(3, "encoding")]
    assert list(found.bars) == [JAN2]


def test_a_row_longer_than_any_csv_costs_only_itself() -> None:
    found = gather(HEAD + f'2014-01-03,"{"9" * 200_000}"\n' + GOOD)
    assert reasons(found) == [(2, "too-long")]
    assert list(found.bars) == [JAN2]


def test_a_stray_quote_costs_only_its_row() -> None:
    found = gather(HEAD + '2014-01-03,"79,80,78,79.5,100\n' + GOOD)
    assert list(found.bars) == [JAN2]
    assert len(found.refused) == 1


def test_rounding_may_put_a_high_just_below_a_low() -> None:
    found = gather(HEAD + "2014-01-02,79.00,78.99,79.00,79.00,100\n")  # off by 0.013 %
    assert (found.bars[JAN2]["high"], found.bars[JAN2]["low"]) == (79.00, 78.99)


def test_a_close_just_outside_its_range_is_taken() -> None:
    # Real files have it: Mastercard's row of 2026-06-26 closes 0.23 % above its high.
    found = gather(HEAD + "2014-01-02,79.0,80.0,78.0,80.18,100\n")
    assert list(found.bars) == [JAN2]


def test_identical_rows_of_a_date_are_one_bar() -> None:
    found = gather(HEAD + GOOD + "2014-01-02,79,80,78,79.50,100.0\n")
    assert (len(found.bars), found.repeated, found.refused) == (1, 1, [])


def test_of_two_rows_of_a_date_the_later_line_wins_and_the_earlier_is_kept_back() -> None:
    found = gather(HEAD + GOOD + "2014-01-02 16:00:01,79.0,80.0,78.0,79.6,150\n")
    assert numbers(found)[JAN2] == (79.0, 80.0, 78.0, 79.6, 79.6, 150)
    assert reasons(found) == [(2, "duplicate-date")]
    assert found.refused[0].raw == GOOD.strip().encode()


def test_the_later_line_wins_in_a_file_that_is_newest_first_too() -> None:
    found = gather(HEAD + "2014-01-03,79,80,78,79,1\n" + GOOD + "2014-01-03,79,80,78,78.5,1\n")
    assert found.bars[JAN3]["close"] == 78.5
    assert reasons(found) == [(2, "duplicate-date")]


def test_a_header_in_the_middle_repeats_the_first() -> None:
    found = gather(HEAD + GOOD + HEAD + "2014-01-03,79,80,78,79,1\n")
    assert (len(found.bars), found.repeated, found.refused) == (2, 1, [])


def test_rows_of_other_stocks_are_refused() -> None:
    text = "symbol,date,open,high,low,close,volume\n"
    text += "AAPL,2014-01-02,79.0,80.0,78.0,79.5,100\nMSFT,2014-01-02,37,38,36,37,9\n"
    found = gather(text)
    assert reasons(found) == [(3, "other-ticker")]
    assert numbers(found)[JAN2] == TWO[JAN2]


def test_an_index_needs_no_volume_and_a_stock_does() -> None:
    without = "Date,Open,High,Low,Close\n2014-01-02,14,15,13,14\n"
    unknown = HEAD + "2014-01-02,14,15,13,14,N/A\n"
    assert gather(without, "^VIX").bars[JAN2]["volume"] is None
    assert gather(unknown, "^VIX").bars[JAN2]["volume"] is None
    assert reasons(gather(without)) == [(0, "no-column")]
    assert reasons(gather(unknown)) == [(2, "no-volume")]


def test_dividends_and_splits_are_taken_and_none_is_null() -> None:
    head = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"
    found = gather(
        head
        + "2014-06-05,646.2,649.4,642.6,647.4,90.1,1,0.0,0.0\n"
        + "2014-06-09,92.7,93.9,91.8,93.7,91.9,1,0.47,7.0\n"  # Apple split 7 for 1 that day
    )
    first, second = found.bars.values()
    assert (first["dividend"], first["split"]) == (None, None)
    assert (second["dividend"], second["split"]) == (0.47, 7.0)
    assert (first["close"], first["adjusted_close"]) == (647.4, 90.1)


def test_an_adjusted_close_that_is_missing_is_not_replaced_by_the_close() -> None:
    # Within a file that has the column, the close may be on another scale.
    found = gather("Date,Open,High,Low,Close,Adj Close,Volume\n2014-01-02,79,80,78,79,null,1\n")
    assert reasons(found) == [(2, "no-price")]


# ---------------------------------------------------------------- whole files


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Too Many Requests\r\n", "error-body"),
        ("Edge: Too Many Requests", "error-body"),
        ("<!DOCTYPE html>\n<html>\n<body>Not, found</body>\n</html>\n", "error-body"),
        ('{"chart":{"result":null,"error":{"code":"Not Found"}}}', "error-body"),
        ('{\n  "Note": "Thank you for using our API, five calls a minute"\n}\n', "error-body"),
        ("404 Not Found", "error-body"),
        ("", "empty"),
        ("\n\n", "empty"),
        (HEAD, "empty"),
        ("2014-01-02,79,80,78,79.5,100\n", "no-header"),
        ("id,text\n1,$AAPL up\n", "no-header"),
        ("Date,Close\n2014-01-02,79.5\n", "no-header"),
        ("Date,Close,Volume,High\n2014-01-02,79.5,1,80\n", "no-column"),
        (
            "Date,Open,High,Low,Close,Close,Volume\n2014-01-02,79,80,78,79,37,1\n",
            "ambiguous-columns",
        ),
        (
            "Price,Close,High,Low,Open,Volume\nTicker,MSFT,MSFT,MSFT,MSFT,MSFT\nDate,,,,,\n"
            "2014-01-02,37,38,36,37,9\n",
            "other-ticker",
        ),
        (
            "Datetime,Open,High,Low,Close,Volume\n"
            + "".join(f"2014-01-02 {h}:30:00-05:00,79,80,78,79.{h},1\n" for h in range(10, 16)),
            "intraday",
        ),
        (
            "Date,Time,Open,High,Low,Close,Volume\n"
            + "".join(f"01/02/2014,{h}:30,79,80,78,79.{h},1\n" for h in range(10, 16)),
            "intraday",
        ),
    ],
)
def test_a_file_that_holds_no_daily_bars_is_refused_as_a_whole(text: str, reason: str) -> None:
    found = gather(text)
    assert found.bars == {}
    assert reasons(found) == [(0, reason)]
    assert found.seen == 1


def test_a_refused_file_is_kept_with_all_its_lines() -> None:
    (row,) = gather("<html>\n\n<b>429</b>\n</html>\n").refused
    assert row.raw == b"<html>\n<b>429</b>\n</html>"


def test_a_missing_column_is_named() -> None:
    (row,) = gather("Date,Close,Volume,High\n2014-01-02,79.5,1,80\n").refused
    assert row.detail == "open, low"


def test_a_cut_off_gzip_gives_its_whole_rows_and_counts_the_damage() -> None:
    # Random digits do not compress, so half of the bytes are about half of the rows.
    noise = os.urandom(5000).hex()
    days = [day for n in range(1, 29) if (day := date(2014, 7, n)).weekday() < 5 and n != 4]
    rows = "".join(
        f"{day},79,80,78,79,{i},{noise[i * 100 : i * 100 + 99]}\n" for i, day in enumerate(days)
    )
    packed = gzip.compress((HEAD.strip() + ",Note\n" + rows).encode(), mtime=0)
    found = gather(packed[: len(packed) // 2])
    assert 5 < len(found.bars) < 15
    assert reasons(found) == [(0, "gzip")]


# ---------------------------------------------------------------- into the lake


def store(folder: Path) -> FolderStore:
    return FolderStore(folder / "raw")


def objects(folder: Path) -> dict[str, list[dict[str, Any]]]:
    zone = store(folder)
    return {
        info.key: [json.loads(row) for row in lines.read(zone.get(info.key), info.key)]
        for info in zone.list("bars/")
    }


def bring(folder: Path, *paths: Path, ticker: str | None = None) -> importing.Imported:
    zones = Lake(*(FolderStore(folder / z) for z in ("raw", "enriched", "signals", "ledger", "r")))
    return importing.bring(zones, SETTINGS, "bars", paths, ticker=ticker)


def test_bars_are_kept_as_envelopes_in_ascending_order(tmp_path: Path) -> None:
    assert bars_in.keep(store(tmp_path), "AAPL", gather(SHAPES["Nasdaq, newest first"]).bars)
    bar = {"open": 79.0, "high": 80.0, "low": 78.0, "close": 79.5, "adjusted_close": 79.5}
    rest = {"volume": 100, "dividend": None, "split": None}
    first, second = objects(tmp_path)["bars/source=csv/AAPL-1.jsonl.gz"]
    assert first == {
        "source": "csv",
        "scraped_at": None,
        "query": "AAPL",
        "data": {"session": "2014-01-02", **bar, **rest},
    }
    assert second["data"]["session"] == "2014-01-03"


def test_the_same_bars_in_another_shape_are_there_already(tmp_path: Path) -> None:
    zone = store(tmp_path)
    assert bars_in.keep(zone, "AAPL", gather(SHAPES["Yahoo"]).bars)
    assert not bars_in.keep(zone, "AAPL", gather(SHAPES["Stooq"]).bars)
    assert not bars_in.keep(zone, "AAPL", {})
    assert len(objects(tmp_path)) == 1


def test_a_longer_file_is_added_with_a_higher_number(tmp_path: Path) -> None:
    zone = store(tmp_path)
    bars_in.keep(zone, "AAPL", gather(HEAD + GOOD).bars)
    bars_in.keep(zone, "AAPL", gather(SHAPES["Yahoo"]).bars)
    assert [len(rows) for rows in objects(tmp_path).values()] == [1, 2]
    # The first file again is found where it is: it does not become the newest.
    assert not bars_in.keep(zone, "AAPL", gather(HEAD + GOOD).bars)


def test_imports_at_once_leave_one_object(tmp_path: Path) -> None:
    found = gather(SHAPES["Yahoo"]).bars
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: bars_in.keep(store(tmp_path), "AAPL", found), range(8)))
    assert list(objects(tmp_path)) == ["bars/source=csv/AAPL-1.jsonl.gz"]


def test_an_import_of_a_folder_accounts_for_every_line_and_may_run_again(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "AAPL.csv").write_text(HEAD + GOOD + GOOD + "2014-01-04,1,1,1,1,1\n")
    (folder / "BRK-B.csv").write_text(SHAPES["adjusted only, other order"])
    (folder / "^VIX.csv").write_text("Too Many Requests")
    first = bring(tmp_path, folder)
    assert [
        (f.file, f.ticker, f.lines, f.accepted, f.repeated, f.rejected, f.reasons)
        for f in first.files
    ] == [
        ("AAPL.csv", "AAPL", 3, 1, 1, 1, "no-session 1"),
        ("BRK-B.csv", "BRK.B", 2, 2, 0, 0, ""),
        ("^VIX.csv", "^VIX", 1, 0, 0, 1, "error-body 1"),
    ]
    assert first.rows()[-1] == {
        "file": "total",
        "ticker": "",
        "lines": 6,
        "accepted": 3,
        "already there": 0,
        "repeated": 1,
        "rejected": 2,
        "reasons": "",
    }
    before = {info.key for info in store(tmp_path).list()}
    again = bring(tmp_path, folder)
    assert [(f.accepted, f.already) for f in again.files] == [(0, 1), (0, 2), (0, 0)]
    assert {info.key for info in store(tmp_path).list()} == before
    assert sorted(key.split("/")[0] for key in before) == [
        "bars",
        "bars",
        "quarantine",
        "quarantine",
    ]


ROWS = st.one_of(
    st.builds(
        "2014-01-{:02d},79,80,78,{},1".format, st.integers(1, 31), st.sampled_from([79, 79.5, 0])
    ),
    st.sampled_from(["", ",,,,,", "x", HEAD.strip(), "2014-01-06,null,,,,", '"', "<p>", "\0"]),
)


def test_what_the_import_takes_enrichment_can_read(tmp_path: Path) -> None:
    rows = HEAD + GOOD + "2014-01-03,79.00,78.99,79.00,79.00,100\n"  # rounded across each other
    bars_in.keep(store(tmp_path), "AAPL", gather(rows).bars)
    no_volume = "Date,Open,High,Low,Close\n2014-01-02,14,15,13,14\n"
    bars_in.keep(store(tmp_path), "^VIX", gather(no_volume, "^VIX").bars)
    for info in store(tmp_path).list("bars/"):
        ticker = info.key.split("/")[-1].split("-")[0]
        series, rejected = bars.read(store(tmp_path).get(info.key), ticker)
        assert rejected == ()
        assert len(series[ticker].session) == {"AAPL": 2, "^VIX": 1}[ticker]


@given(rows=st.lists(ROWS, max_size=20), head=st.sampled_from([HEAD, "", "Date,Open\n", "{\n"]))
@settings(max_examples=150, deadline=None)
def test_every_row_of_any_mixture_is_accounted_for(rows: list[str], head: str) -> None:
    found = gather(head + "\n".join(rows))  # gather() checks the sum
    assert found.bars or found.refused or not rows or not any(row.strip(", ") for row in rows)
    assert all(bar["session"] == day.isoformat() for day, bar in found.bars.items())


# ---------------------------------------------------------------- real files


@pytest.mark.shared
@pytest.mark.parametrize(("folder", "name"), [("stocknet/prices", "BABA"), ("ohlcv", "SPY")])
def test_every_row_of_a_real_file_is_a_bar(folder: str, name: str) -> None:
    shared = Path(os.environ.get("CASHTAG_SHARED", Path(__file__).parents[2].parent / "shared"))
    path = shared.expanduser() / "data" / folder / f"{name}.csv"
    if not path.exists():
        pytest.skip("no real data beside the checkout")
    found = gather(path.read_bytes(), name)
    assert len(found.bars) == len(path.read_text().splitlines()) - 1
    assert found.refused == []
