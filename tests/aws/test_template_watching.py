"""What watches the stack: alarms, dashboard, budget, crawlers; and the settings functions are given."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from stack_template import ACCOUNT, REGION, Stack

from cashtag.handlers import metrics
from cashtag.lake.contracts import contracts
from cashtag.operate.cloud import bill
from cashtag.settings import Settings, load
from cashtag.settings.loading import load_with_origin

ROOT = Path(__file__).parents[2]
FILE = ROOT / "cloudformation" / "cashtag.yaml"
NAME = "cashtag-dev"
GIVEN = {"CodeKey": "functions/0a1b.zip"}
STEPS = ("scrape", "enrich", "signals", "trade", "health")
# Every alarm by hand: metric, comparison, threshold, seconds, what silence means.
OVER, UNDER = "GreaterThanOrEqualToThreshold", "LessThanThreshold"
ALARMS = {
    **{f"{step}-errors": ("Errors", OVER, 1, 900, "notBreaching") for step in STEPS},
    "enrich-errors": ("Errors", OVER, 5, 900, "notBreaching"),
    **{
        f"{step}-throttles": ("Throttles", OVER, 1, 900, "notBreaching")
        for step in ("scrape", "signals", "trade")
    },
    "enrich-throttles": ("Throttles", OVER, 1, 1800, "notBreaching"),
    **{
        f"{name}-failures": (
            "ApproximateNumberOfMessagesVisible",
            OVER,
            1,
            300,
            "notBreaching",
        )
        for name in (*STEPS, "alert")
    },
    "day-missing": ("DayMissing", OVER, 1, 3600, "notBreaching"),
    "health-silent": ("Invocations", UNDER, 1, 30 * 3600, "breaching"),
    "coverage": ("Coverage", UNDER, 0.6, 3600, "notBreaching"),
    "ledger-mismatch": ("LedgerMismatch", OVER, 1, 3600, "notBreaching"),
    "daily-loss": ("DailyLoss", OVER, 500, 3600, "notBreaching"),
    "schema-drift": ("SchemaDrift", OVER, 1, 3600, "notBreaching"),
    "endpoint-errors": ("Invocation5XXErrors", OVER, 1, 1800, "notBreaching"),
    "endpoint-latency": ("ModelLatency", OVER, 30_000_000, 1800, "notBreaching"),
}
# What Athena, Lambda, SageMaker and SQS call their own metrics.
VENDED = {
    "AWS/Lambda": {"Errors", "Throttles", "Invocations", "Duration"},
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible"},
    "AWS/SageMaker": {"Invocations", "Invocation5XXErrors", "ModelLatency"},
    "AWS/Athena": {"ProcessedBytes"},
}
PRODUCT = {  # features.md, section 6
    "TweetIngestionRate",
    "SentimentScoreDistribution",
    "TradingSignalsGenerated",
    "TradesExecuted",
    "PortfolioValue",
    "PortfolioPerformance",
}


@pytest.fixture(scope="module")
def stack(whole: dict[str, Any]) -> Stack:
    return Stack(whole, NAME, GIVEN)


def alarms(stack: Stack) -> dict[str, dict[str, Any]]:
    return {
        alarm["AlarmName"].removeprefix(f"{NAME}-"): alarm
        for _, alarm in stack.resources("AWS::CloudWatch::Alarm")
    }


# ---------------------------------------------------------------- alarms


def test_alarms_watch_what_they_should_and_tell_people(stack: Stack) -> None:
    found = {
        name: (
            alarm["MetricName"],
            alarm["ComparisonOperator"],
            alarm["Threshold"],
            alarm["Period"] * alarm["EvaluationPeriods"],
            alarm["TreatMissingData"],
        )
        for name, alarm in alarms(stack).items()
    }
    assert found == ALARMS
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}-alerts"
    for name, alarm in alarms(stack).items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [topic], name
        assert alarm["AlarmDescription"], name


def test_alarms_and_dashboard_name_metrics_that_somebody_reports(stack: Stack) -> None:
    own = set(metrics.UNITS)
    for name, alarm in alarms(stack).items():
        known = own if alarm["Namespace"] == "Cashtag" else VENDED[alarm["Namespace"]]
        assert alarm["MetricName"] in known, name
    for line in lines(dashboard(stack)):
        known = own if line[0] == "Cashtag" else VENDED[line[0]]
        assert line[1] in known, line


def test_own_metrics_are_found_by_the_dimensions_that_functions_write(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = stack.properties("SignalsFunction")["Environment"]["Variables"]
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", variables["POWERTOOLS_SERVICE_NAME"])
    metrics.emit(settings_of(variables), [(metrics.COVERAGE, 0.5)])
    written = json.loads(capsys.readouterr().out.splitlines()[-1])
    ((told),) = written["_aws"]["CloudWatchMetrics"]
    names = {name for group in told["Dimensions"] for name in group}
    dimensions = {name: written[name] for name in names}
    for name, alarm in alarms(stack).items():
        if alarm["Namespace"] == "Cashtag":
            assert told["Namespace"] == "Cashtag"
            assert {d["Name"]: d["Value"] for d in alarm["Dimensions"]} == dimensions, name
    for line in lines(dashboard(stack)):
        if line[0] == "Cashtag":
            texts = [part for part in line[2:] if isinstance(part, str)]
            assert dict(zip(texts[::2], texts[1::2], strict=True)) == dimensions


def test_an_alarm_of_a_function_or_a_queue_watches_that_of_its_name(stack: Stack) -> None:
    for name, alarm in alarms(stack).items():
        ((dimension), *_) = alarm["Dimensions"]
        if alarm["Namespace"] == "AWS/Lambda":
            assert dimension == {"Name": "FunctionName", "Value": f"{NAME}-{name.split('-')[0]}"}
        if alarm["Namespace"] == "AWS/SQS":
            assert dimension == {"Name": "QueueName", "Value": f"{NAME}-{name}"}


def test_no_alarm_looks_back_further_than_cloudwatch_does(stack: Stack) -> None:
    """A day at most for periods below an hour, a week for longer ones ("PutMetricAlarm")."""
    for name, alarm in alarms(stack).items():
        span = alarm["Period"] * alarm["EvaluationPeriods"]
        assert span <= (7 * 86_400 if alarm["Period"] >= 3600 else 86_400), name


def test_thresholds_are_those_of_the_settings(whole: dict[str, Any]) -> None:
    settings = load(environ={})
    default = {name: one.get("Default") for name, one in whole["Parameters"].items()}
    assert default["CoverageBelow"] == settings.scrape.coverage.partial_below
    assert default["DailyLossDollars"] == settings.trade.entry.daily_loss_dollars
    assert default["MonthlyBudget"] == settings.aws.monthly_budget
    assert default["AthenaScanBytes"] == settings.aws.athena.scan_megabytes_per_query * 1024**2
    assert default["EndpointConcurrency"] == settings.models.sagemaker.concurrency


def test_schedules_are_those_of_the_settings(whole: dict[str, Any]) -> None:
    settings = load(environ={})
    default = {name: one.get("Default") for name, one in whole["Parameters"].items()}
    hour, minute = map(int, settings.scrape.cutoff_utc.split(":"))

    def cron(after: float = 0, hour: int = hour, minute: int = minute, days: str = "* * ?") -> str:
        at = hour * 60 + minute + int(after)
        return f"cron({at % 60} {at // 60} {days} *)"

    assert default["ScrapeSchedule"] == settings.scrape.schedule == cron()
    assert default["ResumeSchedule"] == cron(settings.scrape.resume_after_minutes)
    assert default["DeadlineSchedule"] == cron(settings.scrape.deadline_minutes)
    missing = settings.aws.missing_after_utc.split(":")
    assert default["HealthSchedule"] == cron(hour=int(missing[0]), minute=int(missing[1]))
    execute = settings.trade.execute_ny.split(":")
    assert default["ExecuteSchedule"] == cron(
        hour=int(execute[0]), minute=int(execute[1]), days="? * MON-FRI"
    )
    begin = settings.trade.manage_from_ny.split(":")
    every = settings.trade.manage_every_minutes
    assert (
        default["ManageOpenSchedule"] == f"cron({begin[1]}/{every} {int(begin[0])} ? * MON-FRI *)"
    )
    assert default["ManageSchedule"] == f"cron(0/{every} 10-15 ? * MON-FRI *)"


# ---------------------------------------------------------------- dashboard and budget


def dashboard(stack: Stack) -> list[dict[str, Any]]:
    widgets: list[dict[str, Any]] = json.loads(stack.properties("Dashboard")["DashboardBody"])[
        "widgets"
    ]
    return widgets


def lines(widgets: list[dict[str, Any]]) -> list[list[Any]]:
    return [line for widget in widgets for line in widget["properties"].get("metrics", [])]


def test_the_dashboard_shows_each_function_and_the_six_figures(stack: Stack) -> None:
    shown = {(line[0], line[1], line[3]) for line in lines(dashboard(stack))}
    for step in STEPS:
        for metric in ("Invocations", "Errors", "Duration"):
            assert ("AWS/Lambda", metric, f"{NAME}-{step}") in shown
    assert {metric for space, metric, _ in shown if space == "Cashtag"} == PRODUCT


def test_the_dashboard_shows_every_alarm(stack: Stack) -> None:
    ((widget),) = [w for w in dashboard(stack) if w["type"] == "alarm"]
    prefix = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{NAME}-"
    assert sorted(widget["properties"]["alarms"]) == sorted(prefix + name for name in ALARMS)


def test_widgets_lie_beside_each_other_on_a_grid_of_24(stack: Stack) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in dashboard(stack):
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def test_the_dashboards_address_is_an_output(stack: Stack) -> None:
    name = stack.properties("Dashboard")["DashboardName"]
    assert stack.outputs()["DashboardUrl"].endswith(f"region={REGION}#dashboards/dashboard/{name}")


def test_the_budget_writes_before_it_is_spent(whole: dict[str, Any]) -> None:
    budget = Stack(whole, NAME, GIVEN).properties("Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 10, "Unit": "USD"}
    assert "CostFilters" not in budget["Budget"]  # the account's: a tag must be activated first
    told = {
        (one["Notification"]["NotificationType"], one["Notification"]["Threshold"])
        for one in budget["NotificationsWithSubscribers"]
    }
    assert told == {("ACTUAL", 80), ("FORECASTED", 100)}
    assert not Stack(whole, NAME, {**GIVEN, "MonthlyBudget": "0"}).has("Budget")
    tagged = Stack(whole, NAME, {**GIVEN, "BudgetScope": "stack"}).properties("Budget")
    assert bill.TAG == "aws:cloudformation:stack-name"  # one tag to activate, for bill and budget
    assert tagged["Budget"]["CostFilters"] == {"TagKeyValue": [f"{bill.TAG}${NAME}"]}


# ---------------------------------------------------------------- catalog


def test_tables_are_those_of_the_contracts(stack: Stack) -> None:
    found = {}
    for _, table in stack.resources("AWS::Glue::Table"):
        told = table["TableInput"]
        assert table["DatabaseName"] == "cashtag_dev"
        found[told["Name"]] = told
    assert set(found) == set(contracts())
    for name, contract in contracts().items():
        storage = found[name]["StorageDescriptor"]
        columns = {column["Name"]: column["Type"] for column in storage["Columns"]}
        assert list(columns.items()) == list(contract.glue_types().items())
        place = f"s3://{NAME}-{contract.zone}-{ACCOUNT}-{REGION}/{name}/"
        assert storage["Location"] == place
        ((key),) = found[name]["PartitionKeys"]
        assert (key["Name"], key["Type"]) == (contract.partition, "date")


def test_a_table_as_written_by_hand(stack: Stack) -> None:
    told = stack.properties("TickerUniverseTable")["TableInput"]
    assert told["TableType"] == "EXTERNAL_TABLE"
    assert [(c["Name"], c["Type"]) for c in told["StorageDescriptor"]["Columns"]] == [
        ("ticker", "string"),
        ("sector", "string"),
        ("catalyst", "string"),
        ("confidence", "double"),
        ("expected_volume", "string"),
        ("rank", "int"),
        ("source", "string"),
    ]


def test_partitions_that_a_crawler_adds_are_as_their_table(stack: Stack) -> None:
    for name, crawler in stack.resources("AWS::Glue::Crawler"):
        assert crawler["SchemaChangePolicy"]["DeleteBehavior"] == "LOG", name
        told = json.loads(crawler["Configuration"])
        partitions = told["CrawlerOutput"]["Partitions"]
        assert partitions == {"AddOrUpdateBehavior": "InheritFromTable"}, name


def test_no_crawler_changes_a_table_of_a_contract(stack: Stack) -> None:
    tables, raw = stack.properties("TablesCrawler"), stack.properties("RawCrawler")
    assert tables["SchemaChangePolicy"]["UpdateBehavior"] == "LOG"
    # That of raw changes its own ones: new fields of a source become columns.
    assert raw["SchemaChangePolicy"]["UpdateBehavior"] == "UPDATE_IN_DATABASE"
    assert not any(name.startswith(raw["TablePrefix"]) for name in contracts())


def test_the_raw_crawler_makes_four_tables_for_ad_hoc_sql(stack: Stack) -> None:
    crawler = stack.properties("RawCrawler")
    bucket = f"s3://{NAME}-raw-{ACCOUNT}-{REGION}"
    assert [target["Path"] for target in crawler["Targets"]["S3Targets"]] == [
        f"{bucket}/{kind}/" for kind in ("tweets", "news", "prices", "options")
    ]
    assert crawler["TablePrefix"] == "raw_"
    assert {target["SampleSize"] for target in crawler["Targets"]["S3Targets"]} == {3}
    grouping = json.loads(crawler["Configuration"])["Grouping"]
    assert grouping["TableLevelConfiguration"] == 2  # bucket/tweets is one table, whatever is below


def test_the_other_crawler_looks_below_the_tables_and_never_beside_them(stack: Stack) -> None:
    crawler = stack.properties("TablesCrawler")
    assert set(crawler["Targets"]) == {"CatalogTargets"}
    ((target),) = crawler["Targets"]["CatalogTargets"]
    assert target["DatabaseName"] == "cashtag_dev"
    assert set(target["Tables"]) == {
        name for name, one in contracts().items() if one.zone in ("enriched", "signals")
    }
    beside = {"stage", "scores", "config", "quarantine", "_SUCCESS", "_PUBLISHED"}
    assert not beside & set(target["Tables"])


def test_crawlers_run_once_a_week_or_by_hand(whole: dict[str, Any]) -> None:
    """A run bills ten minutes of two DPUs at least: 2 x 1/6 h x $0.44 = $0.15."""
    for _, crawler in Stack(whole, NAME, GIVEN).resources("AWS::Glue::Crawler"):
        assert crawler["Schedule"] == {"ScheduleExpression": "cron(30 13 ? * SUN *)"}
    for _, crawler in Stack(whole, NAME, {**GIVEN, "CrawlerSchedule": ""}).resources(
        "AWS::Glue::Crawler"
    ):
        assert "Schedule" not in crawler


def test_drift_that_a_crawler_finds_is_told(stack: Stack) -> None:
    rule = stack.properties("SchemaDrifted")
    assert rule["EventPattern"]["detail"] == {
        "crawlerName": [f"{NAME}-tables"],
        "state": ["Succeeded"],
        "$or": [
            {"tablesCreated": [{"anything-but": "0"}]},
            {"tablesUpdated": [{"anything-but": "0"}]},
            {"tablesDeleted": [{"anything-but": "0"}]},
        ],
    }
    failed = stack.properties("CrawlerFailed")["EventPattern"]["detail"]
    assert failed == {"crawlerName": [f"{NAME}-raw", f"{NAME}-tables"], "state": ["Failed"]}
    names = {crawler["Name"] for _, crawler in stack.resources("AWS::Glue::Crawler")}
    assert names == set(failed["crawlerName"])


def test_the_workgroup_holds_every_query_to_its_limits(whole: dict[str, Any]) -> None:
    group = Stack(whole, NAME, GIVEN).properties("Workgroup")
    assert group["Name"] == NAME
    told = group["WorkGroupConfiguration"]
    assert told["EnforceWorkGroupConfiguration"] is True
    assert told["EngineVersion"] == {"SelectedEngineVersion": "Athena engine version 3"}
    assert told["BytesScannedCutoffPerQuery"] == 1024**3
    assert told["ResultConfiguration"] == {
        "OutputLocation": f"s3://{NAME}-results-{ACCOUNT}-{REGION}/athena/",
        "ExpectedBucketOwner": ACCOUNT,
        "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
    }
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234"
    keyed = Stack(whole, NAME, {**GIVEN, "KmsKey": key}).properties("Workgroup")
    assert keyed["WorkGroupConfiguration"]["ResultConfiguration"]["EncryptionConfiguration"] == {
        "EncryptionOption": "SSE_KMS",
        "KmsKey": key,
    }


def test_named_queries_ask_for_as_many_values_as_they_list(stack: Stack) -> None:
    for name, query in stack.resources("AWS::Athena::NamedQuery"):
        listed = re.findall(r"^-- (\d+): [a-z_]+, as in ", query["QueryString"], re.MULTILINE)
        assert [int(number) for number in listed] == list(range(1, len(listed) + 1)), name
        sql = re.sub(r"--[^\n]*|'(?:[^']|'')*'", "", query["QueryString"])
        assert sql.count("?") == len(listed), name
        assert not re.search(r"(?<!:):[a-z_]+", sql), name
        assert (query["Database"], query["WorkGroup"]) == ("cashtag_dev", NAME)


# ---------------------------------------------------------------- settings


def settings_of(variables: dict[str, Any]) -> Settings:
    environ = {key: str(value) for key, value in variables.items()}
    return load(environ={**environ, "CASHTAG_CONFIG": "/dev/null"})


@pytest.mark.parametrize("step", STEPS)
def test_every_variable_of_a_function_is_a_setting(stack: Stack, step: str) -> None:
    variables = stack.properties(f"{step.capitalize()}Function")["Environment"]["Variables"]
    environ = {key: str(value) for key, value in variables.items()}
    loaded = load_with_origin(environ={**environ, "CASHTAG_CONFIG": "/dev/null"})
    ours = [key for key in variables if key.startswith("CASHTAG_")]
    assert sum(place == "environment" for place in loaded.origin.values()) == len(ours)
    assert set(variables) - set(ours) == {
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_METRICS_NAMESPACE",
        "HOME",
    }


def test_functions_are_told_of_the_stack_by_one_and_the_same_environment(stack: Stack) -> None:
    every = [
        stack.properties(f"{step.capitalize()}Function")["Environment"]["Variables"]
        for step in STEPS
    ]
    assert all(variables == every[0] for variables in every)
    settings = settings_of(every[0])
    aws = settings.aws
    for zone in ("raw", "enriched", "signals", "ledger", "results"):
        assert getattr(aws, zone) == f"{NAME}-{zone}-{ACCOUNT}-{REGION}"
    assert (aws.database, aws.workgroup) == ("cashtag_dev", NAME)
    assert aws.topic == f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}-alerts"
    assert (aws.event_bus, aws.parameter) == ("default", f"/{NAME}/settings")
    assert settings.environment == "dev"
    assert settings.enrich.model == "sagemaker"
    assert settings.models.sagemaker.name == f"{NAME}-sentiment"
    assert settings.models.sagemaker.concurrency == 1
    assert settings.live.x.accounts_secret == f"{NAME}/x-accounts"
    assert settings.live.alpaca.credentials_secret == f"{NAME}/alpaca"
    assert every[0]["POWERTOOLS_METRICS_NAMESPACE"] == aws.metrics_namespace


def test_what_the_functions_are_told_is_what_a_laptop_reads_from_the_outputs(stack: Stack) -> None:
    from cashtag.operate.stack import Stack as Found

    variables = stack.properties("SignalsFunction")["Environment"]["Variables"]
    found = Found(NAME, "dev", REGION, ACCOUNT, "CREATE_COMPLETE", stack.outputs())
    there, here = settings_of(variables), found.settings(load(environ={}))
    assert here.aws == there.aws.model_copy(update={"region": REGION})
    assert here.models.sagemaker.name == there.models.sagemaker.name
    for step in STEPS:
        assert stack.outputs()[f"{step.capitalize()}Function"] == f"{NAME}-{step}"


def test_deploying_changes_nothing_that_a_derived_row_depends_on(stack: Stack) -> None:
    """So that the cloud's rows carry the laptop's config_hash for the same model."""
    variables = stack.properties("SignalsFunction")["Environment"]["Variables"]
    laptop = load(environ={"CASHTAG_CONFIG": "/dev/null", "CASHTAG_ENRICH__MODEL": "sagemaker"})
    assert settings_of(variables).config_hash() == laptop.config_hash()


# ---------------------------------------------------------------- parameters


def test_every_parameter_is_used_described_and_bounded(whole: dict[str, Any]) -> None:
    text = json.dumps({key: whole[key] for key in ("Resources", "Conditions", "Outputs")})
    groups = whole["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(whole["Parameters"])
    for name, parameter in whole["Parameters"].items():
        assert f'"Ref": "{name}"' in text, name
        assert parameter["Description"], name
        bounds = {"AllowedPattern", "AllowedValues", "MinValue"}
        assert bounds & set(parameter) or name == "BedrockModelArns", name


def test_only_the_codes_key_must_be_given(whole: dict[str, Any]) -> None:
    must = {name for name, one in whole["Parameters"].items() if "Default" not in one}
    assert must == {"CodeKey"}


def test_every_default_fits_its_own_bounds(whole: dict[str, Any]) -> None:
    for name, parameter in whole["Parameters"].items():
        default = parameter.get("Default")
        if default is None:
            continue
        if "AllowedPattern" in parameter:
            assert re.fullmatch(parameter["AllowedPattern"], default), name
        if "AllowedValues" in parameter:
            assert default in parameter["AllowedValues"], name
        if "MinValue" in parameter:
            assert parameter["MinValue"] <= float(default), name
            assert float(default) <= parameter.get("MaxValue", float("inf")), name


@pytest.mark.parametrize(
    ("name", "fits", "does_not"),
    [
        ("AlertEmail", "ops+cash@example.co.uk", "ops"),
        ("AlertPhone", "+15551234567", "0555 1234567"),
        ("EndpointName", "my-model-2", "My_Model"),
        ("ScrapeSchedule", "cron(30 11 ? * MON-FRI *)", "rate(1 day)"),
        ("ScheduleTimezone", "America/Argentina/Buenos_Aires", "12:00"),
        ("KmsKey", "create", "alias/mine"),
        ("CodeKey", "functions/0a1b2c.zip", "functions/a b.zip"),
        ("CodeBucket", "cashtag-artifacts-123456789012-us-east-1", "Mine"),
        (
            "XAccountsSecretArn",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf",
            "x-accounts",
        ),
        (
            "PandasLayerArn",
            "arn:aws:lambda:us-east-1:336392948345:layer:AWSSDKPandas-Python312:26",
            "arn:aws:lambda:us-east-1:336392948345:layer:AWSSDKPandas-Python312",
        ),
    ],
)
def test_a_parameter_refuses_what_could_not_work(
    whole: dict[str, Any], name: str, fits: str, does_not: str
) -> None:
    pattern = whole["Parameters"][name]["AllowedPattern"]
    assert re.fullmatch(pattern, fits)
    assert not re.fullmatch(pattern, does_not)
