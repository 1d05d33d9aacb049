"""Intrinsic functions as CloudFormation's reference defines them, on a template written by hand."""

from __future__ import annotations

import pytest
from stack_template import Stack, TemplateError, parse

TEMPLATE = """
Parameters:
  Environment: {Type: String, Default: dev}
  Zones: {Type: CommaDelimitedList, Default: "a, b"}
  Key: {Type: String, Default: ""}
Mappings:
  Layers: {us-east-1: {Pandas: "arn:layer:1"}}
Conditions:
  Prod: !Equals [!Ref Environment, prod]
  Keyed: !Not [!Equals [!Ref Key, ""]]
  Either: !Or [!Condition Prod, !Condition Keyed]
Resources:
  Raw:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "${AWS::StackName}-raw-${AWS::AccountId}"
      Key: !If [Keyed, !Ref Key, !Ref AWS::NoValue]
      Layer: !FindInMap [Layers, !Ref AWS::Region, Pandas]
      Literal: !Sub "${!stay} ${Environment}"
      Named: !Sub ["${x}/${Raw}", {x: !Select [1, !Ref Zones]}]
      Joined: !Join ["-", [a, !Ref Environment]]
      Last: !Select [2, !Split ["/", "a/b/c"]]
  Role: {Type: AWS::IAM::Role, Properties: {Path: /cashtag/}}
  Only: {Type: AWS::SNS::Topic, Condition: Either}
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      PolicyDocument:
        Version: 2012-10-17
        Statement: [{Resource: [!GetAtt Raw.Arn, !Sub "${Raw.Arn}/*"]}]
Outputs:
  RawBucket: {Value: !Ref Raw}
  Topic: {Condition: Either, Value: !Ref Only}
"""


def stack(**parameters: str) -> Stack:
    return Stack(
        parse(TEMPLATE),
        name="cashtag-dev",
        parameters=parameters,
        physical={"Role": "cashtag-dev-Role-1A"},
    )


def test_every_function_gives_what_its_reference_says() -> None:
    assert stack().properties("Raw") == {
        "BucketName": "cashtag-dev-raw-123456789012",
        "Layer": "arn:layer:1",
        "Literal": "${stay} dev",
        "Named": "b/cashtag-dev-raw-123456789012",
        "Joined": "a-dev",
        "Last": "c",
    }
    assert stack(Key="k1").properties("Raw")["Key"] == "k1"


def test_attributes_are_made_of_names() -> None:
    document = stack().properties("Policy")["PolicyDocument"]
    assert document["Version"] == "2012-10-17"
    assert document["Statement"][0]["Resource"] == [
        "arn:aws:s3:::cashtag-dev-raw-123456789012",
        "arn:aws:s3:::cashtag-dev-raw-123456789012/*",
    ]
    # A role without a name of its own has the one that the account made up, behind its path.
    assert stack().arn("Role") == "arn:aws:iam::123456789012:role/cashtag/cashtag-dev-Role-1A"


def test_a_resource_whose_condition_fails_is_not_there() -> None:
    assert [logical for logical, _ in stack().resources("AWS::SNS::Topic")] == []
    assert [logical for logical, _ in stack(Environment="prod").resources("AWS::SNS::Topic")] == [
        "Only"
    ]
    assert stack().outputs() == {"RawBucket": "cashtag-dev-raw-123456789012"}


def test_what_is_not_understood_is_an_error() -> None:
    with pytest.raises(TemplateError, match="Fn::Transform"):
        stack().value({"Fn::Transform": {}})
    with pytest.raises(TemplateError, match="neither a parameter nor a resource"):
        stack().value({"Ref": "Nobody"})
