"""An endpoint put in service, tried on known sentences, taken back if it fails, and cleaned up."""

from __future__ import annotations

from typing import Any

from deploy_cloud import Cloud, check_bucket, found, say, upload
from deploy_plan import ENVIRONMENT, DeployError, Plan, made_here
from deploy_smoke import SmokeFailed, smoke

IN_SERVICE = "InService"
DEAD = {"Failed", "OutOfService"}
SETTLED = {IN_SERVICE, *DEAD, "UpdateRollbackFailed"}
WAIT_SECONDS = 3600.0  # a canary waits ten minutes by itself
CANARY_PERCENT, CANARY_SECONDS = 10, 300


def deploy(cloud: Cloud, plan: Plan) -> str:
    """Do what the plan says; return a sentence about what is in service now.

    Raises:
        DeployError: something was refused, did not come up or failed its test; then what was in
            service before is in service again.
    """
    check_bucket(cloud, plan.bucket)
    upload(cloud, plan.artefact.path, plan.bucket, plan.key)
    create_model(cloud, plan, plan.model)
    _create_config(cloud, plan)
    endpoint, previous = _put_in_service(cloud, plan)
    try:
        smoke(cloud, plan)
    except SmokeFailed as failure:
        _take_back(cloud, plan, endpoint, previous, failure)
    clean(cloud, plan)
    how = "was in service already and passed" if previous == plan.config else "passed"
    return (
        f"{plan.endpoint} serves {plan.artefact.version} ({plan.hosting}); it {how} its smoke test"
    )


def create_model(cloud: Cloud, plan: Plan, name: str) -> None:
    """Create the model unless it is there; its name says what it is made of."""
    model = cloud.sdk.resources.Model
    if found(lambda: model.get(name, **cloud.at)) is None:
        say(f"creating model {name}")
        model.create(
            model_name=name,
            execution_role_arn=plan.role,
            primary_container=cloud.sdk.shapes.ContainerDefinition(
                image=cloud.image(plan.image, plan.hosting.instance_type),
                model_data_url=plan.uri,
                environment=ENVIRONMENT,
            ),
            **cloud.at,
        )


def _create_config(cloud: Cloud, plan: Plan) -> None:
    """By boto3, not the SDK's classes: those of 3.27 write MemorySizeInMb, which AWS refuses.

    https://github.com/aws/sagemaker-core/issues/225
    """
    resource = cloud.sdk.resources.EndpointConfig
    if found(lambda: resource.get(plan.config, **cloud.at)) is None:
        say(f"creating configuration {plan.config}")
        cloud.client("sagemaker").create_endpoint_config(
            EndpointConfigName=plan.config,
            ProductionVariants=[plan.hosting.variant(plan.model)],
        )


# ---------------------------------------------------------------- in service


def _put_in_service(cloud: Cloud, plan: Plan) -> tuple[Any, str | None]:
    """Create or update the endpoint; return it and the configuration it had before."""
    resource = cloud.sdk.resources.Endpoint
    endpoint = found(lambda: resource.get(plan.endpoint, **cloud.at))
    if endpoint is not None:
        _settle(cloud, endpoint, "an earlier change")
        if endpoint.endpoint_status in DEAD:
            # AWS lets nothing be done with a failed endpoint but to delete it.
            say(f"{plan.endpoint} is {endpoint.endpoint_status}; it is deleted and made anew")
            _delete_endpoint(cloud, endpoint)
            endpoint = None
    if endpoint is None:
        say(f"creating endpoint {plan.endpoint}")
        endpoint = resource.create(
            endpoint_name=plan.endpoint, endpoint_config_name=plan.config, **cloud.at
        )
        previous = None
    else:
        previous = str(endpoint.endpoint_config_name)
        if previous == plan.config:
            return endpoint, previous
        say(f"updating endpoint {plan.endpoint} from {previous} to {plan.config}")
        _update(cloud, endpoint, plan.config, _guardrails(cloud, plan))
    _settle(cloud, endpoint, "putting it in service")
    if endpoint.endpoint_status != IN_SERVICE:
        reason = told(endpoint, "failure_reason")
        if previous is None:
            _delete_endpoint(cloud, endpoint)
            _forget(cloud, plan)
            raise DeployError(f"{plan.endpoint} did not come up: {reason}; it is deleted again", 4)
        raise DeployError(
            f"{plan.endpoint} is {endpoint.endpoint_status} after the update: {reason}; look at "
            "its logs in CloudWatch, then delete it (--delete) and deploy anew",
            4,
        )
    if str(endpoint.endpoint_config_name) != plan.config:
        reason = told(endpoint, "failure_reason")
        _forget(cloud, plan)
        raise DeployError(
            f"SageMaker took the update back: {plan.endpoint} serves {previous} as before; {reason}",
            4,
        )
    return endpoint, previous


def _update(cloud: Cloud, endpoint: Any, config: str, guardrails: dict[str, Any]) -> None:
    """`Endpoint.update` takes no configuration: it sends the one that the object names."""
    endpoint.endpoint_config_name = config
    endpoint.update(**guardrails)


def _guardrails(cloud: Cloud, plan: Plan) -> dict[str, Any]:
    """With alarms: a tenth of the traffic first, and back by itself when one of them rings."""
    if not plan.alarms:
        return {}
    shapes = cloud.sdk.shapes
    routing = shapes.TrafficRoutingConfig(
        type="CANARY",
        wait_interval_in_seconds=CANARY_SECONDS,
        canary_size=shapes.CapacitySize(type="CAPACITY_PERCENT", value=CANARY_PERCENT),
    )
    alarms = [shapes.Alarm(alarm_name=name) for name in plan.alarms]
    return {
        "deployment_config": shapes.DeploymentConfig(
            blue_green_update_policy=shapes.BlueGreenUpdatePolicy(
                traffic_routing_configuration=routing,
                termination_wait_in_seconds=CANARY_SECONDS,
            ),
            auto_rollback_configuration=shapes.AutoRollbackConfig(alarms=alarms),
        )
    }


def _settle(cloud: Cloud, endpoint: Any, what: str) -> None:
    """Wait until nothing is going on with the endpoint."""

    def look() -> bool | None:
        endpoint.refresh()
        return True if endpoint.endpoint_status in SETTLED else None

    cloud.wait(f"endpoint {endpoint.endpoint_name}, {what}", look, WAIT_SECONDS)


def told(resource: Any, name: str) -> str:
    """A text that AWS gave, or did not."""
    text = getattr(resource, name, None)
    return text if isinstance(text, str) and text else "AWS gave no reason"


# ---------------------------------------------------------------- back to what was before


def _take_back(
    cloud: Cloud, plan: Plan, endpoint: Any, previous: str | None, failure: SmokeFailed
) -> None:
    """Bring the configuration of before back, or delete what was never right. Always raises."""
    why = f"the smoke test of {plan.endpoint} failed: {failure}"
    say(why)
    if previous is None:
        _delete_endpoint(cloud, endpoint)
        _forget(cloud, plan)
        raise DeployError(f"{why}; the new endpoint is deleted again", 4)
    if previous == plan.config:
        raise DeployError(f"{why}; it was in service already and is left as it is", 4)
    say(f"bringing {previous} back")
    _update(cloud, endpoint, previous, {})
    _settle(cloud, endpoint, "bringing the previous configuration back")
    if endpoint.endpoint_status != IN_SERVICE or str(endpoint.endpoint_config_name) != previous:
        raise DeployError(
            f"{why}; and {previous} did not come back ({endpoint.endpoint_status}: "
            f"{told(endpoint, 'failure_reason')}). Update the endpoint to it by hand",
            4,
        )
    _forget(cloud, plan)
    raise DeployError(f"{why}; {previous} is back in service", 4)


# ---------------------------------------------------------------- cleaning up


def clean(cloud: Cloud, plan: Plan) -> None:
    """Delete configurations beyond the newest `keep` and models that none of those names."""
    resources = cloud.sdk.resources
    configs = _made(cloud, "EndpointConfig", "endpoint_config_name", plan.endpoint)
    configs.sort(key=lambda config: config.creation_time, reverse=True)
    configs.sort(key=lambda config: config.endpoint_config_name != plan.config)  # ours first
    kept, old = configs[: plan.keep], configs[plan.keep :]
    named = set()
    for config in kept:
        whole = resources.EndpointConfig.get(config.endpoint_config_name, **cloud.at)
        named |= {str(variant.model_name) for variant in whole.production_variants}
    for config in old:
        say(f"deleting configuration {config.endpoint_config_name}")
        config.delete()
    for model in _made(cloud, "Model", "model_name", plan.endpoint):
        if model.model_name not in named and "-transform-" not in model.model_name:
            say(f"deleting model {model.model_name}")
            model.delete()


def _forget(cloud: Cloud, plan: Plan) -> None:
    """Delete the configuration that is not in service, and its model unless another names it."""
    resources = cloud.sdk.resources
    config = found(lambda: resources.EndpointConfig.get(plan.config, **cloud.at))
    if config is not None:
        config.delete()
    for other in _made(cloud, "EndpointConfig", "endpoint_config_name", plan.endpoint):
        whole = resources.EndpointConfig.get(other.endpoint_config_name, **cloud.at)
        if any(str(variant.model_name) == plan.model for variant in whole.production_variants):
            return
    model = found(lambda: resources.Model.get(plan.model, **cloud.at))
    if model is not None:
        model.delete()


def delete(cloud: Cloud, name: str) -> list[str]:
    """Delete the endpoint, its configurations and models; return the names of what was deleted."""
    resources = cloud.sdk.resources
    gone = []
    endpoint = found(lambda: resources.Endpoint.get(name, **cloud.at))
    if endpoint is not None:
        _delete_endpoint(cloud, endpoint)
        gone.append(f"endpoint {name}")
    for kind, attribute, what in (
        ("EndpointConfig", "endpoint_config_name", "configuration"),
        ("Model", "model_name", "model"),
    ):
        for one in _made(cloud, kind, attribute, name):
            one.delete()
            gone.append(f"{what} {getattr(one, attribute)}")
    return gone


def delete_artefacts(cloud: Cloud, bucket: str, name: str) -> list[str]:
    """Delete the uploaded models of an endpoint; return their addresses."""
    s3 = cloud.client("s3")
    gone = []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"models/{name}/")
    for page in pages:
        for item in page.get("Contents", ()):
            s3.delete_object(Bucket=bucket, Key=item["Key"])
            gone.append(f"s3://{bucket}/{item['Key']}")
    return gone


def _made(cloud: Cloud, kind: str, attribute: str, endpoint: str) -> list[Any]:
    """Resources of a kind whose names a plan of this endpoint gave; others only begin so."""
    listed = getattr(cloud.sdk.resources, kind).get_all(name_contains=endpoint, **cloud.at)
    return [one for one in listed if made_here(endpoint, str(getattr(one, attribute)))]


def _delete_endpoint(cloud: Cloud, endpoint: Any) -> None:
    name = str(endpoint.endpoint_name)
    endpoint.delete()
    resource = cloud.sdk.resources.Endpoint

    def look() -> bool | None:
        return True if found(lambda: resource.get(name, **cloud.at)) is None else None

    cloud.wait(f"endpoint {name}, deleting it", look, WAIT_SECONDS)
