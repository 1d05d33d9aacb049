"""What a deployment is given and finds: parameters, and the account that it goes to."""

from __future__ import annotations

import pytest
from deploy_world import BUCKET, LAYER, TEMPLATE, World
from loopback_aws import SECRET

from cashtag.operate.cloud import template as reading
from cashtag.operate.deploying import checks, parameters

# ---------------------------------------------------------------- parameters


def test_a_choice_stays_until_another_is_made(world: World) -> None:
    world.deploy(
        "--yes",
        "--parameter",
        "AlertEmail=me@example.com",
        "--parameter",
        "AlertPhone=+15551234567",
    )
    assert world.deploy("--yes", "--parameter", "CoverageBelow=0.5") == 0
    assert world.stack.parameters["AlertEmail"] == "me@example.com"
    assert world.stack.parameters["AlertPhone"] == "+15551234567"
    assert world.deploy("--yes", "--parameter", "AlertEmail=") == 0
    assert world.stack.parameters["AlertEmail"] == ""


def test_what_nobody_chose_follows_the_templates_default(world: World) -> None:
    world.deploy("--yes")
    world.template(TEMPLATE.replace("Default: 0.6", "Default: 0.7"))
    assert world.deploy("--yes") == 0
    assert world.stack.parameters["CoverageBelow"] == "0.7"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "AlertMail=me@example.com",
            "AlertMail is none of the template's; did you mean AlertEmail?",
        ),
        ("AlertEmail=nobody", "AlertEmail='nobody' is refused: must match"),
        ("CoverageBelow=2", "CoverageBelow='2' is refused: must be at most 1"),
        ("CoverageBelow=much", "is refused: it is no number"),
        ("Environment=test", "allowed are dev, staging, prod"),
        ("Environment=prod", "is another than the stack's, dev: choose the stack by --env"),
        ("AlertEmail", "'AlertEmail' is no choice; write it as"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_before_anything(
    world: World, text: str, said: str
) -> None:
    assert world.deploy("--yes", "--parameter", text) == 2
    assert said in world.err
    assert world.site.calls == []


def test_a_hidden_parameter_is_in_no_message(world: World) -> None:
    assert world.deploy("--yes", "--parameter", "AlertPhone=0155PLANTED") == 2
    assert "AlertPhone=*** is refused" in world.err


def test_a_parameter_given_twice_must_agree(world: World) -> None:
    words = ("--parameter", "AlertPhone=+1555PLANTED", "--parameter", "AlertPhone=+1666PLANTED")
    assert world.deploy(*words) == 2
    assert "AlertPhone is given twice" in world.err


def test_a_parameter_without_a_default_must_be_given() -> None:
    template = {"Parameters": {"Principal": {"Type": "String", "Description": "Who sees it"}}}
    with pytest.raises(Exception, match=r"Principal has no default \(Who sees it\)"):
        parameters.choices(template, {})


# ---------------------------------------------------------------- the account


def test_concurrency_is_reserved_where_the_account_has_room(world: World) -> None:
    # 1000 executions less 100 that Lambda keeps hold the template's seven.
    world.deploy("--yes")
    assert world.stack.parameters["ReserveConcurrency"] == "true"
    # They are ours already: what is free now, 100, and ours are just enough.
    world.site.account = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 100}
    world.deploy("--yes")
    assert world.stack.parameters["ReserveConcurrency"] == "true"


def test_a_new_account_with_ten_executions_is_deployed_to_without_reserving(world: World) -> None:
    world.site.account = {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}
    assert world.deploy("--yes") == 0
    assert world.stack.parameters["ReserveConcurrency"] == "false"
    assert "10 executions at once, 10 free: 7 cannot be reserved beside the 100" in world.out
    assert world.deploy("--yes", "--parameter", "ReserveConcurrency=true") == 2
    assert "ReserveConcurrency=true is refused" in world.err


def test_one_execution_too_few_is_too_few(world: World) -> None:
    world.site.account = {"ConcurrentExecutions": 106, "UnreservedConcurrentExecutions": 106}
    world.deploy("--yes")
    assert world.stack.parameters["ReserveConcurrency"] == "false"
    world.site.account = {"ConcurrentExecutions": 107, "UnreservedConcurrentExecutions": 107}
    world.deploy("--yes")
    assert world.stack.parameters["ReserveConcurrency"] == "true"


def test_a_layer_that_is_not_there_stops_everything(world: World) -> None:
    world.site.layers.clear()
    assert world.deploy("--yes") == 7
    assert f"{LAYER} is not there; give --parameter PandasLayerArn=" in world.err
    assert world.site.executed == []
    assert "cashtag-dev" not in world.site.stacks


def test_a_region_without_a_known_layer_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for region in ("eu-south-1", "xx-east-9"):
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        assert world.deploy("--yes") == 7
        assert f"no AWSSDKPandas layer is known in {region}" in world.err


def test_layers_of_our_own_template_are_known_by_region() -> None:
    reading.load.cache_clear()
    whole = reading.load()
    values = reading.parameters(whole)
    found = checks.layer_arns(whole, values, "eu-west-1")
    assert [str(arn).split(":layer:")[1].split(":")[0] for arn in found] == [
        "AWSLambdaPowertoolsPythonV3-python312-x86_64",
        "AWSSDKPandas-Python312",
    ]
    assert checks.template(whole, 250_000).verdict == "ok"
    assert checks.reserved(whole, {**values, "ReserveConcurrency": "true"}) == 7
    assert checks.reserved(whole, values) == 0


def test_credentials_that_are_not_accepted_are_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert world.deploy("--yes") == 7
    assert "the AWS credentials are not accepted" in world.err
    assert SECRET not in world.out + world.err


def test_a_zip_that_is_not_in_the_bucket_is_refused(world: World) -> None:
    words = ("deploy", "--yes", "--parameter", "CodeKey=functions/none.zip")
    assert world.run(*words) == 2
    assert f"CodeKey=functions/none.zip is no object of s3://{BUCKET}" in world.err
