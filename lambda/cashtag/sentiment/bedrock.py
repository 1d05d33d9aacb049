"""A language model on Bedrock as a sentiment model: one `converse` a text, one tool that it must call.

Polarity is the score that it gives, -1 to 1; as probabilities p_positive = max(s, 0), p_negative
= max(-s, 0), p_neutral = 1 - |s|. Label and confidence are its own; market impact, reasoning, key
factors and the tokens billed are recorded beside them. Where the caller knows who wrote a text,
with what influence and about which stocks, the model is told so, as data.

An answer that is none is asked for once more (`models.bedrock.repeats`); then the text is refused
for good, with the reason. An empty text has no answer.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from cashtag.sentiment import prompt
from cashtag.sentiment.answered import About, Answered
from cashtag.sentiment.calls import Later, Patience, at_once, passes, told
from cashtag.sentiment.comprehend import CANARY, probabilities_of
from cashtag.sentiment.connecting import OTHERWISE, connected
from cashtag.sentiment.store import ScorerUnavailable
from cashtag.settings import Settings

NAME = "bedrock"

_REMEDIES = {
    "AccessDeniedException": "allow these credentials bedrock:InvokeModel, and enable the model",
    "ValidationException": "check models.bedrock.model_id: many models are reached by the id of an "
    "inference profile only, such as us.anthropic.…, and not every model can be made to call a tool",
    "ResourceNotFoundException": "check models.bedrock.model_id and AWS_DEFAULT_REGION",
    "UnrecognizedClientException": "renew the AWS credentials",
    "ExpiredTokenException": "renew the AWS credentials",
    "InvalidSignatureException": "renew the AWS credentials, and check this machine's clock",
    "NoCredentialsError": "set AWS_PROFILE, or choose another model (enrich.model)",
    "NoRegionError": "set AWS_DEFAULT_REGION to one that offers the model",
    "ParamValidationError": "check models.bedrock.model_id",
}


class BedrockScorer:
    """Asks a model on Bedrock. Credentials and region come by the usual AWS environment."""

    name = NAME

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing is asked, nothing is paid."""
        rules = settings.models.bedrock
        facts = json.dumps(prompt.facts(rules))
        # "us.anthropic.claude-3-5-sonnet-20241022-v2:0" is known as claude-3-5-sonnet-20241022-v2.
        short = re.sub(r"[^a-z0-9-]+", "-", rules.model_id.split(":")[0].split(".")[-1].lower())
        self.version = f"{NAME}-{short}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
        self.tokens = [0, 0]
        """Tokens in and out that this object was billed so far."""
        self._rules = rules
        self._patience = Patience(settings.enrich.score_deadline_seconds, *rules.backoff_seconds)
        self._lock = threading.Lock()
        self._client: Any = None

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return probabilities, float64 of shape (n, 3): negative, neutral, positive.

        Raises:
            ScorerUnavailable: a text had no answer within `enrich.score_deadline_seconds`, or
                the model cannot be asked at all.
        """
        return self.answer(texts).probabilities

    def answer(self, texts: Sequence[str]) -> Answered:
        """Return all that the model says of the texts alone; errors as for `score`."""
        return self.answer_about(texts, [None] * len(texts))

    def answer_about(self, texts: Sequence[str], about: Sequence[About | None]) -> Answered:
        """Return all that the model says of the texts and what is known of them."""
        asked = [i for i, text in enumerate(texts) if text.strip()]
        if asked:
            self._prepare()
        found = at_once(
            lambda i, stopped: self._judged(texts[i], about[i], stopped),
            asked,
            self._rules.concurrency,
        )
        if found and all(isinstance(verdict, str) for verdict, _ in found):
            self._require_canary(str(found[0][0]))
        n = len(texts)
        probabilities, stated = np.full((n, 3), np.nan), np.full(n, np.nan)
        named: list[str | None] = [None] * n
        said: list[str | None] = [None] * n
        refusals = {}
        for i, (verdict, tokens) in zip(asked, found, strict=True):
            words = {"input_tokens": tokens[0], "output_tokens": tokens[1]}
            if isinstance(verdict, str):
                refusals[i] = verdict
                said[i] = json.dumps(words)
                continue
            probabilities[i] = probabilities_of(verdict.polarity)
            stated[i], named[i] = verdict.confidence, verdict.label
            said[i] = json.dumps({**verdict.words, **words}, ensure_ascii=False)
        return Answered(probabilities, stated, named, said, refusals)

    def _judged(
        self, text: str, about: About | None, stopped: threading.Event
    ) -> tuple[prompt.Judgement | str, tuple[int, int]]:
        """A judgement, or why there will be none; and the tokens billed for it."""
        asked = prompt.request(self._rules, text, about)
        billed = (0, 0)
        reason = ""
        for _ in range(1 + self._rules.repeats):
            response = self._patience.ask(lambda: self._call(asked), "Bedrock", stopped)
            tokens = prompt.usage(response)
            billed = (billed[0] + tokens[0], billed[1] + tokens[1])
            with self._lock:
                self.tokens = [self.tokens[0] + tokens[0], self.tokens[1] + tokens[1]]
            try:
                return prompt.judgement(self._rules, response), billed
            except prompt.NoJudgement as error:
                reason = f"the model's answer is none: {error}"
        return reason, billed

    def _call(self, asked: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            response: dict[str, Any] = self._prepare().converse(**asked)
        except ClientError as error:
            code, message, status = told(error)
            if passes(code, status):
                raise Later(f"{code}: {message}") from error
            raise ScorerUnavailable(
                f"Bedrock refused ({code}: {message}); {_REMEDIES.get(code, OTHERWISE)}"
            ) from error
        except (BotoCoreError, ResponseParserError, AttributeError, TypeError, ValueError) as error:
            # The last three are what botocore's parser raises for JSON of another shape.
            name, message, _ = told(error)
            if name in _REMEDIES:
                raise ScorerUnavailable(f"Bedrock: {message}; {_REMEDIES[name]}") from error
            raise Later(f"{name}: {message}") from error
        if "output" not in response or "stopReason" not in response:
            # Of JSON that was cut short botocore makes an answer without either.
            raise Later("an answer that is not whole")
        return response

    def _require_canary(self, reason: str) -> None:
        """Texts that were all refused may be good ones: another that must be answered tells."""
        verdict, _ = self._judged(CANARY, None, threading.Event())
        if isinstance(verdict, str):
            raise ScorerUnavailable(
                f"{self._rules.model_id} answers no text, harmless ones neither ({reason}); choose "
                "another models.bedrock.model_id"
            )

    def _prepare(self) -> Any:
        """The client, made once and used by all threads."""
        if self._client is None:
            self._client = connected("bedrock-runtime", "Bedrock", self._rules, _REMEDIES)
        return self._client
