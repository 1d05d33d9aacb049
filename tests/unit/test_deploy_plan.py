"""What deploy_model.py says before anybody is asked: names, checks, plan and cost, without the SDK."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from sagemaker_account import ROLE, artefact

from cashtag.lake import layout, lines
from cashtag.lake.disk import FolderStore

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "sagemaker" / "deploy_model.py"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    path, known = list(sys.path), set(sys.modules)
    spec = importlib.util.spec_from_file_location("cashtag_deploy_model", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = path
    for name in {name for name in sys.modules if name.startswith("deploy_")} - known:
        del sys.modules[name]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return artefact(tmp_path / "model.tar.gz")


@pytest.fixture
def run(script, model, capsys):
    def called(*arguments: str, whole: bool = True) -> tuple[int, str, str]:
        given = [str(model), "--role", ROLE, "--bucket", "my-models"] if whole else []
        capsys.readouterr()
        code = script.main([*given, *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return called


def plan(script, model: Path, *more: str):
    given = [str(model), "--role", ROLE, "--bucket", "my-models", *more]
    return script.plan_of(script._parser().parse_args(given))


def test_a_dry_run_needs_no_sdk_no_credentials_and_no_network(model: Path) -> None:
    code = (
        "import runpy, socket, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "def refuse(*a, **k): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = refuse\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: print('ENDED', end.code)\n"
        "print('LOADED', sorted({'boto3', 'botocore', 'sagemaker.core'} & set(sys.modules)))\n"
    )
    arguments = [str(SCRIPT), str(model), "--role", ROLE, "--bucket", "my-models", "--dry-run"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**environment, "PYTHONPATH": str(ROOT / "lambda")},
    )
    assert "ENDED 0" in done.stdout, done.stderr
    assert "LOADED []" in done.stdout
    assert "plan for cashtag-sentiment" in done.stdout


def test_the_plan_tells_every_step_and_the_month(run, model: Path) -> None:
    code, out, err = run(
        "--dry-run", "--tweets-per-day", "1000", "--milliseconds", "20", "--memory", "2048",
        "--region", "eu-west-1",
    )  # fmt: skip
    assert (code, err) == (0, "")
    steps = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert steps[:7] == ["upload", "model", "config", "endpoint", "smoke", "if", "clean"]
    assert "plan for cashtag-sentiment in eu-west-1 (nothing is done):" in out
    assert "serverless, 2048 MB, 4 requests at once" in out
    assert "good news positive, bad news negative" in out
    # 1,000 x 30.4375 tweets of 0.02 s x 2 GB at $0.00002: $0.024; $0.0008 per 1,000.
    assert "serverless        $0.02  ($0.0008 per 1,000)  <- this plan" in out
    assert "real-time         $84.01" in out  # 0.115 x 24 x 30.4375
    # 240 s and 30,437.5 x 0.02 s = 848.75 s at $0.115 an hour.
    assert "batch transform   $0.03" in out


def test_real_time_is_marked_and_counted_by_its_instances(run) -> None:
    code, out, _ = run("--dry-run", "--real-time", "--instances", "2")
    assert code == 0
    assert "real-time, 2 x ml.m5.large" in out
    assert "real-time         $168.02" in out
    marked = [line for line in out.splitlines() if "this plan" in line]
    assert len(marked) == 1
    assert marked[0].strip().startswith("real-time")


def test_prices_of_another_instance_are_not_made_up(run) -> None:
    _, out, _ = run("--dry-run", "--real-time", "--instance-type", "ml.c6i.xlarge")
    assert "(prices of ml.m5.large; set models.cost for ml.c6i.xlarge)" in out


def test_a_test_models_labels_are_said_to_mean_nothing(run, model: Path) -> None:
    artefact(model, notice="TEST MODEL, NOT FOR TRADING")
    assert "a test model: its labels mean nothing" in run("--dry-run")[1]


def test_a_dry_run_of_a_transform_counts_the_texts_of_a_folder(run, tmp_path: Path) -> None:
    raw = FolderStore(tmp_path / "lake" / "raw")
    data = {"id_str": "1", "rawContent": "$NVDA", "date": "2026-03-01T15:00:00+00:00", "user": {}}
    line = {"source": "x", "scraped_at": "2026-03-02T12:00:00+00:00", "query": "q", "data": data}
    for day in (2, 3):
        key = layout.raw("tweets", date(2026, 3, day), "x", "NVDA")
        raw.put(key, lines.pack([json.dumps(line).encode()]))
    arguments = ("--dry-run", "--batch-transform", f"{raw.uri()}/", "s3://my-models/backfill")
    code, out, err = run(*arguments, "--to", "2026-03-02")
    assert code == 0, err
    # One text; four minutes of start at $0.115 an hour are most of a cent.
    assert "1 texts of 1 runs: $0.01" in out
    assert f"in {tmp_path}/lake/enriched" in out
    assert list(tmp_path.joinpath("lake").iterdir()) == [tmp_path / "lake" / "raw"]


def test_names_follow_from_content(script, model: Path, tmp_path: Path) -> None:
    first = plan(script, model)
    assert plan(script, model) == first
    other = artefact(tmp_path / "other.tar.gz", "real-int8-000000000002")
    changed = {
        "artefact": plan(script, other),
        "memory": plan(script, model, "--memory", "2048"),
        "kind": plan(script, model, "--real-time"),
    }
    assert len({first.config, *(made.config for made in changed.values())}) == 4
    assert changed["memory"].model == changed["kind"].model == first.model
    assert changed["artefact"].model != first.model
    # By content: an artefact is never overwritten.
    assert first.key == f"models/cashtag-sentiment/{first.artefact.sha256}/model.tar.gz"


def test_an_endpoints_names_are_told_from_those_of_longer_ones(script) -> None:
    made = sys.modules["deploy_plan"].made_here
    assert made("tone", "tone-0123456789")
    assert made("tone", "tone-transform-0123456789")
    assert not made("tone", "tone-news-0123456789")
    assert not made("tone", "tone-012345678")
    assert not made("tone", "my-tone-0123456789")


def test_a_stacks_endpoint_has_a_name_that_a_deployment_takes(script, model: Path) -> None:
    from cashtag.operate.stack import ENVIRONMENTS
    from cashtag.settings import load

    template = (ROOT / "cloudformation" / "cashtag.yaml").read_text(encoding="utf-8")
    assert "!If [DefaultEndpoint, !Sub '${AWS::StackName}-sentiment'" in template
    for environment in ENVIRONMENTS:
        name = f"{load(environ={}).aws.stack}-{environment}-sentiment"
        assert plan(script, model, "--name", name).endpoint == name
    assert "`--name cashtag-dev-sentiment`" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_an_artefact_whose_code_is_not_its_manifests_is_told(run, model: Path) -> None:
    artefact(model, code={"file": "code/inference.py", "sha256": "0" * 64})
    code, _, err = run("--dry-run")
    assert code == 2
    assert "code/inference.py is not what its manifest states; package the model again" in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--role", "admin"], "--role 'admin' is no ARN of a role"),
        (["--role", ""], "--role is missing: the ARN of the role"),
        (["--bucket", ""], "--bucket is missing"),
        (["--bucket", "s3://my-models"], "is no name of a bucket (without s3://)"),
        (["--memory", "4000"], "1024, 2048, 3072, 4096, 5120 or 6144 MB"),
        (["--memory", "8192"], "--memory 8192"),
        (["--concurrency", "201"], "--concurrency 201: 1 to 200"),
        (["--name", "under_score"], "--name 'under_score'"),
        (["--name", "x" * 43], "42 characters at most"),
        (["--instance-type", "m5.large"], "such as ml.m5.large"),
        (["--alarm", "too-many-5xx"], "serverless has no canary"),
        (["--batch-transform", "lake/raw", "my-models"], "is no s3://bucket/prefix"),
        (["--batch-transform", "s3://raw", "s3://my-models/x"], "--record is missing"),
        (["--batch-transform", "lake/raw", "s3://m/x", "--from", "May"], "--from 'May' is no date"),
    ],
)
def test_what_can_be_corrected_is_told_before_anybody_is_asked(run, arguments, why) -> None:
    code, out, err = run("--dry-run", *arguments)
    assert (code, out) == (2, "")
    assert why in err


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "is no model.tar.gz"),
        (b"not a tar", "is no model.tar.gz"),
    ],
)
def test_a_file_that_is_no_artefact_is_told(run, model: Path, content, why) -> None:
    model.unlink()
    if content is not None:
        model.write_bytes(content)
    code, _, err = run("--dry-run")
    assert code == 2
    assert why in err
    assert "package_model.py" in err


def test_an_artefact_cut_short_is_told(run, model: Path) -> None:
    model.write_bytes(model.read_bytes()[:-40])
    code, _, err = run("--dry-run")
    assert code == 2
    assert "is no model.tar.gz" in err


def test_delete_tells_what_it_would_remove(run) -> None:
    code, out, _ = run("--delete", "--dry-run", whole=False)
    assert code == 0
    assert out.startswith("endpoint cashtag-sentiment, and every model and configuration")
    assert "s3://" not in out
    code, out, _ = run("--delete", "--artefacts", "--bucket", "my-models", "--dry-run", whole=False)
    assert "s3://my-models/models/cashtag-sentiment/" in out
    assert run("--delete", "--artefacts", whole=False)[0] == 2


def test_without_the_sdk_a_deployment_says_what_to_install(run, monkeypatch) -> None:
    for name in ("sagemaker", "sagemaker.core"):
        monkeypatch.setitem(sys.modules, name, None)
    code, _, err = run()
    assert code == 3
    assert "pip install 'cashtag[deploy]'" in err


def test_help_shows_examples_exit_codes_and_no_wildcard(script, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        script.main(["--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert "examples:" in told
    assert "Exit codes: 0 done" in told
    assert "--batch-transform lake/raw s3://my-models/backfill" in told
    assert ":*" not in told


@pytest.mark.parametrize(
    ("raw", "enriched"),
    [
        ("lake/raw", "lake/enriched"),
        ("raw/", "enriched"),
        ("/raw", "/enriched"),
        ("s3://bucket/lake/raw", "s3://bucket/lake/enriched"),
    ],
)
def test_answers_are_recorded_beside_raw_unless_told(script, raw, enriched) -> None:
    pytest.importorskip("deploy_transform")
    assert sys.modules["deploy_transform"].enriched_of(raw, None) == enriched
    assert sys.modules["deploy_transform"].enriched_of(raw, "s3://other/zone") == "s3://other/zone"
