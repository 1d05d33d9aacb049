"""Deployments that fail, are killed, or meet another: followed to their end, and resumed."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import nullcontext

import boto3
import pytest
from cloudformation_site import Refused
from deploy_world import BUCKET, KEY, World
from loopback_aws import NUMBER, REGION, LoopbackAws

from cashtag.cli import main
from cashtag.operate.cloud import template as reading
from cashtag.operate.deploying import deployment
from cashtag.operate.deploying.changes import ChangeSet
from cashtag.settings import load

# ---------------------------------------------------------------- what goes wrong


def test_a_failure_is_told_by_its_first_reason(world: World) -> None:
    world.site.fail = {"Topic": "Invalid parameter: Endpoint"}
    assert world.deploy("--yes") == 7
    assert (
        "stack cashtag-dev ends in state ROLLBACK_COMPLETE: Topic (AWS::SNS::Topic): Invalid "
        "parameter: Endpoint; the next `cashtag deploy` clears what is left" in world.err
    )
    assert world.site.asked == []


def test_the_next_deployment_clears_what_a_failed_creation_left(world: World) -> None:
    world.site.fail = {"Topic": "Invalid parameter: Endpoint"}
    world.deploy("--yes")
    world.site.fail = {}
    assert world.deploy(typed="n\n") == 7
    assert "it was left as it is" in world.err
    assert world.deploy("--yes") == 0
    assert world.stack.status == "CREATE_COMPLETE"
    assert len(world.site.deleted) == 1


def test_a_failed_update_leaves_what_ran_before(world: World) -> None:
    world.deploy("--yes")
    world.site.fail = {"Alarm": "Threshold is no number"}
    assert world.deploy("--yes", "--parameter", "CoverageBelow=0.5") == 7
    assert "Threshold is no number; what ran before runs on" in world.err
    assert world.stack.parameters["CoverageBelow"] == "0.6"
    world.site.fail = {}
    assert world.deploy("--yes", "--parameter", "CoverageBelow=0.5") == 0
    assert world.stack.parameters["CoverageBelow"] == "0.5"


def test_an_update_that_could_not_be_taken_back_is_taken_back_first(world: World) -> None:
    world.deploy("--yes")
    world.site.fail, world.site.keep = {"Alarm": "no"}, {"Alarm": "Role is gone"}
    assert world.deploy("--yes", "--parameter", "CoverageBelow=0.5") == 7
    assert world.stack.status == "UPDATE_ROLLBACK_FAILED"
    assert world.deploy("--yes") == 7
    assert "continue-update-rollback" in world.err
    assert "Role is gone" in world.err
    world.site.fail, world.site.keep = {}, {}
    assert world.deploy("--yes", "--parameter", "CoverageBelow=0.5") == 0
    assert world.stack.status == "UPDATE_COMPLETE"


def test_what_cloudformation_refuses_is_told(world: World) -> None:
    world.site.refuse["CreateChangeSet"] = Refused(
        "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"
    )
    assert world.deploy("--yes") == 7
    assert "the change of stack cashtag-dev is refused" in world.err
    assert "Requires capabilities" in world.err


def test_a_stack_half_deleted_is_destroyed_first(world: World) -> None:
    world.deploy("--yes")
    world.stack.status = "DELETE_FAILED"
    assert world.deploy("--yes") == 7
    assert "`cashtag destroy --env dev`, then deploy again" in world.err


# ---------------------------------------------------------------- by another implementation


@pytest.mark.filterwarnings("ignore:Tried to parse")  # kinds that moto passes over
def test_our_own_template_goes_through_motos_change_sets(
    artefacts: LoopbackAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto makes of it what it can, at once, and works out no outputs: so no smoke test here.
    artefacts.lead(monkeypatch)
    monkeypatch.setenv("CASHTAG_AWS__DEPLOY__POLL_SECONDS", "0.01")
    reading.load.cache_clear()
    seen: list[ChangeSet] = []
    said: list[str] = []
    target = deployment.Target(
        load(),
        "staging",
        boto3.Session(),
        following=lambda _: nullcontext((lambda event: said.append(event.status), lambda *_: None)),
    )
    values = {"Environment": "staging", "CodeBucket": BUCKET, "CodeKey": KEY}
    done = deployment.bring_up(target, BUCKET, values, lambda planned: not seen.append(planned))
    assert done is not None
    assert done.created
    assert done.stack.status == "CREATE_COMPLETE"
    assert done.stack.parameters["Environment"] == "staging"
    assert said == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    resources_of_ours = reading.active(reading.load(), values)
    assert set(resources_of_ours) <= {change.resource for change in seen[0].changes}
    code = boto3.client("lambda").get_function(FunctionName="cashtag-staging-health")
    assert code["Configuration"]["Handler"] == "cashtag.handlers.health.handler"
    names = {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}
    assert f"cashtag-staging-raw-{NUMBER}-{REGION}" in names


# ---------------------------------------------------------------- killed, and two at once


def test_a_deployment_killed_in_the_middle_is_resumed_by_the_next(world: World) -> None:
    child = os.fork()
    if not child:  # pragma: no cover  the child is killed
        try:
            world.patch.setattr(
                sys, "argv", ["cashtag", "deploy", "--yes", "--parameter", f"CodeKey={KEY}"]
            )
            main()
        finally:
            os._exit(0)
    until = time.monotonic() + 20
    world.site.held = False
    while not world.site.executed and time.monotonic() < until:
        time.sleep(0.005)
    world.site.held = True
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert world.stack.status == "CREATE_IN_PROGRESS"
    threading.Timer(0.3, lambda: setattr(world.site, "held", False)).start()
    assert world.deploy("--yes") == 0
    assert "is being changed (CREATE_IN_PROGRESS): waiting for its end" in world.err
    assert world.stack.status == "CREATE_COMPLETE"
    assert len(world.site.executed) == 1
    assert "is as it should be already" in world.err


def test_a_deployment_killed_before_it_was_executed_leaves_a_plan_that_the_next_finds(
    world: World,
) -> None:
    world.site.refuse["ExecuteChangeSet"] = Refused("InternalFailure", "killed here")
    assert world.deploy("--yes") == 7
    assert world.stack.status == "REVIEW_IN_PROGRESS"
    del world.site.refuse["ExecuteChangeSet"]
    assert world.deploy("--yes") == 0
    assert world.stack.status == "CREATE_COMPLETE"
    assert world.site.calls.count("CreateChangeSet") == 2


def test_of_two_at_once_one_changes_the_stack_and_the_other_finds_it_done(world: World) -> None:
    def other() -> None:
        (one,) = world.stack.sets.values()
        world.site.executed.append("the other's")
        world.stack.sets = {}
        world.site._begin(world.stack, one)

    world.site.sibling = other
    assert world.deploy("--yes") == 0
    assert world.site.executed == ["the other's"]
    assert "is being changed by somebody else: waiting, then planning anew" in world.err
    assert "is as it should be already" in world.err
    assert world.stack.status == "CREATE_COMPLETE"


def test_a_change_set_made_useless_by_another_change_is_made_again(world: World) -> None:
    world.deploy("--yes")
    world.deploy("--yes", "--parameter", "CoverageBelow=0.5", typed="")
    words = ("--parameter", "CoverageBelow=0.4")
    world.site.refuse["ExecuteChangeSet"] = Refused("InternalFailure", "killed here")
    world.deploy("--yes", *words)
    del world.site.refuse["ExecuteChangeSet"]
    (stale,) = world.stack.sets.values()
    stale["execution"] = "OBSOLETE"
    assert world.deploy("--yes", *words) == 0
    assert world.stack.parameters["CoverageBelow"] == "0.4"
