"""An account to deploy to, on loopback: CloudFormation by its rules, S3 and STS of moto, a person's keys."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from cloudformation_site import Site
from loopback_aws import NUMBER, REGION, LoopbackAws

from cashtag import resources
from cashtag.cli import main
from cashtag.operate.cloud import template as reading
from cashtag.operate.deploying import artifacts

BUCKET = artifacts.bucket_name(NUMBER, REGION)
KEY = "functions/0123456789abcdef.zip"
LAYER = f"arn:aws:lambda:{REGION}:336392948345:layer:AWSSDKPandas-Python312:26"
# Of the shape of ours, as small as can be.
TEMPLATE = """
Parameters:
  Environment: {Type: String, Default: dev, AllowedValues: [dev, staging, prod]}
  CodeBucket: {Type: String, Default: ''}
  CodeKey: {Type: String}
  AlertEmail: {Type: String, Default: '', AllowedPattern: '^$|^[^@]+@[^@]+$'}
  AlertPhone: {Type: String, Default: '', NoEcho: true, AllowedPattern: '^$|^[+][0-9]{7,}$'}
  CoverageBelow: {Type: Number, Default: 0.6, MinValue: 0, MaxValue: 1}
  ReserveConcurrency: {Type: String, Default: 'false', AllowedValues: ['true', 'false']}
Conditions:
  Reserves: !Equals [!Ref ReserveConcurrency, 'true']
Mappings:
  Layers: {eu-west-1: {Pandas: '26'}, eu-south-1: {Pandas: '0'}}
Resources:
  RawBucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties: {BucketName: raw-1}
  ResultsBucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties: {BucketName: results-1}
  HealthFunction:
    Type: AWS::Lambda::Function
    Properties:
      Code: {S3Bucket: !Ref CodeBucket, S3Key: !Ref CodeKey}
      ReservedConcurrentExecutions: !If [Reserves, 7, !Ref 'AWS::NoValue']
      Layers:
        - !Sub
          - arn:${AWS::Partition}:lambda:${AWS::Region}:336392948345:layer:AWSSDKPandas-Python312:${Version}
          - {Version: !FindInMap [Layers, !Ref 'AWS::Region', Pandas]}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties: {Threshold: !Ref CoverageBelow}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {Subscription: !Ref AlertEmail, Phone: !Ref AlertPhone}
Outputs:
  ResultsBucket: {Value: results-1}
  HealthFunction: {Value: cashtag-dev-health}
  Workgroup: {Value: cashtag-dev}
  DashboardUrl: {Value: 'https://eu-west-1.console.aws.amazon.com/cloudwatch/home#cashtag-dev'}
"""


class Typist:
    """Types commands, with answers to what they ask; keeps what they printed."""

    def __init__(self, site: Site, patch: pytest.MonkeyPatch, capture: Any) -> None:
        self.site, self.patch, self.capture = site, patch, capture
        self.out = self.err = ""

    def run(self, *words: str, typed: str | None = None) -> int:
        """Run a command; keep what it printed; return its exit code."""
        keys = io.StringIO(typed or "")
        keys.isatty = lambda: typed is not None  # type: ignore[method-assign]
        self.patch.setattr(sys, "stdin", keys)
        self.patch.setattr(sys, "argv", ["cashtag", *words])
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        self.out, self.err = self.capture.readouterr()
        return int(code or 0)


class World(Typist):
    """An account, CloudFormation in it, and a folder of templates; `deploy` runs the command."""

    def __init__(self, site: Site, folder: Path, patch: pytest.MonkeyPatch, capture: Any) -> None:
        super().__init__(site, patch, capture)
        self.folder = folder

    def template(self, text: str, name: str = "cashtag.yaml") -> None:
        """Put a template into the checkout."""
        (self.folder / name).write_text(text)
        reading.load.cache_clear()

    def deploy(self, *words: str, typed: str | None = None) -> int:
        """Deploy a zip that is in the bucket already."""
        return self.run("deploy", "--parameter", f"CodeKey={KEY}", *words, typed=typed)

    @property
    def stack(self) -> Any:
        """The main stack."""
        return self.site.stacks["cashtag-dev"]


def artefacts() -> None:
    """Make the bucket of artefacts in the account of the environment, and a zip in it."""
    artifacts.ensure(boto3.Session(), BUCKET, NUMBER)
    boto3.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=b"zip")


@contextmanager
def played(
    account: LoopbackAws, patch: pytest.MonkeyPatch, folder: Path, templates: Mapping[str, str]
) -> Iterator[Site]:
    """CloudFormation and Lambda beside an account, and a checkout in `folder` of these templates."""
    site = Site(lambda: boto3.client("s3", endpoint_url=account.url))
    for service in ("CLOUDFORMATION", "LAMBDA"):
        patch.setenv(f"AWS_ENDPOINT_URL_{service}", site.url)
    patch.setenv("CASHTAG_AWS__DEPLOY__POLL_SECONDS", "0.01")
    patch.chdir(folder)
    found, own = resources.path, folder / "cloudformation"
    own.mkdir()
    for name, text in templates.items():
        (own / name).write_text(text)
    patch.setattr(
        resources,
        "path",
        lambda *parts: own / parts[1] if parts[0] == "cloudformation" else found(*parts),
    )
    reading.load.cache_clear()
    yield site
    site.stop()
    reading.load.cache_clear()
