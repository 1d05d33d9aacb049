"""What a month of the stack costs: its template's resources, a month's usage, list prices.

Without an account the usage is that of `[aws.usage]`; of a deployed stack the functions' calls
and seconds are its own. Each line says its arithmetic, by list price and with what every account
has free for ever.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cashtag.operate import cost as models
from cashtag.operate.cloud import STEPS, template
from cashtag.settings import Settings

NOTE = (
    "List prices of [aws.prices], not a bill: confirm them for your region. Free amounts are those "
    "of an account that does nothing else."
)
_MILLION = 1e6
_MEGABYTES = 1e6  # of a terabyte, as Athena counts: 10^12 bytes
_KILOBYTES = 1e6  # of a gigabyte
_MONTH_HOURS = 730.5


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is paid for: dollars a month by list price, and after what is free."""

    what: str
    listed: float
    after_free: float
    of: str

    def row(self) -> dict[str, Any]:
        """The line as a row to print."""
        return {
            "what": self.what,
            "per_month": round(self.listed, 4),
            "after_free": round(self.after_free, 4),
            "of": self.of,
        }


@dataclass(frozen=True)
class Calls:
    """A month's calls and seconds of each function, and where that is known from."""

    count: Mapping[str, float]
    seconds: Mapping[str, float]
    source: str


def assumed(settings: Settings) -> Calls:
    """Calls and seconds of a month of daily runs, as `[aws.usage]` says."""
    use, days = settings.aws.usage, settings.models.cost.days_per_month
    count = {
        "scrape": 2 * days,
        "enrich": (use.tickers + use.other_objects) * days,
        "signals": 2 * days,
        "trade": days + (1 + use.manage_per_session) * use.sessions_per_month,
        "health": days,
    }
    seconds = {
        "scrape": (use.scrape_seconds + use.resume_seconds) * days,
        "enrich": count["enrich"] * use.enrich_seconds,
        "signals": use.signals_seconds * days,  # a deadline that finds its day done takes none
        "trade": count["trade"] * use.trade_seconds,
        "health": count["health"] * use.health_seconds,
    }
    return Calls(count, seconds, "as [aws.usage] assumes")


def estimate(
    settings: Settings,
    whole: Mapping[str, Any] | None = None,
    given: Mapping[str, str] | None = None,
    calls: Calls | None = None,
    tweets_per_day: float | None = None,
) -> list[Line]:
    """The month's lines, the dearest first.

    Args:
        settings: prices, usage, and the endpoint's memory and speed.
        whole: the template; by default that of the installation.
        given: parameters of the stack; its defaults otherwise.
        calls: of the functions; by default as assumed.
        tweets_per_day: by default what a scrape asks for at most.
    """
    whole = template.load() if whole is None else whole
    made = template.active(whole, given)
    kinds = Counter(told["Type"] for told in made.values())
    calls = calls or assumed(settings)
    tweets = tweets_per_day or settings.aws.usage.tickers * settings.scrape.tweets_per_ticker
    lines = [
        *_functions(settings, whole, made, given, calls),
        _endpoint(settings, tweets),
        *_lake(settings, calls),
        _crawlers(settings, whole, made, given),
        *_watching(settings, kinds, whole),
        _secrets(settings, kinds),
    ]
    if keys := kinds["AWS::KMS::Key"]:
        price = settings.aws.prices.key_month
        lines.append(Line("keys", keys * price, keys * price, f"{keys} x ${price:g}"))
    return sorted(lines, key=lambda line: (-line.listed, line.what))


def total(lines: list[Line]) -> Line:
    """The sum, as a line."""
    return Line(
        "total", sum(line.listed for line in lines), sum(line.after_free for line in lines), ""
    )


# ---------------------------------------------------------------- the lines


def _functions(
    settings: Settings,
    whole: Mapping[str, Any],
    made: Mapping[str, Any],
    given: Mapping[str, str] | None,
    calls: Calls,
) -> list[Line]:
    price = settings.aws.prices
    gigabytes = {
        step: float(
            template.resolved(
                whole, made[f"{step.capitalize()}Function"]["Properties"]["MemorySize"], given
            )
        )
        / 1024
        for step in STEPS
    }
    used = {step: calls.seconds[step] * gigabytes[step] for step in STEPS}
    count = sum(calls.count.values())
    computing = sum(used.values())
    parts = " + ".join(f"{step} {used[step]:,.0f}" for step in STEPS)
    schedules = 4 * settings.models.cost.days_per_month + calls.count["trade"]
    return [
        _line(
            "functions, computing",
            computing,
            price.lambda_free_gb_seconds,
            price.lambda_gb_second,
            f"{parts} GB-seconds x ${models.plain(price.lambda_gb_second)}",
        ),
        _line(
            "functions, calls",
            count,
            price.lambda_free_requests,
            price.lambda_request_million / _MILLION,
            f"{count:,.0f} x ${price.lambda_request_million:g} a million ({calls.source})",
        ),
        _line(
            "schedules",
            schedules,
            price.free_schedules,
            price.schedule_million / _MILLION,
            f"{schedules:,.0f} x ${price.schedule_million:g} a million",
        ),
    ]


def _endpoint(settings: Settings, tweets: float) -> Line:
    cost = settings.models.cost
    each = models.serverless(cost, cost.model_milliseconds, cost.serverless_memory_gb)
    month = each * tweets * cost.days_per_month
    return Line(
        "sentiment endpoint, serverless",
        month,
        month,
        f"{tweets:,.0f} tweets a day x {cost.days_per_month:g} x {cost.model_milliseconds:g} ms x "
        f"{cost.serverless_memory_gb} GB x ${models.plain(cost.serverless_gb_second)} a GB-second",
    )


def _lake(settings: Settings, calls: Calls) -> list[Line]:
    price, use, athena = settings.aws.prices, settings.aws.usage, settings.aws.athena
    days = settings.models.cost.days_per_month
    puts = ((use.tickers + use.other_objects) * use.objects_per_raw + use.queries_per_run) * days
    gets = 4 * puts
    stored = use.gigabytes_kept * price.s3_gb_month
    asked = puts / 1000 * price.s3_put_thousand + gets / 1000 * price.s3_get_thousand
    queries = use.queries_per_run * days
    scanned = queries * athena.billed_megabytes / _MEGABYTES * athena.dollars_per_terabyte
    return [
        Line(
            "buckets",
            stored + asked,
            stored + asked,
            f"{use.gigabytes_kept:g} GB x ${price.s3_gb_month:g} + {puts:,.0f} puts x "
            f"${price.s3_put_thousand:g}/1,000 + {gets:,.0f} gets x ${price.s3_get_thousand:g}/1,000",
        ),
        Line(
            "queries",
            scanned,
            scanned,
            f"{queries:,.0f} x {athena.billed_megabytes:g} MB at least x "
            f"${athena.dollars_per_terabyte:g} a TB",
        ),
        _line(
            "logs",
            (gigabytes := sum(calls.count.values()) * use.kilobytes_per_call / _KILOBYTES),
            price.logs_free_gigabytes,
            price.logs_gigabyte,
            f"{gigabytes:.3f} GB x ${price.logs_gigabyte:g}",
        ),
    ]


def _crawlers(
    settings: Settings,
    whole: Mapping[str, Any],
    made: Mapping[str, Any],
    given: Mapping[str, str] | None,
) -> Line:
    price, days = settings.aws.prices, settings.models.cost.days_per_month
    crawlers = {name: told for name, told in made.items() if told["Type"] == "AWS::Glue::Crawler"}
    runs = sum(
        _runs_a_month(_schedule(whole, told["Properties"].get("Schedule"), given), days)
        for told in crawlers.values()
    )
    each = price.crawler_dpus * price.crawler_least_minutes / 60 * price.crawler_dpu_hour
    return Line(
        "crawlers",
        runs * each,
        runs * each,
        f"{len(crawlers)} crawlers, {runs:.1f} runs x {price.crawler_dpus:g} DPU x "
        f"{price.crawler_least_minutes:g} min x ${price.crawler_dpu_hour:g} an hour",
    )


def _schedule(whole: Mapping[str, Any], told: Any, given: Mapping[str, str] | None) -> str:
    found = template.resolved(whole, told, given)
    return str(found["ScheduleExpression"]) if isinstance(found, Mapping) else ""


def _runs_a_month(expression: str, days: float) -> float:
    """Runs of a cron or rate schedule that runs once a day, on days of the week, or of the month."""
    if not expression:
        return 0.0
    if not expression.startswith("cron("):
        return days  # a rate: taken for a daily one
    _minute, _hour, of_month, _month, of_week, *_ = expression[5:-1].split()
    if of_week not in ("?", "*"):
        return len(of_week.split(",")) * days / 7
    return days if of_month in ("*", "?") else float(len(of_month.split(",")))


def _watching(settings: Settings, kinds: Mapping[str, int], whole: Mapping[str, Any]) -> list[Line]:
    price, use = settings.aws.prices, settings.aws.usage
    alarms, boards = kinds["AWS::CloudWatch::Alarm"], kinds["AWS::CloudWatch::Dashboard"]
    metrics = len(_own_metrics(settings, whole))
    share = use.hours_with_metrics / _MONTH_HOURS
    return [
        _line(
            "alarms",
            alarms,
            price.free_alarms,
            price.alarm_month,
            f"{alarms} x ${price.alarm_month:g}",
        ),
        _line(
            "dashboards",
            boards,
            price.free_dashboards,
            price.dashboard_month,
            f"{boards} x ${price.dashboard_month:g}",
        ),
        _line(
            "metrics",
            metrics * share,
            price.free_metrics,
            price.metric_month,
            f"{metrics} x ${price.metric_month:g} x {use.hours_with_metrics:g} of "
            f"{_MONTH_HOURS:g} hours",
        ),
    ]


def _own_metrics(settings: Settings, whole: Mapping[str, Any]) -> set[str]:
    """Names of the metrics in our namespace that alarms and dashboards refer to."""
    namespace = settings.aws.metrics_namespace
    found: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, Mapping):
            if node.get("Namespace") == namespace and isinstance(node.get("MetricName"), str):
                found.add(node["MetricName"])
            node = list(node.values())
        elif isinstance(node, list) and node[:1] == [namespace]:  # a line of a dashboard's widget
            found.add(node[1])
        for value in node if isinstance(node, list) else ():
            walk(value)

    for told in whole["Resources"].values():
        walk(told)
        if told["Type"] == "AWS::CloudWatch::Dashboard" and told["Properties"]:
            body = told["Properties"]["DashboardBody"]["Fn::Sub"]
            walk(json.loads(body if isinstance(body, str) else body[0]))
    return found


def _secrets(settings: Settings, kinds: Mapping[str, int]) -> Line:
    count, price = kinds["AWS::SecretsManager::Secret"], settings.aws.prices.secret_month
    return Line("secrets", count * price, count * price, f"{count} x ${price:g}")


def _line(what: str, quantity: float, free: float, price: float, of: str) -> Line:
    return Line(what, quantity * price, max(0.0, quantity - free) * price, of)
