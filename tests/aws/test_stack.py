"""A deployed stack as commands find it: CloudFormation is moto's server over HTTP on loopback."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from loopback_aws import LoopbackAws

from cashtag.errors import CloudError, InputError, StackMissing
from cashtag.operate import account, stack
from cashtag.settings import Settings, load

OUTPUTS = {
    "RawBucket": "cashtag-dev-raw-123456789012-eu-west-1",
    "EnrichedBucket": "cashtag-dev-enriched-123456789012-eu-west-1",
    "SignalsBucket": "cashtag-dev-signals-123456789012-eu-west-1",
    "LedgerBucket": "cashtag-dev-ledger-123456789012-eu-west-1",
    "ResultsBucket": "cashtag-dev-results-123456789012-eu-west-1",
    "Database": "cashtag_dev",
    "Workgroup": "cashtag-dev",
    "Topic": "arn:aws:sns:eu-west-1:123456789012:cashtag-dev-alerts",
    "Parameter": "/cashtag/dev/settings",
    "EventBus": "default",
    "EndpointName": "cashtag-dev-sentiment",
}


@pytest.fixture
def settings(aws: LoopbackAws) -> Settings:
    return load(environ={})


def deployed(name: str, outputs: dict[str, str] = OUTPUTS) -> Any:
    """Create a stack of one parameter that gives out `outputs`; return a client."""
    import boto3

    template = {
        "Resources": {
            "Name": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Name": f"/{name}", "Value": "1"},
            }
        },
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    client = boto3.client("cloudformation")
    client.create_stack(StackName=name, TemplateBody=json.dumps(template))
    return client


def test_a_stack_is_found_by_its_environment(settings: Settings) -> None:
    deployed("cashtag-staging")
    found = stack.find(settings, "staging")
    assert (found.name, found.environment, found.region) == (
        "cashtag-staging",
        "staging",
        "eu-west-1",
    )
    assert found.account == "123456789012"
    assert found.outputs == OUTPUTS


def test_settings_follow_from_the_outputs(settings: Settings) -> None:
    deployed("cashtag-prod")
    seen = stack.find(settings, "prod").settings(settings)
    assert seen.environment == "prod"
    assert seen.aws.region == "eu-west-1"
    assert seen.aws.raw == "cashtag-dev-raw-123456789012-eu-west-1"
    assert seen.aws.ledger == "cashtag-dev-ledger-123456789012-eu-west-1"
    assert seen.aws.database == "cashtag_dev"
    assert seen.aws.topic == "arn:aws:sns:eu-west-1:123456789012:cashtag-dev-alerts"
    assert seen.aws.parameter == "/cashtag/dev/settings"
    assert seen.models.sagemaker.name == "cashtag-dev-sentiment"
    # All else stays as it was.
    assert seen.aws.stack == settings.aws.stack
    assert seen.signals == settings.signals


def test_an_absent_stack_names_the_command_that_makes_it(settings: Settings) -> None:
    with pytest.raises(
        StackMissing, match=r"cashtag-dev is not deployed in eu-west-1; `cashtag deploy --env dev`"
    ):
        stack.find(settings)


def test_a_deleted_stack_is_absent(settings: Settings) -> None:
    deployed("cashtag-dev").delete_stack(StackName="cashtag-dev")
    with pytest.raises(StackMissing, match="not deployed"):
        stack.find(settings)


def test_an_unknown_environment_is_refused_before_anything_is_asked(settings: Settings) -> None:
    with pytest.raises(InputError, match="--env 'production' is none of: dev, staging, prod"):
        stack.find(settings, "production")


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        ("ROLLBACK_COMPLETE", CloudError, "its creation failed and was taken back"),
        ("UPDATE_ROLLBACK_FAILED", CloudError, "an update failed, and so did taking it back"),
        ("REVIEW_IN_PROGRESS", CloudError, "nothing but a plan of it exists"),
        ("DELETE_IN_PROGRESS", StackMissing, "it is being deleted"),
    ],
)
def test_a_stack_that_never_worked_is_told_with_its_state(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    error: type[Exception],
    said: str,
) -> None:
    deployed("cashtag-dev")
    whole = stack.look(settings, "dev", account.session(settings))
    assert whole is not None
    monkeypatch.setattr(
        stack, "look", lambda *_: replace(whole, status=status, reason="Role X exists")
    )
    with pytest.raises(error, match=f"cashtag-dev is in state {status}: {said}") as raised:
        stack.find(settings)
    assert "cashtag deploy --env dev" in str(raised.value)


def test_an_update_that_was_taken_back_leaves_a_stack_that_works(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed("cashtag-dev")
    whole = stack.look(settings, "dev", account.session(settings))
    assert whole is not None
    monkeypatch.setattr(stack, "look", lambda *_: replace(whole, status="UPDATE_ROLLBACK_COMPLETE"))
    assert stack.find(settings).outputs == OUTPUTS


def test_an_output_of_another_version_is_named(settings: Settings) -> None:
    deployed("cashtag-dev", {"RawBucket": "cashtag-dev-raw"})
    with pytest.raises(
        CloudError, match="no output EnrichedBucket: it was deployed by another version"
    ):
        stack.find(settings).settings(settings)


def test_without_credentials_a_person_is_told_to_log_in(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CloudError, match=r"no AWS credentials here: log in"):
        stack.find(settings)


def test_without_a_region_a_person_is_told_where_to_set_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(CloudError, match=r"no AWS region is known: set aws\.region"):
        stack.find(settings)


def test_the_region_of_the_settings_wins(aws: LoopbackAws) -> None:
    chosen = load(environ={"CASHTAG_AWS__REGION": "ap-southeast-2"})
    with pytest.raises(StackMissing, match="not deployed in ap-southeast-2"):
        stack.find(chosen)


def test_an_unknown_profile_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(CloudError, match="AWS_PROFILE"):
        stack.find(settings)


def test_half_of_the_credentials_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CloudError, match="set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        stack.find(settings)


def test_an_endpoint_that_does_not_answer_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(CloudError, match="check the network, and the region's name"):
        stack.find(settings)


def test_who_asks_is_known_by_account_and_name(settings: Settings) -> None:
    asked = account.caller(account.session(settings))
    assert asked.account == "123456789012"
    assert asked.arn.startswith("arn:aws:sts::123456789012:")
