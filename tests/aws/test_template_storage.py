"""Where the template keeps things: encrypted, private, versioned, for a stated time, or for ever."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from stack_template import ACCOUNT, REGION, Stack, parse

from cashtag.scrape import credentials, held
from cashtag.settings import load

FILE = Path(__file__).parents[2] / "cloudformation" / "cashtag.yaml"
NAME = "cashtag-dev"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234"
GIVEN = {"CodeKey": "functions/0a1b.zip"}
BUCKETS = {"RawBucket", "EnrichedBucket", "SignalsBucket", "LedgerBucket", "ResultsBucket"}
KEPT = {"RawBucket", "LedgerBucket", "TrailBucket"}  # outlive the stack


@pytest.fixture(scope="module")
def stack(whole: dict[str, Any]) -> Stack:
    return Stack(whole, NAME, {**GIVEN, "TrailDataEvents": "true"})


@pytest.fixture(scope="module")
def keyed(whole: dict[str, Any]) -> Stack:
    return Stack(whole, NAME, {**GIVEN, "TrailDataEvents": "true", "KmsKey": KEY})


def buckets(stack: Stack) -> dict[str, dict[str, Any]]:
    return dict(stack.resources("AWS::S3::Bucket"))


def rules(bucket: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}


# ---------------------------------------------------------------- buckets


def test_there_are_five_buckets_and_one_for_the_trail_on_request(
    whole: dict[str, Any], stack: Stack
) -> None:
    assert set(buckets(Stack(whole, NAME, GIVEN))) == BUCKETS
    assert set(buckets(stack)) == {*BUCKETS, "TrailBucket"}


def test_bucket_names_fit_for_the_longest_region(whole: dict[str, Any]) -> None:
    """63 characters at most; a stack's name may then have 24."""
    stack = Stack(whole, "cashtag-staging", GIVEN, region="ap-northeast-1")
    for name, bucket in buckets(stack).items():
        assert re.fullmatch(r"[a-z0-9-]{3,63}", bucket["BucketName"]), name


def test_every_bucket_is_versioned_encrypted_and_private(stack: Stack, keyed: Stack) -> None:
    for name, bucket in buckets(stack).items():
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}, name
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4, name
        assert bucket["OwnershipControls"] == {
            "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]
        }
        ((rule),) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}, name
    for name, bucket in buckets(keyed).items():
        ((rule),) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": KEY,
        }, name
        assert rule["BucketKeyEnabled"] is True  # else each object asks KMS, which is billed


def test_every_bucket_refuses_what_is_not_tls_12(stack: Stack) -> None:
    policies = {
        policy["Bucket"]: policy["PolicyDocument"]["Statement"]
        for _, policy in stack.resources("AWS::S3::BucketPolicy")
    }
    for name, bucket in buckets(stack).items():
        whose = f"arn:aws:s3:::{bucket['BucketName']}"
        denied = [one for one in policies[bucket["BucketName"]] if one["Effect"] == "Deny"]
        assert [one["Condition"] for one in denied] == [
            {"Bool": {"aws:SecureTransport": "false"}},
            {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
        ], name
        for one in denied:
            assert one["Principal"] == "*"
            assert one["Action"] == "s3:*"
            assert one["Resource"] == [whose, f"{whose}/*"]


def test_nobody_else_is_allowed_into_a_bucket_but_the_trail_into_its_own(stack: Stack) -> None:
    for _, policy in stack.resources("AWS::S3::BucketPolicy"):
        allowed = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
        if "-trail-" not in policy["Bucket"]:
            assert allowed == []
            continue
        for one in allowed:
            assert one["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
            trail = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{NAME}"
            assert one["Condition"] == {"StringEquals": {"aws:SourceArn": trail}}


def test_what_cannot_be_made_again_outlives_the_stack(whole: dict[str, Any]) -> None:
    for name, resource in whole["Resources"].items():
        if resource["Type"] == "AWS::S3::Bucket":
            wanted = "RetainExceptOnCreate" if name in KEPT else "Delete"
            assert resource["DeletionPolicy"] == wanted, name
            assert resource["UpdateReplacePolicy"] == "Retain", name


def test_replaced_objects_can_be_brought_back_for_a_month_and_the_ledgers_for_a_year(
    stack: Stack,
) -> None:
    days = {
        name: rules(bucket)["replaced"]["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for name, bucket in buckets(stack).items()
    }
    assert {name: int(value) for name, value in days.items()} == {
        "RawBucket": 30,
        "EnrichedBucket": 30,
        "SignalsBucket": 30,
        "LedgerBucket": 365,
        "ResultsBucket": 30,
        "TrailBucket": 30,
    }


def test_uploads_that_were_broken_off_are_cleared(stack: Stack) -> None:
    for bucket in buckets(stack).values():
        assert rules(bucket)["replaced"]["AbortIncompleteMultipartUpload"] == {
            "DaysAfterInitiation": 2
        }


def test_only_results_and_the_trail_expire_and_raw_on_request(whole: dict[str, Any]) -> None:
    def expiring(**given: str) -> dict[tuple[str, str], int]:
        stack = Stack(whole, NAME, {**GIVEN, "TrailDataEvents": "true", **given})
        return {
            (name, rule.get("Prefix", "")): int(rule["ExpirationInDays"])
            for name, bucket in buckets(stack).items()
            for rule in rules(bucket).values()
            if "ExpirationInDays" in rule
        }

    usual = {
        ("ResultsBucket", "athena/"): 7,
        ("ResultsBucket", "scratch/"): 1,
        ("TrailBucket", ""): 365,
    }
    assert expiring() == usual
    # Whatever a run leaves, but not the tombstones of those who asked to be forgotten.
    kinds = (*held.KINDS, "bars", "discovery", "manifests", "quarantine")
    assert expiring(RawRetentionDays="400") == {
        **usual,
        **{("RawBucket", f"{kind}/"): 400 for kind in kinds},
    }


def test_the_ledger_is_locked_on_request(whole: dict[str, Any]) -> None:
    plain = Stack(whole, NAME, GIVEN).properties("LedgerBucket")
    assert "ObjectLockEnabled" not in plain
    assert "ObjectLockConfiguration" not in plain
    locked = Stack(whole, NAME, {**GIVEN, "LedgerLockDays": "365"}).properties("LedgerBucket")
    assert locked["ObjectLockEnabled"] is True
    assert locked["ObjectLockConfiguration"] == {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": "365"}},
    }


def test_the_trail_records_objects_of_raw_and_ledger(stack: Stack) -> None:
    trail = stack.properties("Trail")
    assert trail["EnableLogFileValidation"] is True
    ((selector),) = trail["AdvancedEventSelectors"]
    fields = {field["Field"]: field for field in selector["FieldSelectors"]}
    assert fields["eventCategory"]["Equals"] == ["Data"]
    assert fields["resources.ARN"]["StartsWith"] == [
        f"arn:aws:s3:::{NAME}-{zone}-{ACCOUNT}-{REGION}/" for zone in ("raw", "ledger")
    ]


# ---------------------------------------------------------------- logs, key, messages


def test_every_function_logs_into_a_group_that_expires(stack: Stack, keyed: Stack) -> None:
    groups = {group["LogGroupName"]: group for _, group in stack.resources("AWS::Logs::LogGroup")}
    for _, function in stack.resources("AWS::Lambda::Function"):
        name = f"/aws/lambda/{function['FunctionName']}"
        assert function["LoggingConfig"]["LogGroup"] == name
        assert int(groups.pop(name)["RetentionInDays"]) == 30
    assert groups == {}
    for _, group in keyed.resources("AWS::Logs::LogGroup"):
        assert group["KmsKeyId"] == KEY


def test_a_key_of_its_own_rotates_and_lets_only_this_account_and_its_services_use_it(
    whole: dict[str, Any],
) -> None:
    stack = Stack(whole, NAME, {**GIVEN, "KmsKey": "create"})
    key = stack.properties("Key")
    assert key["EnableKeyRotation"] is True
    for statement in key["KeyPolicy"]["Statement"]:
        if statement["Sid"] == "Account":
            assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        elif statement["Sid"] == "Alarms":  # they state no source when they use a key for a topic
            assert statement["Principal"] == {
                "Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]
            }
        else:
            assert "Service" in statement["Principal"]
            assert ACCOUNT in str(statement["Condition"])
    for name, bucket in buckets(stack).items():
        ((rule),) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == stack.arn("Key"), name
    assert stack.properties("AlertTopic")["KmsMasterKeyId"] == stack.arn("Key")


def test_without_a_key_nothing_bills_by_the_month_but_secrets(whole: dict[str, Any]) -> None:
    kinds = {Stack(whole, NAME, GIVEN).kind(name) for name in active(whole, GIVEN)}
    assert "AWS::KMS::Key" not in kinds
    # None of what bills by the hour while idle.
    assert not {
        kind
        for kind in kinds
        if kind.startswith(("AWS::EC2::", "AWS::RDS::", "AWS::SageMaker::", "AWS::ElasticLoad"))
    }


def active(whole: dict[str, Any], given: dict[str, str]) -> list[str]:
    return [name for name, _ in Stack(whole, NAME, given).resources()]


def test_the_topic_refuses_what_is_not_tls(stack: Stack) -> None:
    denied = [
        statement["Condition"]
        for statement in stack.properties("AlertTopicPolicy")["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
    ]
    assert denied == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_queues_refuse_what_is_not_tls(stack: Stack) -> None:
    denied = set()
    for _, policy in stack.resources("AWS::SQS::QueuePolicy"):
        ((queue),) = policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Resource"].split(":")[-1] == queue.split("/")[-1]  # itself alone
            if statement["Effect"] == "Deny":
                assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
                denied.add(queue)
    assert denied == {stack.reference(name) for name, _ in stack.resources("AWS::SQS::Queue")}


def test_people_are_told_where_an_address_is_given(whole: dict[str, Any]) -> None:
    def subscriptions(**given: str) -> set[tuple[str, str]]:
        stack = Stack(whole, NAME, {**GIVEN, **given})
        return {
            (s["Protocol"], s["Endpoint"]) for _, s in stack.resources("AWS::SNS::Subscription")
        }

    assert subscriptions() == set()
    assert subscriptions(AlertEmail="a@example.com", AlertPhone="+15551234567") == {
        ("email", "a@example.com"),
        ("sms", "+15551234567"),
    }


# ---------------------------------------------------------------- secrets and settings


def test_secrets_are_created_empty_and_say_how_to_fill_them(stack: Stack) -> None:
    secrets = dict(stack.resources("AWS::SecretsManager::Secret"))
    assert set(secrets) == {"XAccountsSecret", "AlpacaSecret"}
    for secret in secrets.values():
        assert "SecretString" not in secret
        assert "GenerateSecretString" not in secret
        assert "put-secret-value" in secret["Description"]
        assert "no way to rotate" in secret["Description"].replace("\n", " ")
        assert len(secret["Description"]) <= 2048  # Secrets Manager's limit


def test_the_secrets_descriptions_show_what_the_code_reads(stack: Stack) -> None:
    for field in ("accounts", *credentials._ACCOUNT):
        assert f'"{field}"' in stack.properties("XAccountsSecret")["Description"]
    for field in credentials._KEYS:
        assert f'"{field}"' in stack.properties("AlpacaSecret")["Description"]


def test_no_secret_stands_in_the_template() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert not re.search(r"AKIA[0-9A-Z]{16}|-----BEGIN|xox[bp]-", text)
    assert parse(text)["Parameters"]["AlertPhone"]["NoEcho"] is True


def test_no_word_of_the_settings_parameter_changes(stack: Stack) -> None:
    """With any property CloudFormation would write the value again, over what people have set."""
    assert stack.properties("SettingsParameter") == {
        "Name": f"/{NAME}/settings",
        "Type": "String",
        "Tier": "Intelligent-Tiering",
        "Description": "Settings of the functions as TOML; `cashtag config set` writes them",
        "Value": "# Settings as in cashtag.toml; `cashtag config set KEY VALUE` writes them",
    }


def test_the_settings_parameter_starts_as_toml_without_settings(
    stack: Stack, tmp_path: Path
) -> None:
    parameter = stack.properties("SettingsParameter")
    assert parameter["Name"] == f"/{NAME}/settings"
    first, empty = tmp_path / "first.toml", tmp_path / "empty.toml"
    first.write_text(parameter["Value"], encoding="utf-8")
    empty.write_text("", encoding="utf-8")
    assert load(first, {}) == load(empty, {})
