"""The deployed stack at work, as an operator sees it: logs, schedules, failures, settings, cost."""

STEPS = ("scrape", "enrich", "signals", "trade", "health")
