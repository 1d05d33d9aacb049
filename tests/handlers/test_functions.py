"""Each function by itself: what it takes, what it refuses, what it leaves alone, what it tells."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from endpoint_site import POISON, Endpoint
from functions_on_loopback import PARAMETER, Functions, bucket, put_event

from cashtag import services, sessions, steps
from cashtag.errors import InputError, SettingsError, SourceRefused, StoreError
from cashtag.handlers import running
from cashtag.lake import layout, lines
from cashtag.ports import Day, Fetched, SourceHealth
from cashtag.scrape import manifest
from cashtag.scrape.fetch import Unsuccessful
from cashtag.sentiment.store import ScorerUnavailable

MONDAY = date(2026, 5, 11)
SECRET = "PLANTED-secret-of-a-function"  # noqa: S105  planted, to be looked for


def post(ticker: str, n: int, text: str = "is great, strong buy") -> bytes:
    moment = sessions.cutoff(MONDAY) - timedelta(hours=1 + n)
    data = {
        "id_str": f"{n}{sum(map(ord, ticker))}",
        "date": moment.isoformat(),
        "rawContent": f"${ticker} {text} {n}",
        "user": {"username": f"fan{n}"},
    }
    head = {"source": "x", "scraped_at": sessions.cutoff(MONDAY).isoformat(), "query": ticker}
    return json.dumps(head | {"data": data}).encode()


@dataclass
class Sites:
    """A live source that answers for two tickers."""

    name: str = "live"
    seconds: list[float] = field(default_factory=list)
    answers: dict[str, tuple[bytes, ...]] = field(
        default_factory=lambda: {"NVDA": (post("NVDA", 1), post("NVDA", 2)), "TSLA": ()}
    )

    def dates(self) -> None:
        return None

    def asked(self, dt: date) -> tuple[str, ...]:
        return ("NVDA", "TSLA")

    def fetch(self, day: Day) -> Iterator[Fetched]:
        for ticker, found in self.answers.items():
            status: Any = "ok" if found else "empty"
            yield Fetched("tweets", ticker, status, lines=found, source="x")

    def health(self) -> tuple[SourceHealth, ...]:
        return ()


@pytest.fixture
def sites(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Sites:
    made = Sites()

    def source(settings: Any, _name: str, _lake: Any) -> Sites:
        made.seconds.append(settings.live.step_seconds)
        return made

    monkeypatch.setattr(services, "source", source)
    return made


def scraped(functions: Functions, **more: Any) -> dict[str, Any]:
    return functions.invoke("scrape", {"action": "scrape", "dt": str(MONDAY), **more})


# ---------------------------------------------------------------- scrape


def test_a_scrape_tells_what_it_brought_and_a_resume_what_it_added(
    functions: Functions, sites: Sites
) -> None:
    assert scraped(functions) == {
        "dt": "2026-05-11",
        "answered": 2,
        "asked": 2,
        "tweets": 2,
        "objects": 1,
        "refused": [],
    }
    sites.answers["TSLA"] = (post("TSLA", 1),)
    resumed = functions.invoke("scrape", {"action": "resume", "scheduled": "2026-05-11T12:20:00Z"})
    assert (resumed["tweets"], resumed["objects"]) == (1, 2)
    assert functions.figures()["TweetIngestionRate"] == [2, 1]
    assert len(manifest.of_day(functions.env.lake.raw, MONDAY)) == 2


def test_a_run_before_its_cutoff_is_refused_and_asks_nobody(
    functions: Functions, sites: Sites
) -> None:
    dt = date(2099, 12, 30)
    with pytest.raises(InputError, match="not due before its cutoff at 12:00 UTC"):
        functions.invoke("scrape", {"action": "scrape", "dt": str(dt)})
    assert sites.seconds == []


def test_the_functions_time_bounds_the_scrape(functions: Functions, sites: Sites) -> None:
    # 120 s left, 20 of them kept for the manifest; a long time does not stretch the setting.
    functions.invoke("scrape", {"action": "scrape", "dt": str(MONDAY)}, seconds=120.0)
    functions.invoke("scrape", {"action": "resume", "dt": str(MONDAY)}, seconds=90_000.0)
    usual = functions.env.settings.live.step_seconds
    assert sites.seconds == [100.0, usual]


# ---------------------------------------------------------------- enrich


def test_an_object_becomes_its_stage_and_the_last_one_makes_the_marker(
    functions: Functions, sites: Sites
) -> None:
    scraped(functions)
    key = layout.raw("tweets", MONDAY, "x", "NVDA")
    done = functions.invoke("enrich", put_event(("raw", key)))
    assert done == {"rows": {key: 2}, "complete": ["2026-05-11"], "left": []}
    again = functions.invoke("enrich", put_event(("raw", key), ("raw", key)))
    assert again == {"rows": {key: 2}, "complete": [], "left": []}
    means = functions.figures()["SentimentScoreDistribution"]
    assert len(means) == 2
    assert means[0] == means[1] > 0


def test_objects_of_others_and_of_other_kinds_are_passed_over(functions: Functions) -> None:
    for told in (
        ("enriched", "tweets/dt=2026-05-11/source=x/NVDA-1.jsonl.gz"),
        ("raw", "manifests/dt=2026-02-30/x.json"),
        ("raw", "tweets/dt=2026-02-30/source=x/NVDA-1.jsonl.gz"),
        ("raw", "tweets/readme.txt"),
        ("raw", "bars/source=csv/NVDA-1.jsonl.gz"),
    ):
        done = functions.invoke("enrich", put_event(told))
        assert done == {"rows": {}, "complete": [], "left": []}, told
    assert list(functions.env.lake.enriched.list()) == []


def test_an_object_that_fails_does_not_keep_the_others_from_being_enriched(
    functions: Functions, sites: Sites
) -> None:
    sites.answers["TSLA"] = (post("TSLA", 1),)
    scraped(functions)
    here, gone = (layout.raw("tweets", MONDAY, "x", name) for name in ("TSLA", "NVDA"))
    functions.s3.delete_object(Bucket=bucket("raw"), Key=gone)
    with pytest.raises(StoreError, match="was scraped and is gone"):
        functions.invoke("enrich", put_event(("raw", gone), ("raw", here)))
    build = steps.build_of(functions.env)
    assert functions.env.lake.enriched.exists(layout.stage(build, here))


def test_a_rebuild_stops_in_time_and_names_what_is_left(functions: Functions, sites: Sites) -> None:
    sites.answers["TSLA"] = (post("TSLA", 1),)
    scraped(functions)
    event = {"action": "rebuild", "dt": str(MONDAY)}
    none = functions.invoke("enrich", event, seconds=10.0)  # less than is kept in reserve
    assert none["rows"] == {}
    assert none["complete"] == []
    assert len(none["left"]) == 2
    whole = functions.invoke("enrich", {"keys": none["left"]})
    assert list(whole["rows"].values()) == [2, 1]
    assert whole["complete"] == ["2026-05-11"]
    assert functions.invoke("enrich", event)["left"] == []


@pytest.fixture
def endpoint(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """The model behind a SageMaker endpoint, as the stack has it."""
    with Endpoint() as site:
        monkeypatch.setenv(
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME",
            site.environ()["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"],
        )
        monkeypatch.setenv("CASHTAG_ENRICH__MODEL", "sagemaker")
        monkeypatch.setenv("CASHTAG_MODELS__SAGEMAKER__BACKOFF_SECONDS", "[0.001, 0.004]")
        yield site


def test_an_endpoint_that_throttles_is_asked_again_and_a_poisoned_text_lies_aside(
    functions: Functions, sites: Sites, endpoint: Endpoint
) -> None:
    sites.answers["NVDA"] = (post("NVDA", 1), post("NVDA", 2, POISON), post("NVDA", 3))
    endpoint.faults = ["throttled", "model_500", "reset"]
    scraped(functions)
    key = layout.raw("tweets", MONDAY, "x", "NVDA")
    done = functions.invoke("enrich", put_event(("raw", key)))
    assert done["rows"] == {key: 3}
    lake, build = functions.env.lake, steps.build_of(functions.env)
    aside = lines.read(lake.enriched.get(layout.rejected(build, key)), "")
    assert [json.loads(line)["line"] for line in aside] == [2]
    assert len(functions.figures()["SentimentScoreDistribution"]) == 1
    asked = len(endpoint.asked)
    functions.invoke("enrich", put_event(("raw", key)))
    assert len(endpoint.asked) == asked  # the answers are recorded


def test_an_endpoint_that_is_away_fails_the_object_and_records_nothing(
    functions: Functions, sites: Sites, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASHTAG_MODELS__SAGEMAKER__NAME", "somebody-elses")
    scraped(functions)
    event = put_event(("raw", layout.raw("tweets", MONDAY, "x", "NVDA")))
    with pytest.raises(ScorerUnavailable, match="endpoint 'somebody-elses'"):
        functions.invoke("enrich", event)
    assert list(functions.env.lake.enriched.list()) == []
    # What failed is told again once the endpoint is there.
    monkeypatch.delenv("CASHTAG_MODELS__SAGEMAKER__NAME")
    assert functions.invoke("enrich", event)["complete"] == ["2026-05-11"]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"action": "rebuild", "dt": "2026-05-12"}, "holds no manifest; scrape the day first"),
        ({"action": "rebuild"}, "give dt"),
        ({"keys": "tweets/x"}, "keys is no list of texts"),
        ({"keys": [1]}, "keys is no list of texts"),
        ({}, "action = 'None' is none of: rebuild"),
    ],
)
def test_what_enrich_does_not_understand_is_refused(
    functions: Functions, event: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        functions.invoke("enrich", event)


# ---------------------------------------------------------------- signals and trade


def test_a_deadline_of_a_day_that_was_never_scraped_raises(functions: Functions) -> None:
    with pytest.raises(StoreError, match="holds no manifest"):
        functions.invoke("signals", {"action": "deadline", "scheduled": "2026-05-11T12:45:00Z"})


@pytest.mark.slow
def test_a_deadline_makes_a_partial_day_and_what_comes_late_makes_it_whole(
    functions: Functions, sites: Sites
) -> None:
    sites.answers["TSLA"] = (post("TSLA", 1),)
    scraped(functions)
    late, early = (layout.raw("tweets", MONDAY, "x", name) for name in ("TSLA", "NVDA"))
    functions.invoke("enrich", put_event(("raw", early)))
    # A marker of a scrape before, that S3 tells late: its day has more objects now.
    stale = put_event(("enriched", layout.success(MONDAY, "ab12")))
    assert functions.invoke("signals", stale) == {"2026-05-11": {"status": "not complete"}}
    deadline = {"action": "deadline", "scheduled": "2026-05-11T12:45:00Z"}
    done = functions.invoke("signals", deadline)["2026-05-11"]
    assert done["status"] == "published"
    assert done["partial"]
    assert functions.invoke("signals", deadline) == {"2026-05-11": {"status": "published before"}}
    (first,) = [info.key for info in functions.env.lake.signals.list("_PUBLISHED/")]
    planned = functions.invoke("trade", put_event(("signals", first)))[first]
    assert (planned["status"], planned["orders"], planned["partial"]) == ("planned", 0, True)
    (mail,) = [text for subject, text in functions.mails() if "Digest" in subject]
    assert f"partial: {late} could not be enriched in time" in mail

    functions.invoke("enrich", put_event(("raw", late)))
    (marker,) = [info.key for info in functions.env.lake.enriched.list("_SUCCESS/")]
    done = functions.invoke("signals", put_event(("enriched", marker)))["2026-05-11"]
    assert done["status"] == "published"
    again = functions.invoke("signals", put_event(("enriched", marker)))
    assert again == {"2026-05-11": {"status": "published before"}}
    asked = functions.invoke("signals", {"action": "run", "dt": "2026-05-11"})["2026-05-11"]
    assert (asked["status"], asked["events"]) == ("published", 0)
    keys = {info.key for info in functions.env.lake.signals.list("_PUBLISHED/")}
    (second,) = keys - {first}  # so the plan is made again
    assert functions.invoke("signals", deadline) == {"2026-05-11": {"status": "published before"}}
    planned = functions.invoke("trade", put_event(("signals", second)))[second]
    assert planned["status"] in ("planned", "unchanged")
    (mail,) = [text for subject, text in functions.mails() if "Digest" in subject]
    assert "could not be enriched in time" not in mail


def test_a_marker_of_a_run_without_a_session_plans_nothing(functions: Functions) -> None:
    key = layout.published(MONDAY, "ab12")
    body = {"session": "2026-05-11", "dt": "2026-05-09", "run_id": "0"}
    functions.env.lake.signals.put(key, json.dumps(body).encode())
    done = functions.invoke("trade", put_event(("signals", key)))
    assert done == {key: {"status": "nothing to plan"}}
    assert list(functions.env.lake.ledger.list()) == []


def test_execute_and_manage_write_nothing_where_there_is_nothing_to_do(
    functions: Functions,
) -> None:
    for action, scheduled, status in (
        ("execute", "2026-05-10T13:35:00Z", "no session"),
        ("execute", "2026-05-11T13:35:00Z", "no plan"),
        ("manage", "2026-05-10T13:40:00Z", "no session"),
        ("manage", "2026-05-11T13:40:00Z", "no books"),
    ):
        done = functions.invoke("trade", {"action": action, "scheduled": scheduled})
        assert done["status"] == status
        assert done["note"]
    assert list(functions.env.lake.ledger.list()) == []


# ---------------------------------------------------------------- settings


def parameter(functions: Functions, text: str) -> None:
    functions.client("ssm").put_parameter(
        Name=PARAMETER, Type="SecureString", Value=text, Overwrite=True
    )


def test_the_parameter_lies_over_the_profile_and_under_the_environment(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameter(
        functions,
        'profile = "reference"\nenvironment = "prod"\n[signals]\nz_sessions = 21\n'
        "[alerts]\nper_hour = 7\n",
    )
    monkeypatch.setenv("CASHTAG_ALERTS__PER_HOUR", "8")
    settings = functions.env.settings
    assert settings.profile == "reference"
    assert settings.signals.sentiment_rule == "confidence"  # the reference's
    assert settings.signals.z_sessions == 21
    assert settings.environment == "dev"  # CASHTAG_ENVIRONMENT
    assert settings.alerts.per_hour == 8


def test_settings_are_kept_for_a_while_and_then_asked_for_again(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameter(functions, "[alerts]\nper_hour = 7\n")
    first = functions.env
    parameter(functions, "[alerts]\nper_hour = 9\n")
    assert functions.env is first
    from datetime import datetime as clock

    import aws_lambda_powertools.utilities.parameters.base as kept

    class Later(clock):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return clock.now(tz) + timedelta(seconds=301)

    monkeypatch.setattr(kept, "datetime", Later)
    assert functions.env.settings.alerts.per_hour == 9


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("per_hour = ", f"the parameter {PARAMETER} holds no TOML"),
        (
            "[alerts]\nper_minute = 1\n",
            rf"alerts.per_minute is no setting \(from the parameter {PARAMETER}\)",
        ),
        (
            "[alerts]\nper_hour = 0\n",
            rf"alerts.per_hour = 0 is refused \(from the parameter {PARAMETER}\)",
        ),
    ],
)
def test_a_damaged_parameter_stops_the_step_by_its_name(
    functions: Functions, text: str, words: str
) -> None:
    parameter(functions, text)
    with pytest.raises(SettingsError, match=words):
        functions.invoke("enrich", {"keys": []})
    found = functions.invoke("health", {"action": "check"})  # which tells it, and does not raise
    assert found["status"] == "fail"
    assert [check["name"] for check in found["checks"]] == ["settings"]


def test_a_place_that_is_not_set_is_named(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CASHTAG_AWS__LEDGER")
    with pytest.raises(SettingsError, match=r"aws.ledger is not set: .*CASHTAG_AWS__LEDGER"):
        functions.invoke("trade", {"action": "execute", "session": "2026-05-11"})


# ---------------------------------------------------------------- what gets out


def test_errors_of_ours_leave_blotted_and_keep_their_kind(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cashtag.redaction import remember

    remember(SECRET)

    def broken(*_: Any) -> None:
        raise ScorerUnavailable(f"endpoint says {SECRET}")

    monkeypatch.setattr(steps, "enrich", broken)
    with pytest.raises(ScorerUnavailable, match=r"endpoint says \[secret\]") as told:
        functions.invoke("enrich", {"keys": ["tweets/x"]})
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__
    (line,) = [json.loads(line) for line in functions.log.splitlines()]
    assert (line["level"], line["step"], line["error"]) == ("ERROR", "enrich", "ScorerUnavailable")
    assert line["message"] == "endpoint says [secret]"


def test_an_error_that_is_made_of_more_than_a_text_leaves_as_what_it_is_a_kind_of(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise Unsuccessful("the site answers 403", 403, body=b"<html>")

    monkeypatch.setattr(steps, "enrich", broken)
    with pytest.raises(SourceRefused, match="the site answers 403") as told:
        functions.invoke("enrich", {"keys": ["tweets/x"]})
    assert type(told.value) is SourceRefused


def test_an_error_that_is_none_of_ours_tells_no_text(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("could not convert 'a tweet that somebody wrote'")

    monkeypatch.setattr(steps, "enrich", broken)
    with pytest.raises(running.StepFailed, match="ValueError at ") as told:
        functions.invoke("enrich", {"keys": ["tweets/x"]})
    assert "operate/arrivals.py:" in str(told.value)
    assert "somebody wrote" not in str(told.value) + functions.log


def test_a_damaged_secret_stops_the_scrape_and_is_never_shown(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "cashtag-dev/x-accounts"
    text = json.dumps({"accounts": [{"name": "main", "auth_token": f"auth_token={SECRET}"}]})
    functions.client("secretsmanager").create_secret(Name=name, SecretString=text)
    monkeypatch.setenv("CASHTAG_LIVE__X__ACCOUNTS_SECRET", name)
    with pytest.raises(SettingsError, match=f"the secret {name}") as told:
        scraped(functions)
    assert SECRET not in str(told.value) + functions.log
    monkeypatch.setenv("CASHTAG_LIVE__X__ACCOUNTS_SECRET", "cashtag-dev/nobodys")
    with pytest.raises(SettingsError, match="ResourceNotFoundException"):
        scraped(functions)


def test_no_tweet_gets_into_a_log(functions: Functions, sites: Sites) -> None:
    sites.answers["NVDA"] = (post("NVDA", 1, "xylophone"), b'{"data": "xylophone"}', b"xylophone")
    scraped(functions)
    functions.invoke("enrich", put_event(("raw", layout.raw("tweets", MONDAY, "x", "NVDA"))))
    assert (
        "xylophone"
        in lines.read(functions.env.lake.raw.get(layout.raw("tweets", MONDAY, "x", "NVDA")), "")[
            0
        ].decode()
    )
    assert functions.log
    assert "xylophone" not in functions.log


@pytest.mark.parametrize("name", ["scrape", "enrich", "signals", "trade", "health"])
def test_a_handler_imports_no_engine(name: str) -> None:
    code = (
        f"import sys, cashtag.handlers.{name}\n"
        "heavy = {'duckdb', 'sqlglot', 'pandas', 'pyarrow', 'numpy', 'typer', 'rich', 'plotly',"
        " 'awswrangler', 'boto3', 'twscrape', 'yfinance', 'alpaca', 'bs4', 'httpx',"
        " 'exchange_calendars'}\n"
        "print(sorted(heavy & {module.split('.')[0] for module in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
