"""`cashtag destroy`: what goes, what stays, and that it can be begun again anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import deploy_world
import pytest
from cloudformation_site import Refused, Site
from deploy_world import BUCKET, KEY, Typist
from loopback_aws import NUMBER, REGION, LoopbackAws

TEMPLATE = """
Parameters:
  CodeBucket: {Type: String}
  CodeKey: {Type: String}
  Environment: {Type: String, Default: dev}
  ReserveConcurrency: {Type: String, Default: 'false'}
Resources:
  RawBucket: {Type: AWS::S3::Bucket, DeletionPolicy: RetainExceptOnCreate}
  EnrichedBucket: {Type: AWS::S3::Bucket, DeletionPolicy: Delete}
  LedgerBucket: {Type: AWS::S3::Bucket, DeletionPolicy: RetainExceptOnCreate}
  ResultsBucket: {Type: AWS::S3::Bucket, DeletionPolicy: Delete}
Outputs:
  ResultsBucket: {Value: results-1}
  HealthFunction: {Value: health}
  Workgroup: {Value: w}
  DashboardUrl: {Value: 'https://dashboard'}
"""


def named(zone: str) -> str:
    return f"cashtag-dev-{zone}-{NUMBER}-{REGION}"


class World(Typist):
    """A deployed stack with buckets that hold several versions of objects."""

    def __init__(self, site: Site, patch: pytest.MonkeyPatch, capture: Any) -> None:
        super().__init__(site, patch, capture)
        self.s3 = boto3.client("s3")

    def buckets(self) -> set[str]:
        """Zones that there are buckets of."""
        names = {one["Name"] for one in self.s3.list_buckets()["Buckets"]}
        return {name.split("-")[2] for name in names if name.startswith("cashtag-dev-")}

    def fill(self, zone: str) -> None:
        """Make a versioned bucket with a key of two versions and one that was deleted."""
        name = named(zone)
        place = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        for body in (b"1", b"2"):
            self.s3.put_object(Bucket=name, Key="tweets/a", Body=body)
        self.s3.put_object(Bucket=name, Key="gone", Body=b"3")
        self.s3.delete_object(Bucket=name, Key="gone")


@pytest.fixture
def world(
    aws: LoopbackAws,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[World]:
    deploy_world.artefacts()
    templates = dict.fromkeys(("cashtag.yaml", "quicksight.yaml"), TEMPLATE)
    with deploy_world.played(aws, monkeypatch, tmp_path, templates) as site:
        made = World(site, monkeypatch, capsys)
        assert made.run("deploy", "--yes", "--parameter", f"CodeKey={KEY}") == 0, made.err
        for zone in ("raw", "enriched", "ledger", "results"):
            made.fill(zone)
        yield made


def test_raw_and_ledger_stay_and_the_rest_goes(world: World) -> None:
    assert world.run("destroy", "--yes") == 0
    assert world.site.stacks == {}
    assert world.buckets() == {"raw", "ledger"}
    versions = world.s3.list_object_versions(Bucket=named("raw"))
    assert len(versions["Versions"]) == 3
    assert f"s3://{named('raw')} stays, with all versions" in world.err
    assert f"s3://{named('ledger')} stays, with all versions" in world.err
    assert "`cashtag destroy --env dev --all-data`" in world.err
    assert f"s3://{BUCKET} stays" in world.err
    assert "deploy_model.py --delete --name cashtag-dev-sentiment" in world.err


def test_what_goes_and_what_stays_is_shown_before(world: World) -> None:
    assert world.run("destroy", typed="no\n") == 2
    lines = {
        line.split()[0]: line for line in world.out.splitlines() if named("")[:-1][:12] in line
    }
    assert lines[named("raw")].rstrip().endswith("STAYS")
    assert lines[named("ledger")].rstrip().endswith("STAYS")
    assert lines[named("results")].rstrip().endswith("is emptied and deleted")
    assert world.site.stacks["cashtag-dev"].status == "CREATE_COMPLETE"
    assert world.buckets() == {"raw", "enriched", "ledger", "results"}


def test_the_stacks_name_is_to_be_typed(world: World) -> None:
    assert world.run("destroy", typed="cashtag-prod\n") == 2
    assert "'cashtag-prod' is not cashtag-dev: nothing was taken down" in world.err
    assert world.run("destroy") == 2
    assert "needs its name typed on a terminal; or add --yes" in world.err
    assert "cashtag-dev" in world.site.stacks
    assert world.run("destroy", typed="cashtag-dev\n") == 0
    assert world.site.stacks == {}


def test_all_data_goes_when_told(world: World) -> None:
    assert world.run("destroy", "--all-data", "--yes") == 0
    assert world.buckets() == set()
    # Two versions, the deleted object, and the mark of its deletion.
    assert f"deleted bucket {named('raw')}, with 4 versions of objects" in world.err
    assert "STAYS" not in world.out


def test_data_of_a_stack_that_is_gone_goes_when_told(world: World) -> None:
    world.run("destroy", "--yes")
    assert world.run("destroy", "--yes") == 0
    assert "stack cashtag-dev is not deployed in eu-west-1" in world.out
    assert world.buckets() == {"raw", "ledger"}
    assert world.run("destroy", "--all-data", "--yes") == 0
    assert world.buckets() == set()


def test_a_bucket_written_to_meanwhile_is_emptied_again(world: World) -> None:
    delete = world.site._delete_stack
    written: list[str] = []

    def late(form: dict[str, str]) -> dict[str, Any]:
        if not written:
            written.append(form["StackName"])
            world.site.s3().put_object(Bucket=named("results"), Key="late", Body=b"4")
        return delete(form)

    world.site._delete_stack = late  # type: ignore[method-assign]
    assert world.run("destroy", "--yes") == 0
    assert written == ["cashtag-dev"]
    assert "DELETE_FAILED" in world.err
    assert world.buckets() == {"raw", "ledger"}


def test_one_that_was_killed_is_finished_by_the_next(world: World) -> None:
    world.site.refuse["DeleteStack"] = Refused("InternalFailure", "killed here")
    assert world.run("destroy", "--yes") == 7
    assert world.s3.list_object_versions(Bucket=named("results")).get("Versions") is None
    del world.site.refuse["DeleteStack"]
    assert world.run("destroy", "--yes") == 0
    assert world.buckets() == {"raw", "ledger"}


def test_the_quicksight_stack_goes_first(world: World) -> None:
    assert world.run("deploy", "--yes", "--quicksight", "--parameter", f"CodeKey={KEY}") == 0
    assert set(world.site.stacks) == {"cashtag-dev", "cashtag-dev-quicksight"}
    assert world.run("destroy", "--yes") == 0
    assert world.site.stacks == {}
    said = world.err
    assert said.index("deleted stack cashtag-dev-quicksight") < said.index(
        "deleted stack cashtag-dev\n"
    )


def test_only_the_named_environment_goes(world: World) -> None:
    assert world.run("destroy", "--env", "prod", "--yes") == 0
    assert "stack cashtag-prod is not deployed" in world.out
    assert world.buckets() == {"raw", "enriched", "ledger", "results"}
