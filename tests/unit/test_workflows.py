"""The workflows of CI as data: what they run exists, and nobody gets more rights than the job needs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
NAMES = sorted(path.name for path in FOLDER.glob("*.yml"))


def workflow(name: str) -> dict[str, Any]:
    whole: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    whole["on"] = whole.pop(True, None) or whole.get("on")  # YAML 1.1 reads `on` as true
    return whole


def steps(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step with the name of its job."""
    for job, told in workflow(name)["jobs"].items():
        for step in told["steps"]:
            yield job, step


def scripts() -> Iterator[tuple[str, str]]:
    """Every line of every script, with where it is."""
    for name in NAMES:
        for job, step in steps(name):
            for line in step.get("run", "").splitlines():
                if line.strip():
                    yield f"{name}: {job}", line.strip()


def test_there_are_workflows_for_changes_and_for_going_back() -> None:
    assert NAMES == ["ci.yml", "rollback.yml"]


def test_every_make_target_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    used = [(where, line.split()[1:]) for where, line in scripts() if line.startswith("make ")]
    assert {word for _, words in used for word in words} == {"check", "test", "bundle"}
    for where, words in used:
        assert set(words) <= set(targets), where


def test_every_cashtag_command_exists_with_its_options() -> None:
    from typer.main import get_command

    from cashtag.cli.app import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    seen = []
    for where, line in scripts():
        words = shlex.split(line)
        if not words[0].endswith("cashtag"):
            continue
        assert words[0] == ".venv/bin/cashtag", where  # where `make` installs it
        known = {option for param in commands[words[1]].params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= known, where
        assert "--yes" in words, where  # nobody is there to be asked
        seen.append((where, words[words.index("--env") + 1]))
    assert seen == [
        ("ci.yml: deploy-dev", "dev"),
        ("ci.yml: deploy-prod", "prod"),
        ("rollback.yml: rollback", "$ENVIRONMENT"),
        ("rollback.yml: rollback", "$ENVIRONMENT"),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned(name: str) -> None:
    used = [step["uses"] for _, step in steps(name) if "uses" in step]
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", action), action
        assert action.split("/")[0] in {"actions", "aws-actions"}, action


@pytest.mark.parametrize("name", NAMES)
def test_a_job_may_read_the_code_and_only_a_deployment_gets_a_token(name: str) -> None:
    whole = workflow(name)
    assert whole["permissions"] == {"contents": "read"}
    for job, told in whole["jobs"].items():
        deploys = any("cashtag deploy" in step.get("run", "") for step in told["steps"])
        if deploys:
            assert told["permissions"] == {"contents": "read", "id-token": "write"}, job
            assert "environment" in told, job
        else:
            assert "permissions" not in told, job


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_and_no_input_is_put_into_a_script(name: str) -> None:
    assert "secrets." not in (FOLDER / name).read_text(encoding="utf-8")
    for job, step in steps(name):
        assert "${{" not in step.get("run", ""), job  # text of others would be run
        assert not re.search(r"(^|[;&|]\s*)(env|printenv)\b|set -x", step.get("run", ""), re.M), job


@pytest.mark.parametrize("name", NAMES)
def test_no_checkout_leaves_its_credentials_behind(name: str) -> None:
    for job, step in steps(name):
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False, job


def test_credentials_come_by_oidc_from_the_environments_role() -> None:
    seen = 0
    for name in NAMES:
        for job, step in steps(name):
            if not step.get("uses", "").startswith("aws-actions/configure-aws-credentials"):
                continue
            seen += 1
            assert step["with"]["role-to-assume"] == "${{ vars.AWS_ROLE_ARN }}", job
            assert not any("key" in option for option in step["with"]), job
    assert seen == 3


def test_dev_gets_main_alone_and_prod_what_dev_has_got() -> None:
    jobs = workflow("ci.yml")["jobs"]
    for name in ("deploy-dev", "deploy-prod"):
        assert jobs[name]["if"] == "github.event_name == 'push' && github.ref == 'refs/heads/main'"
        assert jobs[name]["concurrency"]["cancel-in-progress"] is False
    assert set(jobs["deploy-dev"]["needs"]) == {"lint", "test", "package"}
    assert "deploy-dev" in jobs["deploy-prod"]["needs"]
    assert jobs["deploy-dev"]["environment"] == "dev"
    assert jobs["deploy-prod"]["environment"] == "prod"  # whose reviewers approve by hand


def test_two_builds_are_compared_and_what_is_deployed_is_what_was_packaged() -> None:
    jobs = workflow("ci.yml")["jobs"]
    package = [step.get("run", "") for step in jobs["package"]["steps"]]
    folders = [
        step.get("working-directory")
        for step in jobs["package"]["steps"]
        if step.get("run") == "make bundle"
    ]
    assert len(set(folders)) == 2
    assert any(
        "cmp one/build/function.zip two/elsewhere/build/function.zip" in run for run in package
    )
    for name in ("deploy-dev", "deploy-prod"):
        runs = [step.get("run", "") for step in jobs[name]["steps"]]
        check = runs.index('echo "$SHA256  build/function.zip" | sha256sum --check')
        assert check < next(n for n, run in enumerate(runs) if "cashtag deploy" in run)


def test_every_python_that_we_promise_is_tested() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    promised = re.findall(r"Programming Language :: Python :: (3\.\d+)", project)
    assert workflow("ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"] == promised


def test_going_back_deploys_a_commit_that_was_on_main() -> None:
    whole = workflow("rollback.yml")
    assert set(whole["on"]) == {"workflow_dispatch"}
    inputs = whole["on"]["workflow_dispatch"]["inputs"]
    assert inputs["environment"]["options"] == ["dev", "prod"]
    job = whole["jobs"]["rollback"]
    assert job["environment"] == "${{ inputs.environment }}"
    assert job["steps"][0]["with"]["ref"] == "${{ inputs.ref }}"
    assert job["steps"][1]["run"] == "git merge-base --is-ancestor HEAD origin/main"


def test_every_job_ends_by_itself() -> None:
    for name in NAMES:
        for job, told in workflow(name)["jobs"].items():
            assert 5 <= told["timeout-minutes"] <= 90, job
