"""The figures that functions report to CloudWatch, each name spelled here and nowhere else.

They are written to the log in CloudWatch's embedded metric format: no request, no permission.
Dimensions are `service` and `environment`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import MappingProxyType

from cashtag.settings import Settings

TWEETS = "TweetIngestionRate"  # tweets that one scrape brought
SENTIMENT = "SentimentScoreDistribution"  # mean polarity of one enriched object, -1 to 1
SIGNALS = "TradingSignalsGenerated"  # signals with a direction, of one session
TRADES = "TradesExecuted"  # orders that were filled, of one session
PORTFOLIO = "PortfolioValue"  # equity of all accounts, dollars
PERFORMANCE = "PortfolioPerformance"  # % against the equity of the session before
COVERAGE = "Coverage"  # share of a run: of tickers that answered, or of usual tweets, 0 to 1
DAY_MISSING = "DayMissing"  # 1: a day that should be published is not
LEDGER_MISMATCH = "LedgerMismatch"  # differences between books and events
DAILY_LOSS = "DailyLoss"  # dollars lost in a session by the account that lost most
SCHEMA_DRIFT = "SchemaDrift"  # tables of the catalog that differ from their contract

UNITS = MappingProxyType(
    {
        TWEETS: "Count",
        SENTIMENT: "None",
        SIGNALS: "Count",
        TRADES: "Count",
        PORTFOLIO: "None",
        PERFORMANCE: "Percent",
        COVERAGE: "None",
        DAY_MISSING: "Count",
        LEDGER_MISMATCH: "Count",
        DAILY_LOSS: "None",
        SCHEMA_DRIFT: "Count",
    }
)

Values = Iterable[tuple[str, float]]


def emit(settings: Settings, values: Values) -> None:
    """Report values; several of one name are a distribution."""
    found = list(values)
    if not found:
        return
    from aws_lambda_powertools.metrics import EphemeralMetrics

    metrics = EphemeralMetrics(
        namespace=settings.aws.metrics_namespace,
        service=os.environ.get("POWERTOOLS_SERVICE_NAME", settings.aws.stack),
    )
    metrics.add_dimension(name="environment", value=settings.environment)
    for name, value in found:
        metrics.add_metric(name=name, unit=UNITS[name], value=value)
    if metrics.metric_set:  # so many values may have gone out already
        metrics.flush_metrics()
