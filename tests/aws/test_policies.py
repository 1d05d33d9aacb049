"""IAM's decisions, against the rules and examples of its user guide, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from policies import PolicyError, conditions_hold, decide, matches, statements

OWN: list[dict[str, Any]] = [
    {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::raw/tweets/*"},
    {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": "arn:aws:s3:::raw",
        "Condition": {"StringLike": {"s3:prefix": ["tweets/*", "news/*"]}},
    },
    {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::raw/tweets/secret*"},
]


def allowed(action: str, resource: str, **context: str) -> bool:
    named = {key.replace("__", ":"): value for key, value in context.items()}
    return decide(statements("Role", {"Statement": OWN}), action, resource, named).allowed


def test_a_call_is_refused_unless_a_statement_allows_it() -> None:
    assert allowed("s3:GetObject", "arn:aws:s3:::raw/tweets/a/b")
    assert allowed("S3:getobject", "arn:aws:s3:::raw/tweets/a")  # actions know no case
    assert not allowed("s3:PutObject", "arn:aws:s3:::raw/tweets/a")
    assert not allowed("s3:GetObject", "arn:aws:s3:::raw/Tweets/a")  # resources do
    assert not allowed("s3:GetObject", "arn:aws:s3:::raw2/tweets/a")


def test_a_deny_wins_over_every_allow() -> None:
    assert not allowed("s3:GetObject", "arn:aws:s3:::raw/tweets/secret-1")


def test_a_condition_on_a_key_that_is_not_there_does_not_hold() -> None:
    assert allowed("s3:ListBucket", "arn:aws:s3:::raw", s3__prefix="tweets/dt=1/")
    assert not allowed("s3:ListBucket", "arn:aws:s3:::raw", s3__prefix="bars/")
    assert not allowed("s3:ListBucket", "arn:aws:s3:::raw")


@pytest.mark.parametrize(
    ("block", "held"),
    [
        ({"StringEquals": {"aws:SourceAccount": "1"}}, True),
        ({"StringEquals": {"aws:SourceAccount": ["2", "1"]}}, True),
        ({"StringNotEquals": {"aws:SourceAccount": "1"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b*"}}, True),
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::other"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Bool": {"aws:SecureTransport": False}}, False),
        ({"StringEqualsIfExists": {"aws:absent": "x"}}, True),
        ({"StringNotEquals": {"aws:absent": "x"}}, True),  # negated operators hold for what lacks
        ({"Null": {"aws:absent": "true"}}, True),
        ({"Null": {"aws:SourceAccount": True}}, False),
        # both must hold
        ({"StringEquals": {"aws:SourceAccount": "1"}, "Bool": {"aws:absent": "true"}}, False),
    ],
)
def test_conditions(block: dict[str, Any], held: bool) -> None:
    context = {
        "aws:sourceaccount": "1",
        "aws:sourcearn": "arn:aws:s3:::bucket",
        "aws:securetransport": "true",
    }
    assert conditions_hold(block, context) is held


def test_an_operator_that_is_not_understood_is_an_error() -> None:
    with pytest.raises(PolicyError, match="IpAddress"):
        conditions_hold({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:sourceip": "10.0.0.1"})


def test_a_resource_may_allow_a_service_and_deny_everybody() -> None:
    bucket = statements(
        "Bucket",
        {
            "Statement": [
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": "*",
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "logging.s3.amazonaws.com"},
                    "Action": "s3:PutObject",
                    "Resource": "*",
                },
            ]
        },
    )

    def call(principal: dict[str, str], secure: str) -> bool:
        context = {"aws:securetransport": secure}
        return decide(
            (), "s3:PutObject", "arn:x", context, principal=principal, of_resource=bucket
        ).allowed

    assert call({"Service": "logging.s3.amazonaws.com"}, "true")
    assert not call({"Service": "logging.s3.amazonaws.com"}, "false")
    assert not call({"AWS": "arn:aws:iam::1:role/x"}, "true")


ROOT = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::1:root"},
    "Action": "*",
    "Resource": "*",
}


def test_the_root_of_an_account_leaves_the_decision_to_its_identities() -> None:
    theirs = statements("Topic", {"Statement": ROOT})
    role = {"AWS": "arn:aws:iam::1:role/x"}
    assert theirs[0].names(role) == "account"
    assert theirs[0].names({"AWS": "arn:aws:iam::2:role/x"}) is None
    own = statements(
        "Role", {"Statement": {"Effect": "Allow", "Action": "sns:Publish", "Resource": "arn:t"}}
    )

    def may(action: str) -> bool:
        return decide(own, action, "arn:t", {}, principal=role, of_resource=theirs).allowed

    assert may("sns:Publish")
    assert not may("sns:Subscribe")


def test_a_key_is_used_by_those_whom_both_sides_allow() -> None:
    role = {"AWS": "arn:aws:iam::1:role/x"}
    own = statements(
        "Role", {"Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}}
    )
    key = statements("Key", {"Statement": ROOT})
    assert decide(own, "kms:Decrypt", "arn:k", {}, principal=role, of_resource=key).allowed
    assert not decide(own, "kms:Decrypt", "arn:k", {}, principal=role).allowed
    assert not decide((), "kms:Decrypt", "arn:k", {}, principal=role, of_resource=key).allowed


def test_wildcards_span_everything_and_points_are_points() -> None:
    assert matches("arn:aws:s3:::a/*/c", "arn:aws:s3:::a/b/b/c")
    assert matches("a?c", "abc")
    assert not matches("a.c", "abc")
