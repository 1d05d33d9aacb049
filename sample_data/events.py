"""What happens in the sample: invented company news and market-wide days, by hand.

Every event becomes known after the run of its day (12:00 UTC) and moves its stock within that same
session; people talk about it until the next runs. All figures, brokers and incidents are invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from random import Random


@dataclass(frozen=True)
class Event:
    """News of one symbol. `jump` is a log return, `mood` -1 to 1, `days` how long people care."""

    ticker: str
    session: date
    hour: float  # UTC; after the day's run
    kind: str  # a block of phrases_events.py
    jump: float
    mood: float
    days: float
    facts: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def start(self) -> datetime:
        """Return when it becomes known, UTC."""
        day, minutes = self.session, round(self.hour * 60)
        return datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=UTC)


_CALENDAR = """
NVDA  03-09 16.50 launch       +.035 +.90 1.6
NVDA  03-24 12.75 upgrade      +.022 +.92 1.2
NVDA  04-16 13.25 delay        -.040 -.85 1.4
NVDA  05-04 12.60 contract     +.028 +.85 1.1
NVDA  05-19 12.40 beat         +.055 +.97 2.2
TSLA  03-04 14.00 recall       -.036 -.88 1.3
TSLA  03-19 15.50 launch       +.030 +.80 1.0
TSLA  04-01 12.80 deliveries_miss -.052 -.92 1.8
TSLA  04-21 12.30 beat         +.062 +.93 1.7
TSLA  05-14 14.20 downgrade    -.030 -.85 1.1
TSLA  06-01 13.40 launch       +.034 +.85 1.3
AAPL  03-03 13.20 launch       +.020 +.93 1.2
AAPL  03-31 12.70 downgrade    -.022 -.85 1.1
AAPL  05-01 12.40 beat         +.031 +.92 1.6
AAPL  05-18 12.90 upgrade      +.019 +.92 1.2
AAPL  05-26 15.00 review       -.021 -.80 1.2
META  03-18 12.60 upgrade      +.024 +.86 1.1
META  04-20 12.50 split        +.036 +.88 1.3
META  04-29 12.30 beat         +.048 +.93 1.5
META  05-20 14.50 review       -.027 -.82 1.2
GOOG  03-03 13.60 launch       +.018 +.92 1.2
GOOG  03-12 13.00 outage       -.018 -.82 1.0
GOOG  03-26 15.80 delay        -.026 -.85 1.2
GOOG  04-23 12.40 beat         +.042 +.92 1.6
GOOG  05-18 13.40 launch       +.022 +.92 1.2
AMD   03-23 12.50 contract     +.046 +.90 1.4
AMD   04-09 12.40 guide_up     +.050 +.92 1.5
AMD   05-05 12.30 miss         -.068 -.93 1.8
AMD   06-02 12.90 upgrade      +.030 +.88 1.2
AMZN  03-17 14.80 review       -.024 -.85 1.1
AMZN  04-14 13.70 outage       -.020 -.82 1.0
AMZN  04-30 12.30 miss         -.046 -.92 1.6
AMZN  05-27 12.60 upgrade      +.024 +.88 1.2
MSFT  03-13 12.60 upgrade      +.020 +.88 1.1
MSFT  03-24 12.80 contract     +.021 +.90 1.1
MSFT  04-28 12.40 beat         +.036 +.92 1.5
MSFT  05-22 13.20 outage       -.015 -.80 1.0
JPM   03-06 13.50 guide_cut    -.022 -.86 1.2
JPM   04-14 12.20 beat         +.029 +.90 1.3
JPM   05-18 12.70 upgrade      +.014 +.90 1.1
JPM   05-28 12.60 dividend     +.017 +.86 1.1
XOM   03-12 14.20 crude_up     +.029 +.86 1.3
XOM   04-07 14.50 crude_down   -.038 -.88 1.3
XOM   05-01 12.50 miss         -.026 -.88 1.2
XOM   05-29 13.00 crude_up     +.024 +.93 2.9
PLTR  02-27 13.20 downgrade    -.040 -.88 2.9
PLTR  03-02 13.20 contract     +.058 +.95 1.2
PLTR  03-04 13.40 bear_note    -.075 -.92 1.0
PLTR  03-05 13.20 guide_up     +.050 +.97 1.3
PLTR  03-09 13.00 insider      -.072 -.92 1.0
PLTR  03-10 13.10 launch       +.046 +.93 1.2
PLTR  03-12 13.00 downgrade    -.075 -.92 1.0
PLTR  03-13 12.90 upgrade      +.050 +.93 2.9
PLTR  04-08 13.00 bear_note    -.055 -.88 1.3
PLTR  05-04 12.30 beat         +.078 +.95 2.0
PLTR  05-28 14.40 insider      -.041 -.84 1.2
COIN  03-11 14.60 outage       -.040 -.86 1.1
COIN  03-20 13.80 crypto_up    +.066 +.88 1.3
COIN  05-07 12.30 miss         -.072 -.93 1.5
COIN  06-03 13.60 crypto_up    +.051 +.88 1.2
GME   02-27 13.00 insider      -.050 -.90 2.9
GME   03-02 13.10 squeeze      +.140 +.97 1.7
GME   03-04 12.70 offering     -.620 -.95 1.8
GME   03-17 14.20 squeeze      +.160 +.95 1.6
GME   03-26 12.40 miss         -.095 -.90 1.6
GME   05-05 13.20 downgrade    -.045 -.90 0.98
GME   05-06 12.90 rumour       +.070 +.97 1.8
GME   05-14 13.00 insider      -.060 -.90 1.0
GME   05-15 13.30 squeeze      +.130 +.97 3.3
GME   05-19 12.70 insider      -.080 -.90 1.4
BA    03-02 13.10 contract     +.032 +.90 1.2
BA    03-11 12.80 upgrade      +.026 +.90 1.2
BA    03-20 13.10 deliveries_beat +.024 +.90 1.2
BA    04-22 12.40 beat         +.034 +.90 1.3
BA    05-12 14.10 delay        -.036 -.88 1.3
ZVZZT 03-27 14.60 promotion    +.180 +.92 1.5
ZVZZT 05-08 14.20 offering     -.210 -.90 1.4
BTC   03-20 13.60 crypto_up    +.052 +.90 1.4
BTC   04-17 14.00 crypto_down  -.060 -.88 1.3
BTC   06-03 13.40 crypto_up    +.047 +.90 1.3
"""

# Market-wide days: session, hour UTC, kind, SPY's return, mood, days, share of symbols that care.
_MARKET = """
03-18 18.1 fed_hawkish  -.0125 -.75 1.0 .45
04-06 12.5 risk_off     -.0315 -.92 1.4 .90
04-07 12.5 risk_off     -.0240 -.70 1.0 .60
04-09 17.3 risk_on      +.0380 +.85 1.0 .70
04-15 12.6 cpi_hot      -.0110 -.65 1.0 .35
04-27 12.6 risk_on      +.0140 +.90 1.4 .85
05-06 18.0 fed_dovish   +.0120 +.75 1.0 .45
05-13 12.6 cpi_cool     +.0085 +.70 1.0 .40
06-04 12.6 jobs_miss    -.0078 -.60 1.0 .35
"""

BROKERS = (
    "Harrow & Pine", "Northgate Research", "Calder Bay Partners", "Wexcombe Securities",
    "Tillingham & Co", "Blue Quarry Capital", "Ostrava Street", "Marlowe Finch",
)  # fmt: skip


def _day(text: str) -> date:
    month, day = text.split("-")
    return date(2026, int(month), int(day))


def _facts(ticker: str, kind: str, rng: Random) -> dict[str, str]:
    """Return figures that every post about one event shares."""
    eps = rng.uniform(0.6, 3.2)
    revenue = rng.uniform(4, 60)
    sign = -1 if kind.endswith("miss") else 1
    target = rng.uniform(1.12, 1.28) if kind in ("upgrade", "dividend") else rng.uniform(0.82, 0.92)
    return {
        "EPS": f"{eps:.2f}",
        "EPSE": f"{eps - sign * rng.uniform(0.06, 0.22):.2f}",
        "REV": f"{revenue:.1f}B",
        "REVE": f"{revenue * (1 - sign * rng.uniform(0.02, 0.06)):.1f}B",
        "BROKER": rng.choice(BROKERS),
        "TARGET": f"{target:.3f}",  # times the price of the day
        "OLDTARGET": f"{rng.uniform(0.99, 1.06):.3f}",
        "UNITS": f"{rng.randrange(12, 96)}",
        "DEAL": f"${rng.choice((1.2, 1.8, 2.4, 3.5, 4.1, 6.0))}B",
        "YIELD": f"{rng.randrange(6, 15)}%",
    }


def _events() -> tuple[Event, ...]:
    events = []
    for line in _CALENDAR.strip().splitlines():
        ticker, day, hour, kind, jump, mood, days = line.split()
        facts = _facts(ticker, kind, Random(f"cashtag sample: {ticker} {day} {kind}"))
        events.append(
            Event(
                ticker, _day(day), float(hour), kind, float(jump), float(mood), float(days), facts
            )
        )
    return tuple(events)


@dataclass(frozen=True)
class MarketDay:
    """News that concerns the market: SPY's return, and the share of symbols whose crowd cares."""

    session: date
    hour: float
    kind: str
    move: float
    mood: float
    days: float
    share: float

    @property
    def start(self) -> datetime:
        """Return when it becomes known, UTC."""
        minutes = round(self.hour * 60)
        day = self.session
        return datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=UTC)


EVENTS = _events()
MARKET_DAYS = tuple(
    MarketDay(_day(day), float(hour), kind, *(float(x) for x in rest))
    for day, hour, kind, *rest in (line.split() for line in _MARKET.strip().splitlines())
)
MARKET_MOVES = {day.session: day.move for day in MARKET_DAYS}
