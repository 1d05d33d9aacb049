"""Daily bars from Alpaca: raw ones, adjusted closes beside them, splits and dividends.

Raw bars (`adjustment=raw`) are as traded; the closes of `adjustment=all` are adjusted for splits,
dividends and spin-offs. Corporate actions tell exact dividends; where they cannot be had, all is
recognised from the ratio of the two closes, and the bars say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any

from cashtag import sessions
from cashtag.errors import SourceRefused
from cashtag.scrape.adjusting import Action, recognised
from cashtag.scrape.bars import Answer, Bar, Span, judged
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.fetch import Unsuccessful
from cashtag.settings import Settings
from cashtag.tickers import is_symbol

if TYPE_CHECKING:
    from cashtag.scrape.alpaca_client import Client

Found = dict[str, list[dict[str, Any]]]
_BAD_REQUEST = (400, 422)  # with a word about symbols: Alpaca does not know one of them
_WORD = re.compile(r"\b[A-Z]+(?:\.[A-Z]+)?\b")  # a symbol, in what Alpaca says of one


class AlpacaBars:
    """Alpaca as a source of daily bars."""

    name = "alpaca"

    def __init__(self, settings: Settings, keys: AlpacaKeys) -> None:
        self._settings = settings
        self._keys = keys
        self.requests = 0
        self.left: int | None = None
        self.actions_refused: str | None = None

    def serves(self, ticker: str) -> bool:
        """Stocks and funds; Alpaca has no indices."""
        return is_symbol(ticker)

    def bars(self, tickers: Sequence[str], span: Span, until: Deadline) -> Iterator[Answer]:
        """Yield one answer a ticker. Raises SourceRefused when Alpaca is down."""
        size = self._settings.live.prices.symbols_per_request
        for start in range(0, len(tickers), size):
            yield from self._batch(tickers[start : start + size], span, until)

    def _batch(self, tickers: Sequence[str], span: Span, until: Deadline) -> list[Answer]:
        from cashtag.scrape.alpaca_client import Client

        client = Client(self._settings, self._keys, until)
        try:
            return self._ask(client, tickers, span)
        finally:
            self.requests += client.requests
            self.left = client.left

    def _ask(self, client: Client, tickers: Sequence[str], span: Span) -> list[Answer]:
        raw, unknown = self._without_bad_symbols(client, tickers, span)
        asked = [ticker for ticker in tickers if ticker not in unknown and raw.get(ticker)]
        adjusted: Found = self._history(client, asked, span, "all") if asked else {}
        actions = self._actions(client, asked, span) if asked else None
        feed = self._settings.live.prices.feed
        found = [Answer(ticker, refused=why) for ticker, why in unknown.items()]
        for ticker in tickers:
            if ticker in unknown:
                continue
            answer = Answer(
                ticker,
                query=f"{ticker} 1Day raw, all {span.first}..{span.last} feed={feed}",
                refused=None if ticker in asked else "asset unknown, or no bars",
            )
            if answer.refused is None:
                told = None if actions is None else actions.get(ticker, {})
                answer = self._joined(answer, raw[ticker], adjusted.get(ticker) or [], told)
            found.append(judged(answer, span, self._settings.live.prices))
        return found

    def _joined(
        self,
        answer: Answer,
        raw: Sequence[Any],
        adjusted: Sequence[Any],
        actions: Mapping[date, Action] | None,
    ) -> Answer:
        try:
            closes = {bar.session: bar.close for bar in map(_bar, adjusted)}
            bars = [_bar(given, closes) for given in raw]
        except (KeyError, TypeError, ValueError) as error:
            return Answer(answer.ticker, refused=f"a bar is not what Alpaca documents: {error!r}")
        missing = sum(bar.adjusted_close is None for bar in bars)
        if missing == len(bars):
            return Answer(answer.ticker, refused="raw bars without adjusted ones")
        try:
            whole = recognised(bars, actions, self._settings.live.prices.split_from)
        except SourceRefused as refusal:
            return Answer(answer.ticker, refused=str(refusal))
        return Answer(answer.ticker, whole, None, answer.query)

    def _without_bad_symbols(
        self, client: Client, tickers: Sequence[str], span: Span
    ) -> tuple[Found, dict[str, str]]:
        """Raw bars, and the symbols for which Alpaca refused the request, which was made again."""
        unknown: dict[str, str] = {}
        while asked := [ticker for ticker in tickers if ticker not in unknown]:
            try:
                return self._history(client, asked, span, "raw"), unknown
            except Unsuccessful as refusal:
                told = refusal.body.decode("utf-8", "replace")
                words = set(_WORD.findall(told)) if "symbol" in told.lower() else set()
                named = {ticker: "asset unknown" for ticker in asked if ticker in words}
                if refusal.status not in _BAD_REQUEST or not named:
                    raise
                unknown |= named
        return {}, unknown

    def _history(
        self, client: Client, tickers: Sequence[str], span: Span, adjustment: str
    ) -> Found:
        """Daily bars by symbol, as Alpaca's JSON has them; what Alpaca does not know is not there."""
        from alpaca.data.enums import Adjustment, DataFeed
        from alpaca.data.requests import StockBarsRequest
        from alpaca.data.timeframe import TimeFrame

        wanted = StockBarsRequest(
            symbol_or_symbols=list(tickers),
            timeframe=TimeFrame.Day,
            start=datetime.combine(span.first, time(), tzinfo=UTC),
            # Daily bars are stamped midnight New York, which is the same date in UTC.
            end=datetime.combine(span.last + timedelta(days=1), time(), tzinfo=UTC)
            - timedelta(seconds=1),
            adjustment=Adjustment(adjustment),
            feed=DataFeed(self._settings.live.prices.feed),
        )
        return client.asked(lambda: dict(client.stocks.get_stock_bars(wanted)))

    def _actions(
        self, client: Client, tickers: Sequence[str], span: Span
    ) -> dict[str, dict[date, Action]] | None:
        """Splits and dividends by ticker and ex-date; None where Alpaca does not tell them."""
        from alpaca.data.enums import CorporateActionsType as Kind
        from alpaca.data.requests import CorporateActionsRequest

        wanted = CorporateActionsRequest(
            symbols=list(tickers),
            types=[
                Kind.CASH_DIVIDEND,
                Kind.STOCK_DIVIDEND,
                Kind.FORWARD_SPLIT,
                Kind.REVERSE_SPLIT,
            ],
            start=span.first,
            end=span.last,
            limit=None,
        )
        try:
            told = client.asked(lambda: client.actions.get_corporate_actions(wanted))
            return _by_ticker(dict(told))
        except SourceRefused as refusal:
            self.actions_refused = str(refusal)
        except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
            self.actions_refused = f"corporate actions are not what Alpaca documents: {error!r}"
        return None


def _by_ticker(told: Mapping[str, Any]) -> dict[str, dict[date, Action]]:
    found: dict[str, dict[date, Action]] = {}
    for kind, rows in told.items():
        for row in rows or ():
            ex_date = date.fromisoformat(row["ex_date"])
            if kind == "cash_dividends":
                action = Action(dividend=float(row["rate"]))
            elif kind == "stock_dividends":
                action = Action(split=1.0 + float(row["rate"]))
            elif kind in ("forward_splits", "reverse_splits"):
                action = Action(split=float(row["new_rate"]) / float(row["old_rate"]))
            else:
                continue
            of_ticker = found.setdefault(row["symbol"], {})
            known = of_ticker.get(ex_date, Action())
            paid = [a.dividend for a in (known, action) if a.dividend is not None]
            of_ticker[ex_date] = Action(
                sum(paid) if paid else None,
                action.split if known.split is None else known.split,
            )
    return found


def _bar(given: Mapping[str, Any], adjusted: Mapping[date, float | None] | None = None) -> Bar:
    """A bar as Alpaca gives it, stamped with midnight in New York in UTC."""
    at = datetime.fromisoformat(given["t"])
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    session = at.astimezone(sessions.NEW_YORK).date()
    return Bar(
        session,
        _number(given["o"]),
        _number(given["h"]),
        _number(given["l"]),
        _number(given["c"]),
        (adjusted or {}).get(session),
        _number(given["v"]),
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    number = float(value)
    return number if isfinite(number) else None
