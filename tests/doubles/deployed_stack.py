"""A stack on loopback as commands find it: its outputs, functions, queues, schedules and logs.

Made by boto3 in moto, as a deployment names them; nothing in it runs.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

STEPS = ("scrape", "enrich", "signals", "trade", "health")
NAME = "cashtag-dev"
ZONES = ("Raw", "Enriched", "Signals", "Ledger", "Results")


def outputs(name: str = NAME) -> dict[str, str]:
    """What the stack gives out."""
    buckets = {f"{zone}Bucket": f"{name}-{zone.lower()}-123456789012-eu-west-1" for zone in ZONES}
    functions = {f"{step.capitalize()}Function": f"{name}-{step}" for step in STEPS}
    return {
        **buckets,
        **functions,
        "Database": "cashtag_dev",
        "Workgroup": name,
        "Topic": f"arn:aws:sns:eu-west-1:123456789012:{name}-alerts",
        "Parameter": "/cashtag/dev/settings",
        "EventBus": "default",
        "EndpointName": f"{name}-sentiment",
        "DashboardUrl": "https://eu-west-1.console.aws.amazon.com/cloudwatch",
    }


def environment(name: str = NAME) -> dict[str, str]:
    """What the template puts into the environment of every function."""
    told = outputs(name)
    zones = {f"CASHTAG_AWS__{zone.upper()}": told[f"{zone}Bucket"] for zone in ZONES}
    return {
        "CASHTAG_ENVIRONMENT": "dev",
        "CASHTAG_AWS__TOPIC": told["Topic"],
        "CASHTAG_AWS__PARAMETER": told["Parameter"],
        **zones,
    }


def make(name: str = NAME) -> None:
    """Create the stack and what its commands look at, in the account of the environment."""
    import boto3

    template = {
        "Resources": {
            "Mark": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Name": f"/{name}/mark", "Value": "1"},
            }
        },
        "Outputs": {key: {"Value": value} for key, value in outputs(name).items()},
    }
    boto3.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))
    role = boto3.client("iam").create_role(RoleName=f"{name}-any", AssumeRolePolicyDocument="{}")
    for step in STEPS:
        boto3.client("lambda").create_function(
            FunctionName=f"{name}-{step}",
            Runtime="python3.12",
            Role=role["Role"]["Arn"],
            Handler="any.handler",
            Code={"ZipFile": _code()},
            Environment={"Variables": {"CASHTAG_ENRICH__MODEL": "lexicon", **environment(name)}},
        )
    for queue in (*STEPS, "alert"):
        boto3.client("sqs").create_queue(QueueName=f"{name}-{queue}-failures")
    boto3.client("sns").create_topic(Name=f"{name}-alerts")
    s3 = boto3.client("s3")
    for key, value in outputs(name).items():
        if key.endswith("Bucket"):
            s3.create_bucket(
                Bucket=value, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )


def schedule(service: str, step: str, expression: str, zone: str = "UTC", **more: Any) -> None:
    """Create one schedule of the stack, which calls the step's function."""
    import boto3

    boto3.client("scheduler").create_schedule(
        Name=f"{NAME}-{service}",
        ScheduleExpression=expression,
        ScheduleExpressionTimezone=zone,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": f"arn:aws:lambda:eu-west-1:123456789012:function:{NAME}-{step}",
            "RoleArn": "arn:aws:iam::123456789012:role/any",
            "Input": json.dumps({"action": service}),
            "RetryPolicy": {"MaximumRetryAttempts": 3},
        },
        **more,
    )


def fail(step: str, event: Any, reason: str = "StoreError: S3 answers SlowDown") -> None:
    """Put what a function was given into its queue, as Lambda's on-failure destination does."""
    import boto3

    sqs = boto3.client("sqs")
    body = {
        "version": "1.0",
        "requestContext": {
            "requestId": "0",
            "functionArn": f"arn:aws:lambda:eu-west-1:123456789012:function:{NAME}-{step}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": reason},
    }
    send(sqs, step, json.dumps(body))


def send(sqs: Any, step: str, body: str, **attributes: str) -> None:
    """Put a message into a step's queue."""
    url = sqs.get_queue_url(QueueName=f"{NAME}-{step}-failures")["QueueUrl"]
    named = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()}
    sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=named)


def _code() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("any.py", "def handler(event, context):\n    return {}\n")
    return buffer.getvalue()
