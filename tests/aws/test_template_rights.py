"""What the template's roles may do: each its own, each its step, `*` only where a service forces it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stack_template import ACCOUNT, REGION, Stack

from cashtag.lake.contracts import contracts

FILE = Path(__file__).parents[2] / "cloudformation" / "cashtag.yaml"
NAME, DATABASE = "cashtag-dev", "cashtag_dev"
STEPS = ("scrape", "enrich", "signals", "trade", "health")
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234"
MODEL = f"arn:aws:bedrock:{REGION}::foundation-model/anthropic.claude"
GIVEN = {"CodeKey": "functions/0a1b.zip"}
# Everything that adds a right, at once.
FULL = {
    **GIVEN,
    "SentimentModel": "ensemble",
    "KmsKey": KEY,
    "BedrockModelArns": MODEL,
    "TrailDataEvents": "true",
    "AlertEmail": "a@example.com",
    "AlertPhone": "+15551234567",
}
# The only actions on "*", with the reason.
ANYTHING = {
    ("enrich", "comprehend:BatchDetectSentiment"): "Comprehend knows no resource for detection",
}
# What each function may do to which zones, by hand.
READS = {
    "scrape": {"raw", "enriched"},  # enriched only where a model names tickers for the next run
    "enrich": {"raw", "enriched"},
    "signals": {"raw", "enriched", "signals", "ledger", "results"},
    "trade": {"raw", "enriched", "signals", "ledger"},
    "health": {"raw", "enriched", "signals", "ledger", "results"},
}
WRITES = {
    "scrape": {"raw/*"},
    "enrich": {"enriched/*"},
    "signals": {"enriched/*", "signals/*", "ledger/*", "results/athena/*", "results/scratch/*"},
    "trade": {"ledger/*", "signals/_ANNOUNCED/*"},  # that a digest went out is noted
    "health": set(),
}
DELETES = {
    "scrape": set(),
    "enrich": {"enriched/quarantine/*"},
    "signals": {"enriched/quarantine/*", "results/athena/*", "results/scratch/*"},
    "trade": set(),
    "health": set(),
}


@pytest.fixture(scope="module")
def stack(whole: dict[str, Any]) -> Stack:
    return Stack(whole, NAME, FULL)


@pytest.fixture(scope="module")
def plain(whole: dict[str, Any]) -> Stack:
    return Stack(whole, NAME, GIVEN)


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for policy in role["Policies"]:
        yield from policy["PolicyDocument"]["Statement"]


def granted(stack: Stack, step: str) -> set[tuple[str, str]]:
    """Every (action, resource) of a function's role."""
    return {
        (action, resource)
        for statement in statements(stack.properties(f"{step.capitalize()}Role"))
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def places(stack: Stack, step: str, action: str) -> set[str]:
    """`zone` or `zone/what` of every bucket or object that an action is granted on."""
    pattern = re.compile(rf"arn:aws:s3:::{NAME}-([a-z]+)-{ACCOUNT}-{REGION}(/.+)?$")
    found = set()
    for granted_action, resource in granted(stack, step):
        if granted_action == action:
            match = pattern.match(resource)
            assert match, resource
            found.add(f"{match[1]}{match[2] or ''}")
    return found


def test_every_function_has_a_role_of_its_own(stack: Stack) -> None:
    roles = [function["Role"] for _, function in stack.resources("AWS::Lambda::Function")]
    assert len(set(roles)) == len(roles) == 5
    for step in STEPS:
        assert stack.properties(f"{step.capitalize()}Function")["Role"] == stack.arn(
            f"{step.capitalize()}Role"
        )


def test_no_role_is_given_a_policy_that_somebody_else_writes(stack: Stack) -> None:
    roles = list(stack.resources("AWS::IAM::Role"))
    assert len(roles) == 10  # five functions, four schedules' targets, the crawlers
    for name, role in roles:
        assert "ManagedPolicyArns" not in role, name
        assert "RoleName" not in role, name  # CAPABILITY_IAM is enough
    others = {resource["Type"] for resource in stack.template["Resources"].values()}
    assert not {kind for kind in others if kind.startswith("AWS::IAM::")} - {"AWS::IAM::Role"}


def test_every_statement_allows_named_actions_and_says_what_for(stack: Stack) -> None:
    for name, role in stack.resources("AWS::IAM::Role"):
        sids = [statement["Sid"] for statement in statements(role)]
        assert len(set(sids)) == len(sids), name
        for statement in statements(role):
            assert statement["Effect"] == "Allow"
            assert "NotAction" not in statement
            assert "NotResource" not in statement
            for action in listed(statement["Action"]):
                assert re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", action), (name, action)


def test_anything_is_granted_only_where_the_service_forces_it(stack: Stack) -> None:
    found = set()
    for name, role in stack.resources("AWS::IAM::Role"):
        for statement in statements(role):
            for resource in listed(statement["Resource"]):
                if resource == "*":
                    step = name.removesuffix("Role").lower()
                    found |= {(step, action) for action in listed(statement["Action"])}
                else:
                    assert resource.startswith("arn:aws:"), (name, resource)
                    assert resource.count("*") <= 1, (name, resource)
    assert found == set(ANYTHING)


def test_every_resource_is_the_stacks_own(stack: Stack) -> None:
    """But for the catalog, the bus and the log group that an account has but one of."""
    shared = {
        f"arn:aws:glue:{REGION}:{ACCOUNT}:catalog",
        f"arn:aws:glue:{REGION}:{ACCOUNT}:database/default",
        f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws-glue/crawlers*",
        KEY,
        MODEL,
        "*",
    }
    foreign = {
        (name, resource)
        for name, role in stack.resources("AWS::IAM::Role")
        for statement in statements(role)
        for resource in listed(statement["Resource"])
        if NAME not in resource and f"/{DATABASE}" not in resource
    }
    assert {resource for _, resource in foreign} == shared


@pytest.mark.parametrize("step", STEPS)
def test_a_function_reads_writes_and_deletes_where_its_step_does(stack: Stack, step: str) -> None:
    read = places(stack, step, "s3:GetObject")
    assert {place.split("/")[0] for place in read} == READS[step]
    assert places(stack, step, "s3:ListBucket") == READS[step]
    written = places(stack, step, "s3:PutObject")
    asked = {"raw/discovery/*"} if step == "signals" else set()  # a model's answer is raw
    assert written - asked == WRITES[step]
    assert places(stack, step, "s3:DeleteObject") == DELETES[step]


def test_without_a_model_that_names_tickers_a_scrape_reads_raw_alone(plain: Stack) -> None:
    assert places(plain, "scrape", "s3:GetObject") == {"raw/*"}
    assert places(plain, "scrape", "s3:ListBucket") == {"raw"}


def test_nothing_deletes_raw_signals_or_ledger(stack: Stack) -> None:
    for name, role in stack.resources("AWS::IAM::Role"):
        for statement in statements(role):
            if any(action.startswith("s3:Delete") for action in listed(statement["Action"])):
                for resource in listed(statement["Resource"]):
                    assert "-enriched-" in resource or "-results-" in resource, name
                    assert not resource.endswith(f"{REGION}/*")


def test_secrets_are_read_by_who_uses_them(stack: Stack, plain: Stack) -> None:
    def secrets(where: Stack, step: str) -> set[str]:
        return {
            resource.rpartition(":secret:")[2]
            for action, resource in granted(where, step)
            if action.startswith("secretsmanager:")
        }

    both = {f"{NAME}/x-accounts-??????", f"{NAME}/alpaca-??????"}
    assert secrets(plain, "scrape") == both
    for step in ("enrich", "signals", "trade", "health"):
        assert secrets(plain, step) == set()
    # Naming tickers lists the assets that can be traded.
    assert secrets(stack, "signals") == {f"{NAME}/alpaca-??????"}


def test_secrets_of_ones_own_replace_those_of_the_stack(whole: dict[str, Any]) -> None:
    mine = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:mine-AbCdEf"
    stack = Stack(whole, NAME, {**GIVEN, "XAccountsSecretArn": mine})
    names = {secret["Name"] for _, secret in stack.resources("AWS::SecretsManager::Secret")}
    assert names == {f"{NAME}/alpaca"}
    assert ("secretsmanager:GetSecretValue", mine) in granted(stack, "scrape")
    variables = stack.properties("ScrapeFunction")["Environment"]["Variables"]
    assert variables["CASHTAG_LIVE__X__ACCOUNTS_SECRET"] == mine


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("sagemaker", {"sagemaker:InvokeEndpoint"}),
        ("lexicon", set()),
        ("comprehend", {"comprehend:BatchDetectSentiment"}),
        ("bedrock", set()),  # what BedrockModelArns names, and nothing without it
        ("ensemble", {"sagemaker:InvokeEndpoint", "comprehend:BatchDetectSentiment"}),
    ],
)
def test_a_model_that_is_not_used_may_not_be_asked(
    whole: dict[str, Any], model: str, asked: set[str]
) -> None:
    stack = Stack(whole, NAME, {**GIVEN, "SentimentModel": model})
    models = ("sagemaker:Invoke", "comprehend:", "bedrock:")
    actions = {action for action, _ in granted(stack, "enrich") if action.startswith(models)}
    assert actions == asked


def test_bedrock_is_asked_for_named_models(stack: Stack, plain: Stack) -> None:
    assert ("bedrock:InvokeModel", MODEL) in granted(stack, "enrich")
    assert not any(action.startswith("bedrock:") for action, _ in granted(plain, "enrich"))


def test_the_endpoint_is_the_one_that_functions_are_told_of(whole: dict[str, Any]) -> None:
    for given, name in (("", f"{NAME}-sentiment"), ("mine", "mine")):
        stack = Stack(whole, NAME, {**GIVEN, "EndpointName": given})
        function = stack.properties("EnrichFunction")["Environment"]["Variables"]
        assert function["CASHTAG_MODELS__SAGEMAKER__NAME"] == name
        asked = {r for a, r in granted(stack, "enrich") if a == "sagemaker:InvokeEndpoint"}
        assert asked == {f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{name}"}
        assert stack.outputs()["EndpointName"] == name


def test_the_trade_function_registers_tables_of_the_ledger_alone(plain: Stack) -> None:
    tables = {
        resource.rpartition(f"table/{DATABASE}/")[2]
        for action, resource in granted(plain, "trade")
        if action == "glue:CreatePartition" and "table/" in resource
    }
    assert tables == {name for name, one in contracts().items() if one.zone == "ledger"}


def test_temporary_tables_are_the_only_ones_made_or_dropped_by_a_function(plain: Stack) -> None:
    from cashtag.warehouse.scratch import PREFIX

    for step in STEPS:
        made = {
            resource
            for action, resource in granted(plain, step)
            if action in ("glue:CreateTable", "glue:DeleteTable") and "table/" in resource
        }
        mine = {f"arn:aws:glue:{REGION}:{ACCOUNT}:table/{DATABASE}/{PREFIX}*"}
        assert made == (mine if step == "signals" else set())


def test_who_announces(plain: Stack) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}-alerts"
    announcing = {step for step in STEPS if ("sns:Publish", topic) in granted(plain, step)}
    assert announcing == {"signals", "trade"}
    sending = {
        step for step in STEPS for action, _ in granted(plain, step) if action == "events:PutEvents"
    }
    assert sending == {"signals"}


def test_the_key_is_used_by_functions_only_where_there_is_one(stack: Stack, plain: Stack) -> None:
    for step in STEPS:
        wanted = {("kms:Decrypt", KEY), ("kms:GenerateDataKey", KEY)}
        if not WRITES[step]:
            wanted.remove(("kms:GenerateDataKey", KEY))
        assert {pair for pair in granted(stack, step) if pair[0].startswith("kms:")} == wanted
        assert not any(action.startswith("kms:") for action, _ in granted(plain, step))


def test_crawlers_read_tables_and_never_write_an_object(stack: Stack) -> None:
    actions = {
        action
        for statement in statements(stack.properties("CrawlerRole"))
        for action in listed(statement["Action"])
    }
    assert {action for action in actions if action.startswith("s3:")} == {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:GetBucketLocation",
        "s3:GetBucketAcl",
    }
    assert not any(action.startswith("glue:Delete") for action in actions)
    ((trust),) = stack.properties("CrawlerRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_services_may_use_the_topic_for_this_account_alone(stack: Stack) -> None:
    for statement in stack.properties("AlertTopicPolicy")["PolicyDocument"]["Statement"]:
        if statement["Effect"] == "Allow" and "Service" in statement["Principal"]:
            ((test, values),) = statement["Condition"].items()
            assert test in ("StringEquals", "ArnLike")
            assert ACCOUNT in str(values)


def test_policies_fit_into_a_role_and_variables_into_a_function(whole: dict[str, Any]) -> None:
    """10,240 characters of inline policies, 4 KB of environment ("Quotas" of IAM and Lambda)."""
    stack = Stack(whole, "cashtag-staging", FULL, region="ap-southeast-1")
    for name, role in stack.resources("AWS::IAM::Role"):
        documents = [policy["PolicyDocument"] for policy in role["Policies"]]
        assert sum(len(json.dumps(d, separators=(",", ":"))) for d in documents) < 8000, name
    for name, function in stack.resources("AWS::Lambda::Function"):
        variables = function["Environment"]["Variables"]
        assert sum(len(key) + len(str(value)) for key, value in variables.items()) < 3000, name
