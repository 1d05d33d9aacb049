"""Amazon Comprehend as a sentiment model: BatchDetectSentiment, 25 texts a call.

It answers with four scores P, N, U, M (positive, negative, neutral, mixed) that sum to 1, and
names the highest. Polarity is +P of a POSITIVE text, -N of a NEGATIVE one, 0 of a NEUTRAL one and
P - N of a MIXED one; confidence is the highest score. As probabilities, so that
p_positive - p_negative is that polarity s and nothing else:

    p_positive = max(s, 0)      p_negative = max(-s, 0)      p_neutral = 1 - |s|

The label is Comprehend's, MIXED being neutral; its four scores are recorded beside it.

A text above `models.comprehend.max_bytes` of UTF-8 is cut there, between characters. An empty
text has no answer. Comprehend changes behind its API without a version: what is recorded stays,
and two days may have been answered by two models of the same name.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cashtag.sentiment.answered import Answered
from cashtag.sentiment.calls import Later, Patience, at_once, passes, plain, told
from cashtag.sentiment.connecting import OTHERWISE, connected
from cashtag.sentiment.store import ScorerUnavailable
from cashtag.settings import Settings

NAME = "comprehend"
FORMULA = "polarity +P -N 0 P-N, confidence highest, 1"  # a change makes a new version
LABELS = {"POSITIVE": "positive", "NEGATIVE": "negative", "NEUTRAL": "neutral", "MIXED": "neutral"}
SCORES = ("Positive", "Negative", "Neutral", "Mixed")
CANARY = "The market opened at half past nine."  # a text that nobody could refuse

_DIGITS = 10
_TOLERANCE = 1e-3  # the four scores are float32, and a model's rounding
_OF_TEXTS = ("InvalidRequest", "TextSizeLimit", "Validation")
_REMEDIES = {
    "AccessDeniedException": "allow these credentials comprehend:BatchDetectSentiment",
    "UnsupportedLanguageException": "set models.comprehend.language to a language it knows",
    "BatchSizeLimitExceededException": "lower models.comprehend.texts_per_call",
    "UnrecognizedClientException": "renew the AWS credentials",
    "ExpiredTokenException": "renew the AWS credentials",
    "InvalidSignatureException": "renew the AWS credentials, and check this machine's clock",
    "NoCredentialsError": "set AWS_PROFILE, or choose another model (enrich.model)",
    "NoRegionError": "set AWS_DEFAULT_REGION to one that offers Comprehend",
}

Said = dict[str, Any] | str
"""What Comprehend said of one text: its result, or why it refuses the text."""


class _Refused(Exception):
    """A call that was refused as a whole, and may be because of one of its texts."""


class ComprehendScorer:
    """Asks Comprehend. Credentials and region come by the usual AWS environment."""

    name = NAME

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing is asked, nothing is paid."""
        rules = settings.models.comprehend
        facts = json.dumps([FORMULA, rules.language, rules.max_bytes])
        self.version = f"{NAME}-{rules.language}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
        self._rules = rules
        self._patience = Patience(settings.enrich.score_deadline_seconds, *rules.backoff_seconds)
        self._client: Any = None

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return probabilities, float64 of shape (n, 3): negative, neutral, positive.

        Raises:
            ScorerUnavailable: a call had no answer within `enrich.score_deadline_seconds`, or
                Comprehend cannot be asked at all.
        """
        return self.answer(texts).probabilities

    def answer(self, texts: Sequence[str]) -> Answered:
        """Return all that Comprehend says of the texts; errors as for `score`."""
        asked = [i for i, text in enumerate(texts) if text.strip()]
        cut = [truncated(texts[i], self._rules.max_bytes) for i in asked]
        size = self._rules.texts_per_call
        batches = [cut[start : start + size] for start in range(0, len(cut), size)]
        if batches:
            self._prepare()
        found = at_once(self._batch, batches, self._rules.concurrency)
        said = dict(zip(asked, (one for batch in found for one in batch), strict=True))
        if said and all(isinstance(one, str) for one in said.values()):
            self._require_canary(next(one for one in said.values() if isinstance(one, str)))
        return self._answered(len(texts), said)

    def _answered(self, n: int, said: Mapping[int, Said]) -> Answered:
        probabilities, stated = np.full((n, 3), np.nan), np.full(n, np.nan)
        named: list[str | None] = [None] * n
        words: list[str | None] = [None] * n
        refusals = {i: one for i, one in said.items() if isinstance(one, str)}
        for i, one in said.items():
            if isinstance(one, dict):
                scores = one["SentimentScore"]
                probabilities[i] = probabilities_of(polarity_of(one))
                stated[i] = min(1.0, max(scores[name] for name in SCORES))
                named[i] = LABELS[one["Sentiment"]]
                told_of = {name.lower(): round(scores[name], _DIGITS) for name in SCORES}
                words[i] = json.dumps({"said": one["Sentiment"], **told_of})
        return Answered(probabilities, stated, named, words, refusals)

    def _batch(self, texts: Sequence[str], stopped: threading.Event) -> list[Said]:
        """What is said of up to 25 texts; a call that is refused whole is halved."""
        try:
            return self._whole(texts, stopped)
        except _Refused as refusal:
            if len(texts) == 1:
                return [str(refusal)]
            half = len(texts) // 2
            return [*self._batch(texts[:half], stopped), *self._batch(texts[half:], stopped)]

    def _whole(self, texts: Sequence[str], stopped: threading.Event) -> list[Said]:
        """Ask until every text has a result or a refusal; only those without either again."""
        found: dict[int, Said] = {}

        def once() -> None:
            left = [i for i in range(len(texts)) if i not in found]
            response = self._call([texts[i] for i in left])
            found.update({left[at]: one for at, one in _read(response, len(left)).items()})
            if missing := len(texts) - len(found):
                raise Later(f"{missing} of {len(texts)} texts met an error within Comprehend")

        self._patience.ask(once, "Comprehend", stopped)
        return [found[i] for i in range(len(texts))]

    def _call(self, texts: Sequence[str]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            response: dict[str, Any] = self._prepare().batch_detect_sentiment(
                TextList=list(texts), LanguageCode=self._rules.language
            )
        except ClientError as error:
            code, message, status = told(error)
            if passes(code, status):
                raise Later(f"{code}: {message}") from error
            if any(part in code for part in _OF_TEXTS):
                raise _Refused(f"{code}: {message}") from error
            raise ScorerUnavailable(
                f"Comprehend refused ({code}: {message}); {_REMEDIES.get(code, OTHERWISE)}"
            ) from error
        except (BotoCoreError, ResponseParserError, AttributeError, TypeError) as error:
            # The last two are what botocore's parser raises for JSON of another shape.
            name, message, _ = told(error)
            if name in _REMEDIES:
                raise ScorerUnavailable(f"Comprehend: {message}; {_REMEDIES[name]}") from error
            raise Later(f"{name}: {message}") from error
        return response

    def _require_canary(self, reason: str) -> None:
        """Texts that were all refused may be good ones: another that must be answered tells."""
        if isinstance(self._batch([CANARY], threading.Event())[0], str):
            raise ScorerUnavailable(
                f"Comprehend refuses every text, harmless ones too ({reason}); check "
                "models.comprehend"
            )

    def _prepare(self) -> Any:
        """The client, made once and used by all threads."""
        if self._client is None:
            self._client = connected("comprehend", "Comprehend", self._rules, _REMEDIES)
        return self._client


def truncated(text: str, most: int) -> str:
    """Return the beginning of a text, at most so many bytes of UTF-8, whole characters only.

    Half a character (a lone surrogate) becomes U+FFFD: it has no UTF-8.
    """
    data = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    return data[:most].decode("utf-8", "ignore")


def polarity_of(result: Mapping[str, Any]) -> float:
    """Return the polarity of one result of Comprehend, -1 to 1, by the formula above."""
    scores = result["SentimentScore"]
    positive, negative = scores["Positive"], scores["Negative"]
    by_label = {
        "POSITIVE": positive,
        "NEGATIVE": -negative,
        "NEUTRAL": 0.0,
        "MIXED": positive - negative,
    }
    return float(np.clip(by_label[result["Sentiment"]], -1.0, 1.0))


def probabilities_of(polarity: float) -> tuple[float, float, float]:
    """Return negative, neutral and positive, whose difference is the polarity; they sum to 1."""
    return max(-polarity, 0.0), 1.0 - abs(polarity), max(polarity, 0.0)


def _read(response: Mapping[str, Any], n: int) -> dict[int, Said]:
    """Results and refusals of a call by position; what met an error within Comprehend is left out.

    Raises:
        Later: a text has neither, or the results are of another shape.
    """
    found: dict[int, Said] = {}
    passing = set()
    for one in response.get("ErrorList") or ():
        code = plain(str(one.get("ErrorCode", "")))
        i = one.get("Index")
        if not _is_place(i, n):
            raise Later("Comprehend answered of texts that it was not sent")
        if passes(code, int(code) if code.isdecimal() else 0):
            passing.add(i)
        else:
            found[i] = f"{code}: {plain(str(one.get('ErrorMessage', '')))}"
    for one in response.get("ResultList") or ():
        i = one.get("Index")
        if not _is_place(i, n) or i in found or i in passing or not _is_sound(one):
            raise Later("Comprehend answered something that is no result")
        found[i] = one
    if len(found) + len(passing) != n:
        raise Later(f"Comprehend answered {len(found)} of {n} texts")
    return found


def _is_place(index: object, n: int) -> bool:
    return isinstance(index, int) and not isinstance(index, bool) and 0 <= index < n


def _is_sound(result: Mapping[str, Any]) -> bool:
    scores = result.get("SentimentScore")
    if result.get("Sentiment") not in LABELS or not isinstance(scores, Mapping):
        return False
    found: list[Any] = [scores.get(name) for name in SCORES]
    return all(
        isinstance(score, int | float) and 0 <= score <= 1 + _TOLERANCE for score in found
    ) and bool(abs(sum(found) - 1) <= _TOLERANCE)
