"""Runs that the functions of a stack make again: side by side, in order, and what fails by name."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cashtag.errors import CloudError
from cashtag.operate.cloud import rebuilding
from cashtag.operate.stack import Stack


class Lambdas:
    """Invoke as boto3's client has it; `failing` maps (function, dt) to an errorMessage."""

    def __init__(
        self,
        failing: dict[tuple[str, str], str] | None = None,
        busy: int = 0,
        left: Sequence[list[str]] = (),
    ) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.left = list(left)
        self.failing = failing or {}
        self.busy = busy

    def invoke(self, **request: Any) -> dict[str, Any]:
        if self.busy:
            self.busy -= 1
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
        event = json.loads(request["Payload"])
        dt = event.get("dt", ",".join(event.get("keys", ())))
        self.calls.append((request["FunctionName"], event.get("action", "keys"), dt))
        why = self.failing.get((request["FunctionName"], dt))
        if why is None:
            left = self.left.pop(0) if self.left else []
            return {"Payload": io.BytesIO(json.dumps({"left": left}).encode())}
        body = json.dumps({"errorType": "CheckFailed", "errorMessage": why}).encode()
        return {"FunctionError": "Unhandled", "Payload": io.BytesIO(body)}


def silent(_done: int, _of: int, _what: str) -> None: ...


def test_runs_are_enriched_side_by_side_and_signals_follow_in_order(
    monkeypatch: pytest.MonkeyPatch, found: Stack
) -> None:
    lambdas = Lambdas({("cashtag-dev-enrich", "2026-05-06"): "3 tweets without an answer"})
    monkeypatch.setattr(rebuilding.account, "client", lambda *_a, **_k: lambdas)
    days = [date(2026, 5, 5), date(2026, 5, 6), date(2026, 5, 7)]
    rows = list(rebuilding.rebuild(found, None, days, 2, silent))
    assert [(row.dt.day, row.enriched, row.signals) for row in rows] == [
        (5, True, True),
        (6, False, False),
        (7, True, True),
    ]
    assert rows[1].told == "CheckFailed: 3 tweets without an answer"
    assert [call for call in lambdas.calls if call[0].endswith("signals")] == [
        ("cashtag-dev-signals", "run", "2026-05-05"),
        ("cashtag-dev-signals", "run", "2026-05-07"),
    ]
    assert sum(call[:2] == ("cashtag-dev-enrich", "rebuild") for call in lambdas.calls) == 3


def test_what_a_call_had_no_time_for_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, found: Stack
) -> None:
    lambdas = Lambdas(left=[["tweets/b", "tweets/c"], ["tweets/c"]])
    monkeypatch.setattr(rebuilding.account, "client", lambda *_a, **_k: lambdas)
    (row,) = rebuilding.rebuild(found, None, [date(2026, 5, 5)], 1, silent)
    assert (row.enriched, row.signals) == (True, True)
    assert [call[1:] for call in lambdas.calls] == [
        ("rebuild", "2026-05-05"),
        ("keys", "tweets/b,tweets/c"),
        ("keys", "tweets/c"),
        ("run", "2026-05-05"),
    ]


def test_an_object_that_never_fits_into_the_time_is_named(
    monkeypatch: pytest.MonkeyPatch, found: Stack
) -> None:
    lambdas = Lambdas(left=[["tweets/b"], ["tweets/b"]])
    monkeypatch.setattr(rebuilding.account, "client", lambda *_a, **_k: lambdas)
    (row,) = rebuilding.rebuild(found, None, [date(2026, 5, 5)], 1, silent)
    assert row.told == "1 objects do not fit into the function's time, as tweets/b"


def test_a_busy_function_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding.time, "sleep", lambda _seconds: None)
    lambdas = Lambdas(busy=3)
    answer = rebuilding.call(lambdas, "cashtag-dev-signals", {"action": "run", "dt": "x"})
    assert answer.failure is None
    assert len(lambdas.calls) == 1


def test_a_function_that_stays_busy_is_an_error_that_names_it() -> None:
    with pytest.raises(CloudError, match="cashtag-dev-signals cannot be called"):
        rebuilding.call(Lambdas(busy=99), "cashtag-dev-signals", {}, patience=0.0)
