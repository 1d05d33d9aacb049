"""Daily bars as known at a run: a chain of sources, each asked for what the ones before had not.

All of a ticker's bars of a run are from one source. What a source gives is judged ticker by
ticker; what is unfit is refused by name, and the next source is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cashtag.errors import SourceRefused
from cashtag.ports import Day, Fetched, Kind, SourceHealth
from cashtag.redaction import redacted
from cashtag.scrape.alpaca_bars import AlpacaBars
from cashtag.scrape.bars import Answer, BarSource, Span, faults, repeated, span_of_run
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.envelope import line
from cashtag.scrape.held import Held
from cashtag.scrape.yahoo_bars import YahooBars
from cashtag.settings import Settings

KIND: Kind = "prices"
_COIN = ".X"
_NO_KEYS = "no Alpaca keys are set up (live.secrets_file); the next source was asked"


def envelope(source: str, answer: Answer, scraped_at: datetime) -> list[bytes]:
    """One line of JSON for each bar of an answer."""
    at = scraped_at.isoformat(timespec="seconds")
    return [line(source, at, answer.query, bar.data(answer.ticker)) for bar in answer.bars]


def left_out(settings: Settings, tickers: Iterable[str]) -> dict[str, str]:
    """Those of the tickers that are no stock's, or no longer one's, and why.

    Under such a name a source has no bars, or somebody else's: BTC is a coin to who tweets about
    it, and a fund on an exchange.
    """
    found = {}
    for ticker in tickers:
        symbol = ticker.removesuffix(_COIN)
        why = settings.tickers.not_tradable.get(symbol)
        if why is not None or symbol != ticker:
            found[ticker] = why or "a crypto pair"
    return found


@dataclass
class _Told:
    """What became of one source in a chain."""

    source: BarSource | None
    asked: int = 0
    taken: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    down: str | None = None
    notes: list[str] = field(default_factory=list)


class Chain:
    """Sources of bars, in the order in which they are asked."""

    def __init__(
        self, settings: Settings, keys: AlpacaKeys | None, only: Sequence[str] | None = None
    ) -> None:
        self._rules = settings.live.prices
        self._told: dict[str, _Told] = {}
        for name in only or self._rules.chain:
            made: BarSource | None = None
            if name == AlpacaBars.name:
                made = None if keys is None else AlpacaBars(settings, keys)
            else:
                made = YahooBars(settings)
            self._told[name] = _Told(made)

    def collect(
        self, tickers: Sequence[str], span: Span, until: Deadline
    ) -> Iterator[tuple[str, Iterator[Answer]]]:
        """Yield each source and its answers: those tickers that it has fit bars of.

        The answers of one source are to be read to their end before the next is asked for, which
        is asked for what is still missing. Each source gets its share of the time that is left,
        so that one that hangs leaves some to the next.
        """
        missing = dict.fromkeys(tickers)
        sources = [told for told in self._told.values() if told.source is not None]
        for number, told in enumerate(sources):
            served = [t for t in missing if told.source is not None and told.source.serves(t)]
            if not served or told.source is None:
                continue
            told.asked += len(served)
            if told.down is not None:  # in an earlier call of the same chain
                told.refused |= dict.fromkeys(served, told.down)
                continue
            share = until.left * self._rules.time_share / (len(sources) - number)
            answers = told.source.bars(served, span, until.before(until.left - share))
            yield told.source.name, self._fit(told, served, missing, answers)

    def _fit(
        self,
        told: _Told,
        served: Sequence[str],
        missing: dict[str, None],
        answers: Iterator[Answer],
    ) -> Iterator[Answer]:
        """The answers that hold bars, their tickers no longer missing; the others are noted."""
        try:
            for answer in answers:
                if answer.refused is not None:
                    told.refused[answer.ticker] = redacted(answer.refused)
                    continue
                told.taken += 1
                self._note(told, answer)
                del missing[answer.ticker]
                yield answer
        except SourceRefused as refusal:
            told.down = redacted(str(refusal))
            for ticker in served:
                if ticker in missing:
                    told.refused.setdefault(ticker, told.down)
        if isinstance(told.source, AlpacaBars) and told.source.actions_refused:
            note = (
                "splits and dividends by the ratio of raw to adjusted closes, for "
                f"{redacted(told.source.actions_refused)}"
            )
            told.notes += [note] if note not in told.notes else []

    def _note(self, told: _Told, answer: Answer) -> None:
        unfit = faults(answer.ticker, answer.bars)
        if unfit:
            session, fault = next(iter(unfit.items()))
            told.notes.append(f"{answer.ticker} has {len(unfit)} unfit bars ({fault} {session})")
        if again := repeated(answer.bars):
            told.notes.append(f"{answer.ticker} has {again} duplicate dates")

    def why(self, ticker: str) -> str:
        """Why no source had a ticker's bars: each source's reason."""
        reasons = [
            f"{name}: {told.refused[ticker]}"
            for name, told in self._told.items()
            if ticker in told.refused
        ]
        return "; ".join(reasons) or "no source was asked for it"

    def health(self) -> tuple[SourceHealth, ...]:
        """One row a source that was asked, or could not be."""
        rows = []
        for name, told in self._told.items():
            source = told.source
            if source is None:
                rows.append(SourceHealth(name, "empty", _NO_KEYS))
                continue
            if not told.asked:
                continue
            parts = [f"{told.taken} of {told.asked} tickers"]
            if told.down is not None:
                parts.insert(0, told.down)
            known = sorted(dict(told.refused).items())  # a copy: a scrape may be under way
            refused = {ticker: why for ticker, why in known if why != told.down}
            if refused:
                parts.append("refused: " + self.listed(refused))
            parts += told.notes[: self._rules.named_tickers]
            status = "refused" if told.down else "ok" if told.taken else "empty"
            rows.append(
                SourceHealth(name, status, "; ".join(parts), source.requests, source.left)  # type: ignore[arg-type]  # one of the three
            )
        return tuple(rows)

    def listed(self, reasons: dict[str, str]) -> str:
        """The first of the tickers with their reasons, and how many more."""
        most = self._rules.named_tickers
        named = [f"{ticker} ({why})" for ticker, why in list(reasons.items())[:most]]
        more = [f"{len(reasons) - most} more"] if len(reasons) > most else []
        return ", ".join(named + more)


class Prices:
    """The trailing bars of every ticker of a run."""

    name: str = KIND

    def __init__(
        self,
        settings: Settings,
        keys: AlpacaKeys | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._now = now
        self._chain: Chain | None = None
        self._whole = SourceHealth(KIND, "refused", "the deadline came first (live.step_seconds)")

    def fetch(self, day: Day, held: Held, until: Deadline) -> Iterator[Fetched]:
        """Yield one answer a source with the bars of every ticker that raw does not hold yet.

        Raises:
            SourceRefused: no source had bars of any ticker.
        """
        wanted = sorted({*day.tickers, *self._settings.scrape.always_bars})
        others = left_out(self._settings, wanted)
        asked = [ticker for ticker in wanted if ticker not in others]
        known = {str(held_line["data"].get("ticker")) for held_line in held.envelopes(KIND)}
        missing = [ticker for ticker in asked if ticker not in known]
        span = span_of_run(day.dt, self._settings, self._now())
        chain = Chain(self._settings, self._keys)
        had: set[str] = set(asked) & known
        self._chain = chain if missing else None
        for source, answers in chain.collect(missing, span, until):
            lines: list[bytes] = []
            for answer in answers:
                lines += envelope(source, answer, self._now())
                had.add(answer.ticker)
            if lines:
                yield Fetched(KIND, None, "ok", lines=tuple(lines), source=source)
        self._whole = self._told(asked, had, chain, others)
        if not had:
            raise SourceRefused(self._whole.reason or "no bars")

    def health(self) -> tuple[SourceHealth, ...]:
        """How each source came through so far, and `prices` as a whole."""
        return (*(self._chain.health() if self._chain else ()), self._whole)

    def _told(
        self, asked: Sequence[str], had: set[str], chain: Chain, others: dict[str, str]
    ) -> SourceHealth:
        missing = {ticker: chain.why(ticker) for ticker in asked if ticker not in had}
        market = [t for t in self._settings.scrape.always_bars if t in missing]
        parts = []
        if market:
            parts.append(
                f"{' and '.join(market)} without bars: the regime of the market is unknown, and "
                "its gate may block every entry"
            )
        parts.append(f"{len(had)} of {len(asked)} tickers have bars")
        if missing:
            parts.append("without: " + chain.listed(missing))
        if others:
            parts.append("not asked: " + chain.listed(others))
        status = "refused" if market or not had else "ok"
        return SourceHealth(KIND, status, "; ".join(parts))  # type: ignore[arg-type]  # one of the three
