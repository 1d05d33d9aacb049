"""Bedrock's `converse` as a judge of posts: answers by what the document between its marks holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bedrock_site import Bedrock, Reply, conversed

GOOD: dict[str, Any] = {
    "sentiment": "positive",
    "score": 0.6,
    "confidence": 0.8,
    "market_impact": "medium",
    "reasoning": "Guidance was raised.",
    "key_factors": ["guidance raised"],
}


def judged(tool_input: Any = None, *, tokens: tuple[int, int] = (700, 90), name: str = "judge_post") -> Reply:  # fmt: skip
    """The model called the tool with this input."""
    given = GOOD if tool_input is None else tool_input
    block = {"toolUse": {"toolUseId": "tooluse_1", "name": name, "input": given}}
    return conversed([block], "tool_use", tokens)


class Judge(Bedrock):
    """Answers each request by `verdict(document)`; `faults` come first, one a call."""

    def __init__(
        self, verdict: Callable[[dict[str, Any]], Reply] | None = None, *faults: Reply
    ) -> None:
        super().__init__()
        self._verdict = verdict or (lambda _: judged())
        self.faults = list(faults)

    def reply(self, path: str, body: bytes) -> Reply:
        """Keep the request as Bedrock would, and answer it."""
        with self._lock:
            fault = self.faults.pop(0) if self.faults else None
        self.replies = [Reply()]
        kept = super().reply(path, body)
        if kept.status != Reply().status:
            return kept
        if fault is not None:
            return fault
        (block,) = json.loads(body)["messages"][0]["content"]
        text = block["text"].removeprefix("<document>\n").removesuffix("\n</document>")
        return self._verdict(json.loads(text))
