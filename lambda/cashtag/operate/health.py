"""What the health function looks at: whether the stack can work, and whether the day's work is done.

Every look ends in a finding; none raises for what it finds, so that one broken part does not hide
another. Findings name parts and remedies, never a secret or a text of a tweet.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time
from typing import Any, Literal

from cashtag import sessions
from cashtag.errors import CashtagError, KeyMissing, StoreError
from cashtag.lake import layout
from cashtag.ports import Env
from cashtag.redaction import redacted

Verdict = Literal["ok", "warn", "fail"]
ZONES = ("raw", "enriched", "signals", "ledger", "report")
_PROBE = "_HEALTH/probe"  # an object that is not there: to be told so takes the right to list
_SHOWN = 3  # differences that a finding spells out


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: ok, warn (works, but …) or fail (a person must act), and the remedy."""

    name: str
    status: Verdict
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """All checks, and the figures that alarms watch; a figure that could not be had is absent.

    `figures`: `drift` (tables), `missing` (days, 0 or 1), `mismatch` (differences),
    `loss` (dollars, of the account that lost most in the newest settled session).
    """

    checks: tuple[Check, ...]
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def status(self) -> Verdict:
        """The worst of the checks."""
        found = {check.status for check in self.checks}
        return "fail" if "fail" in found else "warn" if "warn" in found else "ok"

    def row(self) -> dict[str, Any]:
        """As plain values."""
        return {"status": self.status, "checks": [asdict(check) for check in self.checks]}


Look = Callable[[Env, datetime, dict[str, float]], Iterator[Check]]


def examine(env: Env, now: datetime) -> Report:
    """Look at everything; `now` (UTC) says which day should be published by then."""
    return _report(env, now, _LOOKS)


def smoke(env: Env, now: datetime) -> Report:
    """Look at what a stack that was just deployed must have, and ask the model one question."""
    return _report(env, now, _SMOKE)


def unsettled(error: CashtagError) -> Report:
    """The report of a stack whose settings are refused: nothing else can be looked at."""
    return Report((Check("settings", "fail", redacted(str(error)), "cashtag config set"),))


def _report(env: Env, now: datetime, looks: dict[str, Look]) -> Report:
    checks: list[Check] = []
    figures: dict[str, float] = {}
    for name, look in looks.items():
        try:
            checks += look(env, now, figures)
        except CashtagError as error:
            checks.append(Check(name, "fail", redacted(str(error)), "see the message"))
    return Report(tuple(checks), figures)


# ---------------------------------------------------------------- the looks


def _settings(env: Env, _now: datetime, _figures: dict[str, float]) -> Iterator[Check]:
    settings = env.settings
    found = f"{settings.environment}, profile {settings.profile}, hash {settings.config_hash()}"
    yield Check("settings", "ok", f"{found}, trade.mode {settings.trade.mode}")


def _zones(env: Env, _now: datetime, _figures: dict[str, float]) -> Iterator[Check]:
    for name in ZONES:
        store = getattr(env.lake, name)
        try:
            store.get(
                _PROBE
            )  # asked for by HEAD, a bucket that is gone looks like a missing object
        except KeyMissing:
            yield Check(f"zone {name}", "ok", store.uri())
        except CashtagError as error:
            yield Check(f"zone {name}", "fail", redacted(str(error)), "cashtag deploy")


def _catalog(env: Env, _now: datetime, figures: dict[str, float]) -> Iterator[Check]:
    """Every contract against its table in the Glue catalog."""
    import boto3
    from botocore.config import Config

    from cashtag.lake.contracts import contracts
    from cashtag.warehouse import catalog

    aws = env.settings.aws
    if not aws.database:
        yield Check("catalog", "fail", "aws.database is not set", "cashtag deploy")
        return
    retries = Config(retries={"mode": "standard"})
    glue = boto3.client("glue", region_name=aws.region or None, config=retries)
    try:
        drifted = catalog.drifted(glue, aws.database)
    except StoreError as refusal:
        yield Check("catalog", "fail", redacted(str(refusal)), "allow glue:GetTables")
        return
    figures["drift"] = len(drifted)
    if not drifted:
        yield Check("catalog", "ok", f"{len(contracts())} tables of {aws.database}")
    for name, said in drifted.items():
        yield Check("catalog", "fail", f"{name}: {'; '.join(said[:_SHOWN])}", "cashtag deploy")


def _endpoint(env: Env, _now: datetime, _figures: dict[str, float]) -> Iterator[Check]:
    """Whether the model's endpoint is in service; nothing is asked, which would start it."""
    if env.settings.enrich.model != "sagemaker":
        yield Check("endpoint", "ok", f"enrich.model is {env.settings.enrich.model}: none needed")
        return
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    name, retries = env.settings.models.sagemaker.name, Config(retries={"mode": "standard"})
    try:
        client = boto3.client(
            "sagemaker", region_name=env.settings.aws.region or None, config=retries
        )
        status = client.describe_endpoint(EndpointName=name)["EndpointStatus"]
    except (ClientError, BotoCoreError) as error:
        answer = getattr(error, "response", {}).get("Error", {})
        why = answer.get("Code") or type(error).__name__
        yield Check(
            "endpoint", "fail", f"{name}: {why}", "deploy the model (sagemaker/deploy_model.py)"
        )
        return
    # While it is updated it goes on answering, by the configuration before.
    verdict: Verdict = {"InService": "ok", "Updating": "warn", "SystemUpdating": "warn"}.get(
        status, "fail"
    )  # type: ignore[assignment]
    yield Check(
        "endpoint",
        verdict,
        f"{name} is {status}",
        "" if verdict == "ok" else "cashtag doctor --aws",
    )


def _answer(env: Env, _now: datetime, _figures: dict[str, float]) -> Iterator[Check]:
    """Ask the model for its version: it starts, where it sleeps."""
    yield Check("model", "ok", f"{env.scorer.name} {env.scorer.version}")


def _day(env: Env, now: datetime, figures: dict[str, float]) -> Iterator[Check]:
    """Whether the day's run is published, once it should be."""
    hour, minute = map(int, env.settings.aws.missing_after_utc.split(":"))
    dt = now.date()
    session = sessions.session_of_run(dt, env.settings.scrape.cutoff_utc)
    if _published(env, session, dt):
        figures["missing"] = 0
        yield Check("day", "ok", f"the run of {dt} is published for {session}")
    elif now.time() < time(hour, minute):
        yield Check(
            "day", "ok", f"the run of {dt} is due by {env.settings.aws.missing_after_utc} UTC"
        )
    else:
        figures["missing"] = 1
        scraped = any(True for _ in env.lake.raw.list(layout.manifests(dt)))
        step = "signals" if scraped else "scrape"
        yield Check(
            "day",
            "fail",
            f"the run of {dt} is not published for {session}; it was "
            f"{'scraped' if scraped else 'never scraped'}",
            f"cashtag logs {step}, then cashtag redrive {step}",
        )


def _published(env: Env, session: date, dt: date) -> bool:
    store, anything = env.lake.signals, layout.published(session, "*")
    return any(
        json.loads(store.get(info.key)).get("dt") == dt.isoformat()
        for info in store.list(anything.rstrip("*"))
    )


def _ledger(env: Env, now: datetime, figures: dict[str, float]) -> Iterator[Check]:
    """Books against events, and what the newest settled session cost."""
    from cashtag.trade import reconcile

    today = sessions.date_ny(now)
    try:
        found = reconcile.newest(env.lake.ledger, today)
    except CashtagError:
        figures["mismatch"] = 1
        raise
    if found is None:
        yield Check("ledger", "ok", "no session is settled yet")
        return
    figures["mismatch"] = len(found.differences)
    if found.differences:
        shown = "; ".join(found.differences[:_SHOWN])
        yield Check(
            "ledger",
            "fail",
            f"books and events of {found.session} differ: {shown}",
            "restore the ledger from its versions (RUNBOOK); trading halts until then",
        )
    else:
        yield Check("ledger", "ok", f"books and events of {found.session} agree")
    entry = env.settings.trade.entry
    losses = {name: before - after for name, (before, after) in found.equity.items()}
    figures["loss"] = max(0.0, *losses.values()) if losses else 0.0
    over = [
        f"{name} lost ${losses[name]:,.2f}"
        for name, (before, _) in found.equity.items()
        if losses[name] >= min(entry.daily_loss_dollars, entry.daily_loss_share * before)
    ]
    if over:
        yield Check(
            "loss",
            "warn",
            f"on {found.session} {'; '.join(over)}",
            "look at that session in the digest, or in the table positions",
        )
    else:
        yield Check("loss", "ok", f"${figures['loss']:,.2f} at most on {found.session}")


_LOOKS: dict[str, Look] = {
    "settings": _settings,
    "zones": _zones,
    "catalog": _catalog,
    "endpoint": _endpoint,
    "day": _day,
    "ledger": _ledger,
}
_SMOKE: dict[str, Look] = {
    "settings": _settings,
    "zones": _zones,
    "catalog": _catalog,
    "endpoint": _endpoint,
    "model": _answer,
}
