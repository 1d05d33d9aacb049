"""The protocols behind which the cloud and the laptop differ, and Env, which holds one of each.

Nothing here imports anything heavy: a handler pays only for the implementation it gets.
All datetimes are timezone-aware UTC; a `dt` is the UTC date of a run, a `session` the date of
an XNYS trading session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from cashtag.later import Part

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from cashtag.settings import Settings

# ---------------------------------------------------------------- the lake's zones


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a zone: its key (no leading slash) and its size in bytes."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Versions:
    """How many versions a zone has of a key, markers of deletions too; `current`: one is the object."""

    key: str
    count: int
    current: bool


class Store(Protocol):
    """One zone of the lake: a bucket, or a folder. Keys are `/`-separated, UTF-8, at most 1,024 bytes.

    Every write is atomic: a reader sees the whole object or none of it.
    """

    def get(self, key: str) -> bytes:
        """Return the object's bytes. Raises KeyMissing, StoreError."""

    def put(self, key: str, data: bytes) -> None:
        """Create the object, or replace it atomically."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Create the object unless one is there. Of many writers exactly one gets True."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield objects whose key starts with `prefix`, in the order of their keys' UTF-8 bytes."""

    def exists(self, key: str) -> bool:
        """Say whether the object is there."""

    def delete(self, key: str) -> None:
        """Remove the object; removing what is not there is no error."""

    def versions(self, prefix: str = "") -> Iterator[Versions]:
        """Yield every key that starts with `prefix` and has any version, deleted ones too, in order."""

    def purge(self, key: str, *, keep_current: bool = False) -> int:
        """Remove every version of the object, or all but what it is now; return how many that were.

        Only takedowns do this: everything else replaces, and a bucket keeps what was.
        """

    def uri(self, key: str = "") -> str:
        """Return the address that another program would use: `s3://…` or an absolute path."""


@dataclass(frozen=True, slots=True)
class Lake:
    """The five zones. `raw` and `ledger` are create-only; the rest can be rebuilt from them."""

    raw: Store
    enriched: Store
    signals: Store
    ledger: Store
    report: Store


# ---------------------------------------------------------------- SQL

SqlValue = str | int | float | bool | date | datetime | None


class Warehouse(Protocol):
    """Runs Athena-dialect SELECTs over the lake's tables."""

    @property
    def concurrency(self) -> int:
        """How many queries may run at once, each in a thread of its own."""

    def query(
        self,
        text: str,
        params: Mapping[str, SqlValue] | None = None,
        *,
        table: str | None = None,
        tables: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """Return the rows of one SELECT; `:name` in the text is bound to `params["name"]`.

        With `table` the result is cast to that contract's columns and types, its doubles
        rounded to 10 significant digits, and its rows sorted in the contract's order. Each of
        `tables` stands in for the lake's table of that name: rows that nobody else sees yet.
        """

    def register(self, table: str, partition: date) -> None:
        """Make a partition that was just written visible to queries."""

    def shared(self) -> AbstractContextManager[None]:
        """Within it, rows given as `tables` are brought to the engine once for all queries."""


# ---------------------------------------------------------------- sources

Kind = Literal[
    "tweets", "news", "prices", "bars", "options", "trending", "assets", "discovery"
]  # fmt: skip
Status = Literal["ok", "empty", "refused"]


@dataclass(frozen=True, slots=True)
class Day:
    """What a scrape is asked for: the run's date, its cutoff (UTC), and the tickers."""

    dt: date
    cutoff: datetime
    tickers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """One answer of a source: raw lines to store, or the key of a raw object already stored.

    `lines` are envelopes (`{"source", "scraped_at", "query", "data"}`), one JSON text each,
    without line breaks; `packed` is the same as a finished object, where the source holds it so.
    `status` tells *nothing* ("empty") from *a refusal* ("refused"). A ticker may be answered in
    several parts; the last one says whether there is `more`, to be had from `cursor` on.
    """

    kind: Kind
    ticker: str | None
    status: Status
    reason: str | None = None
    lines: tuple[bytes, ...] = ()
    packed: bytes | None = None
    key: str | None = None
    source: str | None = None
    """Which of several sources answered, as in `source=x` of a raw key; None: the Source itself."""
    document: str | None = None
    """Name of a document kept whole in `packed` (gzip), such as `finder.html`; not for lines."""
    newest: datetime | None = None
    """When the newest of the lines was created, UTC."""
    more: bool = False
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How a source, or one account of it, came through a scrape. Never holds a credential."""

    name: str
    """`finder`, `cnbc`, `alpaca`; an account is `x/NAME`."""
    status: Status
    reason: str | None = None
    requests: int = 0
    left: int | None = None
    """Requests left in the current window, where the source has a budget."""


# Called with (done, of, what) while something that takes its time goes on.
Progress = Callable[[int, int, str], None]


class Source(Protocol):
    """Where a day's raw data comes from: live sites, the synthetic sample, an imported archive."""

    name: str

    def dates(self) -> tuple[date, date] | None:
        """First and last `dt` this source holds; None for a live source, and for an empty archive."""

    def asked(self, dt: date) -> tuple[str, ...]:
        """Tickers that this source should be asked for on `dt`, sorted."""

    def fetch(self, day: Day) -> Iterator[Fetched]:
        """Yield one answer per ticker and kind. Raises SourceRefused when it is down as a whole."""

    def health(self) -> tuple[SourceHealth, ...]:
        """How its parts and accounts came through the last fetch; empty where it has none."""


# ---------------------------------------------------------------- sentiment


class Scorer(Protocol):
    """A sentiment model."""

    @property
    def name(self) -> str:
        """Its name in settings and rows."""

    @property
    def version(self) -> str:
        """Names the model, its weights and its preprocessing; may have to be asked for."""

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return probabilities, float64 of shape (n, 3): negative, neutral, positive.

        A row of NaN means that the model gave no answer for that text.
        """


# ---------------------------------------------------------------- the desk

Side = Literal["BUY", "SELL"]
OrderStatus = Literal[
    "new", "accepted", "partially_filled", "filled", "canceled", "rejected", "expired"
]


@dataclass(frozen=True, slots=True)
class Account:
    """Cash and equity in dollars; `previous_equity` is that of the previous session's close."""

    name: str
    cash: float
    equity: float
    previous_equity: float
    buying_power: float
    halted: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Shares or contracts held; `average_price` is dollars per share (or per contract unit)."""

    symbol: str
    quantity: float
    average_price: float
    market_value: float


@dataclass(frozen=True, slots=True)
class Quote:
    """What could be traded at, dollars, as known at `at` (UTC). Never invented."""

    symbol: str
    bid: float
    ask: float
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order to submit. `client_order_id` is deterministic: account, session, contract, leg, attempt."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: float
    order_type: Literal["market", "limit"] = "market"
    limit_price: float | None = None
    time_in_force: Literal["day", "opg"] = "day"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the broker reports it; the broker is the truth."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: float
    status: OrderStatus
    filled_quantity: float = 0.0
    filled_price: float | None = None
    submitted_at: datetime | None = None
    filled_at: datetime | None = None
    fees: float = 0.0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class MarketClock:
    """The broker's clock: the moment (UTC), whether the market is open, and its session."""

    at: datetime
    is_open: bool
    session: date | None


class Broker(Protocol):
    """One trading account. `simulated` tells whether its fills are invented by us."""

    name: str
    simulated: bool

    def account(self) -> Account: ...
    def positions(self) -> Sequence[Position]: ...
    def quote(self, symbol: str) -> Quote | None: ...
    def submit(self, request: OrderRequest) -> Order: ...
    def orders(self, session: date) -> Sequence[Order]: ...
    def cancel(self, client_order_id: str) -> None: ...
    def clock(self) -> MarketClock: ...


class Notifier(Protocol):
    """Where digests and alerts go: SNS, a console, a file."""

    def announce(self, subject: str, text: str) -> None: ...


class Bus(Protocol):
    """Where other programs hear of what happened: EventBridge. A laptop has none."""

    def publish(self, detail_type: str, details: Sequence[Mapping[str, Any]]) -> None:
        """Send one event for each of `details` (JSON values). Raises CloudError."""


# ---------------------------------------------------------------- everything a step needs


@dataclass(frozen=True)
class Env:
    """What `services` composes from settings, and what every step takes as its first argument.

    Warehouse, source and scorer may be given as `Later`: made when they are first asked for.
    """

    settings: Settings
    lake: Lake
    warehouse: Part[Warehouse] = Part()  # noqa: RUF009  a descriptor, not a default
    source: Part[Source] = Part()  # noqa: RUF009
    scorer: Part[Scorer] = Part()  # noqa: RUF009
    notifiers: tuple[Notifier, ...] = field(default=())
    bus: Bus | None = None
