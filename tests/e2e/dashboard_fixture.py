"""A generated lake for the dashboard's tests: every table it reads, contract-conform, from a seed.

Load it by path (`importlib.util.spec_from_file_location`); nothing here is random between runs.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from cashtag import sessions, settings
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.disk import FolderStore
from cashtag.ports import Env, Lake

TICKERS = [
    "AAPL",
    "AMD",
    "AMZN",
    "AVGO",
    "BA",
    "COIN",
    "CRM",
    "DIS",
    "GME",
    "GOOG",
    "INTC",
    "JPM",
    "META",
    "MSFT",
    "NFLX",
    "NVDA",
    "ORCL",
    "PLTR",
    "TSLA",
    "XOM",
    "ABNB",
    "C",
    "CAT",
    "COST",
    "F",
    "GE",
    "KO",
    "MCD",
    "PEP",
    "WMT",
]
LAST = date(2026, 7, 2)
BROKEN = -9  # the session, counted from the end, on which the scraper failed for some tickers
HOSTILE = (
    "</script><script>window.pwned=1</script>",
    '<img src=x onerror="window.pwned=2"> look at this',
    "\u202egnp.exe \u2066reversed\u2069 $NVDA to the moon",
    "W" * 10_000,
    "=cmd|' /C calc'!A0",
    "<!-- <script> -->  line\u2028separator \u2029 and 🚀 rocket",
)
_WORDS = {
    1: (
        "${t} calls printing again 🚀",
        "Analyst upgrade on ${t} this morning, target raised",
        "Long ${t} into earnings, risk defined",
        "${t} breaking out of the base on volume. Adding here.",
        "Guidance raise incoming for ${t}? Channel checks look strong",
    ),
    -1: (
        "Not convinced by the ${t} print, margins slipping",
        "${t} rejected at resistance again. Puts look cheap",
        "Insiders selling ${t}, what do they know?",
        "Who is still long ${t}? brutal tape 📉",
        "${t} downgraded, demand is fading into the second half",
    ),
    0: (
        "${t} trading sideways into the close, watching 20-day",
        "What is everyone's view on ${t} here?",
        "Earnings calendar this week: ${t} and others",
    ),
}


@dataclass(frozen=True)
class Shape:
    """How large and how odd a lake to make."""

    tickers: int = 30
    sessions: int = 60
    tweets: tuple[int, int] = (2, 14)
    last: date = LAST
    desk: bool = True
    hostile: bool = False
    counted: bool = True  # the source gives likes, retweets and replies
    source: str = "synthetic"
    seed: int = 7
    overrides: dict[str, Any] = field(default_factory=dict)


def zones(root: Path) -> Lake:
    """Five folders, empty until something is put."""
    return Lake(
        *(FolderStore(root / z) for z in ("raw", "enriched", "signals", "ledger", "report"))
    )


def environment(root: Path, overrides: dict[str, Any] | None = None) -> Env:
    """An Env of folders and DuckDB; it has no source and no scorer, which a report does not use."""
    from cashtag.warehouse.duckdb import DuckDBWarehouse

    found = settings.load(environ={}, overrides=overrides or {})
    lake = zones(root)
    return Env(found, lake, DuckDBWarehouse(lake), None, None)  # type: ignore[arg-type]


def make(root: Path, shape: Shape = Shape()) -> None:
    """Write every table of the lake under `root`."""
    lake = zones(root)
    days = sessions.sessions_before(sessions.next_session(shape.last), shape.sessions)
    market = _Market(shape, days)
    for i, day in enumerate(days):
        market.step(i)
        for table, rows in market.signals(i).items():
            _put(lake.signals, table, layout.signals(table, day), rows)
        for run in sessions.window(day):
            _put(lake.enriched, "tweets", layout.enriched("tweets", run), market.tweets(i, run))
        _put(lake.enriched, "prices", layout.enriched("prices", day), market.prices(i))
        if shape.desk:
            for table, rows in market.desk(i).items():
                _put(lake.ledger, table, layout.ledger(table, day), rows)


def _put(store: FolderStore, table: str, key: str, rows: list[dict[str, Any]]) -> None:
    agreed = contract(table)
    schema = agreed.arrow_schema()
    given = [{name: row.get(name) for name in schema.names} for row in rows]
    store.put(key, parquet.write(agreed, pa.Table.from_pylist(given, schema=schema)))


class _Market:
    """A walk of prices and moods; what a session's tables say follows from it."""

    def __init__(self, shape: Shape, days: tuple[date, ...]) -> None:
        self.shape = shape
        self.days = days
        self.dice = random.Random(shape.seed)
        self.tickers = sorted(TICKERS[: shape.tickers])
        earlier = sessions.sessions_before(days[0], 60)
        self.bars: dict[str, list[tuple[date, float, int]]] = {}
        for ticker in [*self.tickers, "SPY"]:
            price = 40 + 400 * self.dice.random()
            self.bars[ticker] = []
            for day in earlier:
                price *= math.exp(self.dice.gauss(0.0004, 0.018))
                self.bars[ticker].append((day, price, int(1e6 * (0.5 + self.dice.random()))))
        self.mood = dict.fromkeys(self.tickers, 0.0)
        self.rows: list[dict[str, dict[str, Any]]] = []
        self.posts: list[dict[date, list[dict[str, Any]]]] = []
        self.cash = {"large-100k": 121_000.0, "tiny-1k": 1_000.0}
        self.held: dict[str, dict[str, tuple[float, float, date]]] = {a: {} for a in self.cash}
        self.equity = dict(self.cash)
        self.told: dict[int, dict[str, list[dict[str, Any]]]] = {}

    def step(self, i: int) -> None:
        day, dice = self.days[i], self.dice
        cells: dict[str, dict[str, Any]] = {}
        posts: dict[date, list[dict[str, Any]]] = {run: [] for run in sessions.window(day)}
        partial = i == len(self.days) + BROKEN
        for at, ticker in enumerate(self.tickers):
            self.mood[ticker] = 0.82 * self.mood[ticker] + dice.gauss(0, 0.13)
            n = dice.randint(*self.shape.tweets)
            if partial and at % 3 == 0:
                continue
            if dice.random() < 0.03:
                continue  # a quiet ticker has no row at all
            made = [self._post(i, ticker, k, dice.choice(list(posts))) for k in range(n)]
            for run, post in made:
                posts[run].append(post)
            if made:
                cells[ticker] = self._cell(i, ticker, [p for _, p in made], partial)
        self.rows.append(cells)
        self.posts.append(posts)
        for ticker, bars in self.bars.items():
            drift = 0.004 * self.mood.get(ticker, 0.0)
            price = bars[-1][1] * math.exp(dice.gauss(drift, 0.019))
            bars.append((day, price, int(1e6 * (0.4 + 1.4 * dice.random()))))

    def _post(self, i: int, ticker: str, k: int, run: date) -> tuple[date, dict[str, Any]]:
        dice, mood = self.dice, self.mood[ticker]
        lean = 1 if dice.random() < 0.33 + mood else -1 if dice.random() < 0.5 - mood else 0
        text = dice.choice(_WORDS[lean]).replace("{t}", ticker)
        if self.shape.hostile and k < len(HOSTILE):
            text = HOSTILE[k]
        strength = min(0.95, max(0.02, dice.gauss(0.55, 0.2)))
        p_up, p_down = {1: (strength, 0.03), -1: (0.04, strength), 0: (0.08, 0.06)}[lean]
        made = datetime.combine(run, datetime.min.time()) + timedelta(
            hours=12, seconds=-dice.randint(1, 86_400)
        )
        likes = int(10 ** dice.uniform(0, 3.2))
        author = (
            f"{dice.choice(('vol', 'tape', 'macro', 'quant', 'delta'))}_{dice.randint(100, 240)}"
        )
        if self.shape.hostile and k == 1:
            author = HOSTILE[1]
        number = f"19{i:04d}{self.tickers.index(ticker):03d}{k:04d}9007199254"
        flags = ["promo"] if dice.random() < 0.04 else ["few-likes"] if likes < 5 else []
        local = made.replace(tzinfo=UTC)
        counts = {"likes": likes, "retweets": likes // 5, "replies": likes // 9, "quotes": 0}
        counts["engagement"] = sum(counts.values())
        return run, {
            "tweet_id": number,
            "ticker": ticker,
            "created_at": made,
            "scraped_at": datetime.combine(run, datetime.min.time()) + timedelta(hours=12),
            "session": self.days[i],
            "hour_ny": local.astimezone(sessions.NEW_YORK).hour,
            "source": self.shape.source,
            "author": author,
            "author_name": author.replace("_", " ").title(),
            "author_followers": int(10 ** dice.uniform(2, 6)),
            "author_verified": dice.random() < 0.2,
            "lang": "en",
            "text": text,
            "url": f"https://x.com/{author}/status/{number}" if k != 4 else "javascript:alert(1)",
            **(counts if self.shape.counted else {}),
            "cashtags": [ticker],
            "hashtags": [],
            "is_retweet": False,
            "is_reply": False,
            "is_quote": False,
            "influence": 0.5 + 0.5 * dice.random(),
            "is_key_influencer": dice.random() < 0.03,
            "engagement_factor": 1 + math.log1p(likes) / 10,
            "authenticity": 0.2 if "promo" in flags else 1.0,
            "flags": flags,
            "text_key": f"{ticker}{lean}",
            "p_negative": p_down,
            "p_neutral": 1 - p_up - p_down,
            "p_positive": p_up,
            "sentiment": {1: "positive", -1: "negative", 0: "neutral"}[lean],
            "sentiment_score": max(p_up, p_down, 1 - p_up - p_down),
            "polarity": p_up - p_down,
            "agreement": 1.0,
            "model": "lexicon",
            "model_version": "lexicon-1",
            "run_id": "0123456789ab",
        }

    def _cell(
        self, i: int, ticker: str, posts: list[dict[str, Any]], partial: bool
    ) -> dict[str, Any]:
        n = len(posts)
        mean = sum(p["polarity"] for p in posts) / n
        before = self.rows[i - 1].get(ticker) if i else None
        change = (
            mean - before["polarity"] if before and n >= 5 and before["n_tweets"] >= 5 else None
        )
        share = {
            label: sum(p["sentiment"] == label for p in posts) / n
            for label in ("positive", "neutral", "negative")
        }
        return {
            "ticker": ticker,
            "n_tweets": n,
            "n_effective": n * 0.8,
            "n_authors": len({p["author"] for p in posts}),
            "share_positive": share["positive"],
            "share_neutral": share["neutral"],
            "share_negative": share["negative"],
            "duplicate_share": 0.1,
            "flagged_share": 0.05,
            "polarity": mean,
            "polarity_plain": mean,
            "polarity_change": change,
            "change_se": 0.09 if change is not None else None,
            "previous_polarity": before["polarity"] if before else None,
            "previous_session": self.days[i - 1] if i else None,
            "engagement": sum(p["engagement"] for p in posts) if self.shape.counted else None,
            "coverage": 0.55 if partial else 1.0,
            "partial": partial,
            "top_tweet_ids": json.dumps([p["tweet_id"] for p in posts[:3]]),
            "model": "lexicon",
            "model_version": "lexicon-1",
            "config_hash": "cafecafecafe",
            "run_id": "0123456789ab",
        }

    def _features(self, ticker: str, i: int) -> dict[str, Any]:
        bars = self.bars[ticker][: 60 + i]
        closes = [b[1] for b in bars]

        def mean(n: int, back: int = 0) -> float:
            part = closes[len(closes) - n - back : len(closes) - back]
            return sum(part) / n

        now, was = mean(5) - mean(20), mean(5, 1) - mean(20, 1)
        cross = "golden" if was <= 0 < now else "death" if was >= 0 > now else None
        day, close, volume = bars[-1]
        usual = sum(b[2] for b in bars[-20:]) / 20
        return {
            "ticker": ticker,
            "last_session": day,
            "open": close,
            "high": close * 1.01,
            "low": close * 0.99,
            "close": close,
            "adjusted_close": close,
            "volume": volume,
            "previous_close": closes[-2],
            "change": close - closes[-2],
            "change_percent": round(100 * (close / closes[-2] - 1), 2),
            "anomaly": abs(close / closes[-2] - 1) > 0.05,
            "sma5": mean(5),
            "sma20": mean(20),
            "cross": cross,
            "volume_ratio": volume / usual,
            "n_bars": len(bars),
            "config_hash": "cafecafecafe",
            "run_id": "0123456789ab",
        }

    def signals(self, i: int) -> dict[str, list[dict[str, Any]]]:
        if i not in self.told:
            self.told = {i: self._signals(i)}
        return self.told[i]

    def _signals(self, i: int) -> dict[str, list[dict[str, Any]]]:
        day, cells = self.days[i], self.rows[i]
        features = {t: self._features(t, i) for t in self.bars}
        order = sorted(self.tickers, key=lambda t: -cells.get(t, {"polarity": -9})["polarity"])
        signals = []
        for t in self.tickers:
            cell = cells.get(t)
            change = cell["polarity_change"] if cell else None
            level = cell["polarity"] if cell else None
            fires = change is not None and abs(change) > 0.3 and change * level > 0
            way = ("BUY" if change > 0 else "SELL") if fires else "HOLD"
            if change is None:
                why = ["No change can be told: fewer than five effective tweets on one side."]
            else:
                why = [
                    f"Polarity {level:+.2f}, a change of {change:+.2f} against a threshold of 0.15.",
                    f"The change is {abs(change) / 0.09:.1f} standard errors; 1.96 are needed.",
                ]
            signals.extend(
                {
                    "ticker": t,
                    "kind": kind,
                    "as_of": datetime.combine(day, datetime.min.time()) + timedelta(hours=12),
                    "direction": way if kind == "STOCK" else "HOLD",
                    "instrument": "STOCK" if fires and kind == "STOCK" else "NONE",
                    "confidence": min(1.0, 0.5 + abs(change)) if change is not None else None,
                    "reasons": json.dumps(why),
                    "sentiment_signal": way,
                    "trend_signal": "HOLD",
                    "polarity": level,
                    "polarity_change": change,
                    "change_threshold": 0.15,
                    "partial": bool(cell and cell["partial"]),
                    "tweet_ids": cell["top_tweet_ids"] if cell else "[]",
                    "config_hash": "cafecafecafe",
                    "run_id": "0123456789ab",
                }
                for kind in ("STOCK", "OPTION")
            )
        tell = [t for t in self.tickers if self.dice.random() < 0.1]
        return {
            "daily_sentiment": list(cells.values()),
            "daily_features": list(features.values()),
            "daily_signals": signals,
            "ranking": [
                {
                    "ticker": t,
                    "score": 1 - k / len(order),
                    "rank": k + 1,
                    "config_hash": "cafecafecafe",
                    "run_id": "0123456789ab",
                }
                for k, t in enumerate(order)
            ],
            "daily_news": [
                {
                    "ticker": t,
                    "n_news": 1,
                    "n_sources": 1,
                    "polarity": self.mood[t],
                    "latest_at": datetime.combine(day, datetime.min.time()),
                    "top_title": f"{t} <b>shares</b> move as analysts weigh the quarter",
                    "news_ids": '["n1"]',
                    "config_hash": "cafecafecafe",
                    "run_id": "0123456789ab",
                }
                for t in tell
            ],
        }

    def tweets(self, i: int, run: date) -> list[dict[str, Any]]:
        return self.posts[i][run]

    def prices(self, i: int) -> list[dict[str, Any]]:
        return [
            {
                "ticker": ticker,
                "session": day,
                "open": close,
                "high": close * 1.01,
                "low": close * 0.99,
                "close": close,
                "adjusted_close": close,
                "volume": volume,
                "source": self.shape.source,
            }
            for ticker, bars in self.bars.items()
            for day, close, volume in bars[max(0, 60 + i - 300) : 60 + i]
        ]

    def desk(self, i: int) -> dict[str, list[dict[str, Any]]]:
        day = self.days[i]
        fill = {t: self.bars[t][60 + i][1] * 0.998 for t in self.tickers}
        close = {t: self.bars[t][60 + i][1] for t in self.tickers}
        trades, decisions, positions = [], [], []
        for account in self.cash:
            held, unit = self.held[account], 10_000 if account == "large-100k" else 180
            for signal in [s for s in self.signals(i)["daily_signals"] if s["direction"] != "HOLD"]:
                t, way = signal["ticker"], signal["direction"]
                full = way == "BUY" and len(held) >= 5
                none = way == "SELL" and t not in held
                partial = signal["partial"]
                gates = [
                    ("kill-switch", "off", "off", "pass", "The kill switch is off."),
                    ("mode", "simulated", None, "pass", "Fills are simulated."),
                    ("partial", str(partial).lower(), "false", "block" if partial else "pass",
                     "A run of the session is incomplete." if partial else "The day is complete."),
                    ("confidence", f"{signal['confidence']:.2f}", "0.00", "pass", "Above the limit."),
                    ("max-positions", str(len(held)), "5", "block" if full else "pass",
                     "Five positions are open; close one first." if full else "There is room."),
                    ("position-to-sell", "0" if none else "1", "1", "block" if none else "pass",
                     f"{t} is not held, and short selling is off." if none else "Held, or a buy."),
                ]  # fmt: skip
                blocked = any(g[3] == "block" for g in gates)
                for k, (gate, value, limit, verdict, reason) in enumerate(gates):
                    decisions.append(
                        {
                            "plan": f"plan-{day}", "phase": "plan", "account": account, "ticker": t,
                            "instrument": "STOCK", "leg": "entry", "sequence": k, "gate": gate,
                            "value": value, "limit": limit, "verdict": verdict, "reason": reason,
                            "direction": way, "mode": "simulated",
                        }
                    )  # fmt: skip
                if blocked:
                    continue
                price, cost = fill[t], None
                quantity = max(1.0, unit // price) if way == "BUY" else held[t][0]
                if way == "BUY":
                    if t in held or self.cash[account] < quantity * price:
                        continue
                    held[t] = (quantity, price, day)
                    self.cash[account] -= quantity * price
                else:
                    cost = held.pop(t)[1]
                    self.cash[account] += quantity * price
                trades.append(
                    {
                        "trade_id": f"{account}-{day}-{t}-{way.lower()}-1", "account": account,
                        "mode": "simulated", "simulated": True,
                        "timestamp": sessions.opens(day).replace(tzinfo=None), "symbol": t,
                        "ticker": t, "instrument": "STOCK",
                        "leg": "entry" if way == "BUY" else "exit", "direction": way,
                        "quantity": quantity, "filled_quantity": quantity, "price": price / 1.001,
                        "filled_price": price, "fees": 0.0, "slippage": 0.05,
                        "confidence": signal["confidence"], "status": "filled",
                        "reason": "signal",
                        "realised": (price - cost) * quantity if cost else None,
                    }
                )  # fmt: skip
            worth = sum(q * close[t] for t, (q, _, _) in held.items())
            was, self.equity[account] = self.equity[account], self.cash[account] + worth
            common = {
                "account": account, "equity": self.equity[account], "previous_equity": was,
                "simulated": True, "mode": "simulated",
            }  # fmt: skip
            positions.append(
                {"symbol": "CASH", "instrument": "CASH", "quantity": self.cash[account],
                 "market_value": self.cash[account], **common}
            )  # fmt: skip
            for t, (q, price, opened) in held.items():
                positions.append(
                    {"symbol": t, "ticker": t, "instrument": "STOCK", "quantity": q,
                     "average_price": price, "mark": close[t], "market_value": q * close[t],
                     "unrealised": q * (close[t] - price), "opened": opened,
                     "stop": price * 0.94, "target": price * 1.12, **common}
                )  # fmt: skip
        return {"trades": trades, "decisions": decisions, "positions": positions}
