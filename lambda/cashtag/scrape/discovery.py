"""Ticker discovery: one question to a model a run, and its answer recorded in raw for good.

What raw holds of a run is read ever after: a second call asks nobody, a rebuild reads it. A
refusal is recorded with its reason, and the next call asks again. What an answer is worth is
judged later (`enrich.universe`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson

from cashtag.errors import SourceRefused
from cashtag.lake import layout, lines, numbered
from cashtag.ports import Store
from cashtag.scrape import assets, bedrock
from cashtag.scrape.addresses import plain
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.listing import symbol
from cashtag.settings import Settings
from cashtag.tickers import canonical

KIND, SOURCE = "discovery", "bedrock"
LEADS = ("news_clusters", "volume_surges", "cashtags_of_tweets")  # what a document asks about
_PER = 1000  # prices are of so many tokens
_DOLLAR_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded answer. `entries` is what the tool was given, unchecked; None when refused.

    `listed` are those symbols of it that the broker lists; None where there was no list to see.
    """

    key: str
    entries: Any
    refused: str | None
    listed: frozenset[str] | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    dollars: float = 0.0

    @property
    def paid(self) -> bool:
        """Whether the model answered, of use or not."""
        return self.input_tokens + self.output_tokens > 0


@dataclass(frozen=True, slots=True)
class Cost:
    """What the discovery of a run cost, by the prices in the settings of then."""

    dt: date
    answers: int
    input_tokens: int
    output_tokens: int
    dollars: float


def recorded(raw: Store, dt: date) -> tuple[Answer, ...]:
    """Answers and refusals of a run in the order in which they were kept; empty before the first."""
    keys = [
        key
        for info in raw.list(layout.raw_prefix(KIND, dt))
        if (key := layout.parse_raw(info.key)) is not None
    ]
    return tuple(
        _read(str(key), raw.get(str(key))) for key in sorted(keys, key=lambda key: key.number)
    )


def answer_of(answers: tuple[Answer, ...]) -> Answer | None:
    """The answer that stands: the first of use, for good; else the newest refusal."""
    good = (answer for answer in answers if answer.refused is None)
    return next(good, answers[-1] if answers else None)


def is_due(settings: Settings, answers: tuple[Answer, ...]) -> bool:
    """Whether the model is (still) to be asked: nothing of use yet, and not paid too often."""
    return (
        settings.scrape.discovery.enabled
        and all(answer.refused is not None for answer in answers)
        and sum(answer.paid for answer in answers) < settings.live.discovery.answers_per_run
    )


def cost_of(raw: Store, dt: date) -> Cost:
    """What the discovery of a run cost, over all its answers; zeros when there was none."""
    paid = [answer for answer in recorded(raw, dt) if answer.paid]
    return Cost(
        dt,
        len(paid),
        sum(answer.input_tokens for answer in paid),
        sum(answer.output_tokens for answer in paid),
        round(sum(answer.dollars for answer in paid), _DOLLAR_DIGITS),
    )


def keep(raw: Store, dt: date, envelope: bytes) -> None:
    """Record an answer, create-only; a refusal that cost nothing is recorded once a reason."""
    new = _parsed("", envelope)
    free = new.refused is not None and not new.paid
    if free and any(known.refused == new.refused for known in recorded(raw, dt)):
        return
    numbered.add(
        raw, lambda number: layout.raw(KIND, dt, SOURCE, KIND, number), lines.pack([envelope])
    )


def ask(
    settings: Settings,
    document: Mapping[str, Any],
    until: Deadline,
    keys: AlpacaKeys | None = None,
) -> bytes:
    """Ask the model; return the envelope to record, which holds the answer or why there is none.

    With keys the broker's list of assets is looked up as well: which of the symbols exist is a
    fact of the day, and is recorded with them. All ends by `until`, whatever the others do.
    """
    request = bedrock.request(settings, document)
    asked = json.dumps([request["system"], request["messages"]]).encode()
    data: dict[str, Any] = {
        "model": request["modelId"],
        "stop_reason": None,
        "input_tokens": 0,
        "output_tokens": 0,
        "dollars": 0.0,
        "answer": None,
        "said": None,
        "listed": None,
        "list_refused": None,
        "refused": None,
    }
    try:
        if not any(document.get(name) for name in LEADS):
            raise SourceRefused("the day has neither news nor tweets nor volumes to ask about")
        response = bedrock.converse(settings, request, until)
        data |= _usage(settings, response)
        data |= _said(response)
        _judge(settings, data)
        data |= _listed(settings, data["answer"]["tickers"], keys, until)
    except SourceRefused as refusal:
        data["refused"] = str(refusal)
    envelope = {
        "source": SOURCE,
        "scraped_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "query": hashlib.sha256(asked).hexdigest(),
        "data": data,
    }
    try:
        return orjson.dumps(envelope)
    except TypeError:  # lone surrogates, numbers beyond 64 bits: orjson's errors are TypeErrors
        data |= {
            "answer": None,
            "listed": None,
            "refused": "the model's answer is no JSON that can be kept",
        }
        data["said"] = plain(json.dumps(data["said"]))
        return orjson.dumps(envelope)


# ---------------------------------------------------------------- the answer


def _usage(settings: Settings, response: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens and dollars of one answer."""
    told = response.get("usage") or {}
    tokens = {
        name: count if isinstance(count := told.get(theirs), int) and count > 0 else 0
        for name, theirs in (("input_tokens", "inputTokens"), ("output_tokens", "outputTokens"))
    }
    prices = settings.live.discovery
    dollars = (
        tokens["input_tokens"] * prices.dollars_per_1000_input_tokens
        + tokens["output_tokens"] * prices.dollars_per_1000_output_tokens
    ) / _PER
    return {**tokens, "dollars": round(dollars, _DOLLAR_DIGITS)}


def _said(response: Mapping[str, Any]) -> dict[str, Any]:
    """What the tool was given as it came, and any words beside it."""
    message = (response.get("output") or {}).get("message") or {}
    blocks: Iterable[Mapping[str, Any]] = message.get("content") or ()
    used = [block["toolUse"] for block in blocks if "toolUse" in block]
    given = next((tool.get("input") for tool in used if tool.get("name") == bedrock.TOOL), None)
    words = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
    return {
        "stop_reason": response.get("stopReason"),
        "answer": given,
        "said": "\n".join(words) or None,
    }


def _judge(settings: Settings, data: Mapping[str, Any]) -> None:
    """Raise SourceRefused unless the answer is whole and holds a list of tickers."""
    if data["stop_reason"] == "max_tokens":
        raise SourceRefused(
            f"the model's answer was cut off at {settings.live.discovery.max_tokens} tokens; raise "
            "live.discovery.max_tokens or lower scrape.discovery.ask_for"
        )
    if data["answer"] is None:
        words = f": {plain(data['said'])}" if data["said"] else ""
        raise SourceRefused(f"the model named nothing ({plain(str(data['stop_reason']))}){words}")
    answer = data["answer"]
    if not isinstance(answer, dict) or not isinstance(answer.get("tickers"), list):
        raise SourceRefused("the model's answer has no list of tickers")


def _listed(
    settings: Settings, entries: list[Any], keys: AlpacaKeys | None, until: Deadline
) -> dict[str, Any]:
    """Which symbols of an answer the broker lists as active, as written and after aliases."""
    try:
        known = assets.known_symbols(settings, keys, until)
    except SourceRefused as refusal:
        return {"list_refused": str(refusal)}
    if known is None:
        return {}
    named: set[str] = set()
    for entry in entries:
        given = entry.get("ticker") if isinstance(entry, dict) else None
        written = symbol(given) if isinstance(given, str) else None
        if written is not None:
            named |= {written, canonical(settings, written)}
    return {"listed": sorted(named & known)}


# ---------------------------------------------------------------- what was recorded


def _read(key: str, packed: bytes) -> Answer:
    found = lines.unpack(packed)
    if found.damage is not None or not found.lines:
        return Answer(key, None, f"raw/{key} is damaged: {found.damage}; bring it back from a copy")
    return _parsed(key, found.lines[0][1])


def _parsed(key: str, line: bytes) -> Answer:
    try:
        data = orjson.loads(line)["data"]
        return Answer(
            key,
            None if data["refused"] is not None else data["answer"]["tickers"],
            data["refused"],
            None if data["listed"] is None else frozenset(data["listed"]),
            data["input_tokens"],
            data["output_tokens"],
            data["dollars"],
        )
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        return Answer(key, None, f"raw/{key} is no answer of a model ({error})")
