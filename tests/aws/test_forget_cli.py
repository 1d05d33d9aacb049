"""`cashtag forget --env` against a stack on loopback: its buckets, its functions' settings."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import deployed_stack
import pytest
from loopback_aws import LoopbackAws
from typer.testing import CliRunner, Result

from cashtag.cli.app import app
from cashtag.lake import lines

ID, KEY = "2061234567890123456", "tweets/dt=2026-06-01/source=x/NVDA-1.jsonl.gz"
BUCKET = deployed_stack.outputs()["RawBucket"]


@pytest.fixture(autouse=True)
def deployed(aws: LoopbackAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stack with one raw object, and a folder of its own for whoever types."""
    monkeypatch.chdir(tmp_path)
    deployed_stack.make()
    held = [
        json.dumps({"source": "x", "data": {"id_str": identity, "rawContent": "$NVDA up"}}).encode()
        for identity in (ID, "7")
    ]
    boto3.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=lines.pack(held))


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, ["forget", ID, "--env", "dev", "--format", "json", *words])


def raw() -> bytes:
    body = boto3.client("s3").get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    return b"".join(lines.read(body, KEY))


def test_the_deployed_lake_is_looked_at_and_then_rewritten() -> None:
    row = {"zone": "raw", "key": KEY, "what": "rewritten", "lines": 1, "versions": 1}
    assert json.loads(typed("--dry-run").stdout) == [row]
    assert ID.encode() in raw()
    done = typed("--yes", "--reason", "request 17")
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout) == [row]
    assert "until they expire" in done.stderr  # Athena's results are not the lake's
    assert ID.encode() not in raw()
    assert b'"7"' in raw()
    found = boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {item["Key"].split("/")[0] for item in found} == {"tweets", "tombstones", "forgotten"}


def test_a_stack_that_is_not_there_is_named() -> None:
    done = CliRunner().invoke(app, ["forget", ID, "--env", "prod", "--yes"])
    assert "cashtag-prod" in str(done.exception)
