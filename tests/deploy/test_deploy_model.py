"""Deployments by the SageMaker SDK, from upload to clean-up, against an account on loopback."""

from __future__ import annotations

import importlib.util
import json
import sys
import tarfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("moto.server", reason="the account on loopback is moto's (extra dev)")
pytest.importorskip(
    "sagemaker.core.resources", reason="the SageMaker SDK is not installed (extra deploy)"
)

from sagemaker_account import BUCKET, LABELS, REGION, ROLE, SECRET, Account, answer_to, artefact

from cashtag.enrich.clean import input_hash
from cashtag.lake import layout, lines
from cashtag.lake.disk import FolderStore

pytestmark = pytest.mark.deploy

SCRIPT = Path(__file__).parents[2] / "sagemaker" / "deploy_model.py"
TINY = Path(__file__).parents[1] / "tiny_model"
NAME = "cashtag-sentiment"
FIRST, SECOND, THIRD = (f"real-int8-00000000000{i}" for i in (1, 2, 3))
RUN = date(2026, 3, 2)


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


@pytest.fixture(scope="module")
def running() -> Iterator[Account]:
    account = Account()
    yield account
    account.stop()


@pytest.fixture
def account(running: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAPLANTED",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": running.url,
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": running.runtime.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    running.start()
    return running


@pytest.fixture
def run(script: ModuleType, account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Run the command line on an artefact of a version; return exit code, stdout and stderr."""

    def deploy(*more: str, version: str | None = FIRST, **manifest: Any) -> tuple[int, str, str]:
        arguments = list(more)
        if version is not None:
            file = tmp_path / f"{version}.tar.gz"
            if not file.exists():
                artefact(file, version, **manifest)
            arguments = [str(file), "--role", ROLE, "--bucket", BUCKET, *more]
        capsys.readouterr()
        code = script.main(arguments, session=account.session, poll=0.01)
        told = capsys.readouterr()
        return code, told.out, told.err

    return deploy


def plan_of(version: str, tmp_path: Path, *more: str) -> Any:
    """The names that a deployment of a version gives."""
    script = sys.modules["deploy_plan"]
    main = importlib.util.spec_from_file_location("cashtag_deploy_model_names", SCRIPT)
    assert main is not None
    assert main.loader is not None
    module = importlib.util.module_from_spec(main)
    main.loader.exec_module(module)
    file = str(tmp_path / f"{version}.tar.gz")
    return script.plan_of(
        module._parser().parse_args([file, "--role", ROLE, "--bucket", BUCKET, *more])
    )


# ---------------------------------------------------------------- into service


def test_a_first_deployment_uploads_creates_and_tries_the_endpoint(run, account, tmp_path) -> None:
    code, out, err = run()
    assert code == 0, err
    assert out.startswith(f"{NAME} serves {FIRST} (serverless, 4096 MB, 4 requests at once)")
    plan = plan_of(FIRST, tmp_path)
    assert account.objects() == {f"models/{NAME}/{plan.artefact.sha256}/model.tar.gz"}
    client = account.session.client("sagemaker")
    model = client.describe_model(ModelName=plan.model)
    assert model["ExecutionRoleArn"] == ROLE
    container = model["PrimaryContainer"]
    assert container["ModelDataUrl"] == plan.uri
    assert "huggingface-pytorch-inference:2.6.0-transformers4.51.3-cpu" in container["Image"]
    assert container["Environment"]["SAGEMAKER_MODEL_SERVER_WORKERS"] == "1"
    config = client.describe_endpoint_config(EndpointConfigName=plan.config)
    (variant,) = config["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 4096, "MaxConcurrency": 4}
    assert "InstanceType" not in variant
    assert account.in_service(NAME) == plan.config
    # The manifest's three probes and the four known sentences, in one request.
    assert [len(texts) for texts in account.runtime.asked] == [7]
    assert SECRET not in out + err


def test_the_same_deployment_again_only_tries_the_endpoint(run, account) -> None:
    run()
    account.calls.clear()
    code, out, _ = run()
    assert code == 0
    assert "was in service already and passed" in out
    assert not [
        name for name in account.calls if name.startswith(("Create", "Put", "Update", "Delete"))
    ]
    assert len(account.runtime.asked) == 2


def test_a_new_version_is_an_update_and_the_oldest_is_cleaned_up(run, account, tmp_path) -> None:
    run()
    names = {}
    for version in (SECOND, THIRD):
        artefact(tmp_path / f"{version}.tar.gz", version)
        names[version] = plan_of(version, tmp_path)
        account.runtime.versions[names[version].config] = version
        code, _, err = run(version=version)
        assert code == 0, err
        assert account.in_service(NAME) == names[version].config
    assert [update["EndpointConfigName"] for update in account.updates] == [
        names[SECOND].config,
        names[THIRD].config,
    ]
    assert account.names("EndpointConfig") == {plan.config for plan in names.values()}
    assert account.names("Model") == {plan.model for plan in names.values()}
    assert len(account.objects()) == 3  # artefacts stay: a rollback may want them


def test_real_time_goes_by_canary_with_alarms(run, account, tmp_path) -> None:
    assert run("--real-time", "--instances", "2")[0] == 0
    artefact(tmp_path / f"{SECOND}.tar.gz", SECOND)
    more = ("--real-time", "--instances", "2", "--alarm", "too-many-5xx")
    plan = plan_of(SECOND, tmp_path, *more)
    account.runtime.versions[plan.config] = SECOND
    code, _, err = run(*more, version=SECOND)
    assert code == 0, err
    config = account.session.client("sagemaker").describe_endpoint_config(
        EndpointConfigName=plan.config
    )
    (variant,) = config["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.m5.large", 2)
    (update,) = account.updates
    guard = update["DeploymentConfig"]
    assert guard["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "too-many-5xx"}]}
    routing = guard["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert (routing["Type"], routing["CanarySize"]["Value"]) == ("CANARY", 10)


def test_a_change_that_goes_on_is_waited_for(run, account) -> None:
    run()
    endpoint = account.backend.endpoints[NAME]
    looks = iter(["Updating", "Updating", "InService"])

    def look() -> None:
        endpoint.endpoint_status = next(looks, "InService")

    account.before["DescribeEndpoint"] = look
    code, _, err = run()
    assert code == 0
    assert "an earlier change: 0 s" in err


def test_a_failed_endpoint_is_made_anew(run, account) -> None:
    run()
    account.backend.endpoints[NAME].endpoint_status = "Failed"
    code, _, err = run()
    assert code == 0, err
    assert f"{NAME} is Failed; it is deleted and made anew" in err
    assert account.backend.endpoints[NAME].endpoint_status == "InService"


def test_the_tiny_model_passes_its_test_by_its_own_code(run, account, script, tmp_path) -> None:
    pytest.importorskip("onnxruntime", reason="the packaged model needs the extra roberta")
    spec = importlib.util.spec_from_file_location("tiny_inference", TINY / "code" / "inference.py")
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    model = code.model_fn(str(TINY))
    with tarfile.open(tmp_path / f"{model.version}.tar.gz", "w:gz") as tar:
        for file in sorted(TINY.rglob("*")):
            if file.is_file():
                tar.add(file, file.relative_to(TINY).as_posix())
    plan = plan_of(model.version, tmp_path)
    account.runtime.versions[plan.config] = model.version
    account.runtime.says = lambda text: code.predict_fn({"inputs": text}, model)["probabilities"][0]
    exit_code, out, err = run(version=model.version)
    assert exit_code == 0, err
    assert model.version in out


# ---------------------------------------------------------------- and back again


def fails(text: str) -> list[float]:
    return [0.7, 0.2, 0.1] if "beats" in text else answer_to(text)


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (fails, "off what was packaged"),
        (lambda _text: [0.5, 0.1, 0.1], "are no three probabilities"),
        (lambda _text: None, "are no three probabilities"),
        (lambda text: [0.7, 0.2, 0.1] if "Fantastic" in text else answer_to(text), "positive news"),
    ],
    ids=["a probe differs", "no distribution", "no answer", "good news called bad"],
)
def test_an_update_that_fails_its_test_is_taken_back(run, account, tmp_path, says, why) -> None:
    run()
    before = plan_of(FIRST, tmp_path)
    artefact(tmp_path / f"{SECOND}.tar.gz", SECOND)
    after = plan_of(SECOND, tmp_path)
    account.runtime.versions[after.config] = SECOND
    account.runtime.says = says
    code, out, err = run(version=SECOND)
    assert (code, out) == (4, "")
    assert why in err
    assert f"{before.config} is back in service" in err
    assert account.in_service(NAME) == before.config
    assert [update["EndpointConfigName"] for update in account.updates] == [
        after.config,
        before.config,
    ]
    assert account.names("EndpointConfig") == {before.config}
    assert account.names("Model") == {before.model}


def test_an_endpoint_that_serves_another_version_is_taken_back(run, account, tmp_path) -> None:
    run()
    before = account.in_service(NAME)
    code, _, err = run(version=SECOND)  # the runtime still serves the first
    assert code == 4
    assert f"it serves '{FIRST}', not '{SECOND}'" in err
    assert account.in_service(NAME) == before


def test_a_first_deployment_that_fails_its_test_leaves_nothing_in_service(run, account) -> None:
    account.runtime.says = fails
    code, _, err = run()
    assert code == 4
    assert "the new endpoint is deleted again" in err
    assert account.backend.endpoints == {}
    assert account.names("EndpointConfig") == account.names("Model") == set()


def test_an_update_that_sagemaker_takes_back_itself_is_told(run, account) -> None:
    run()
    before = account.in_service(NAME)

    def rolls_back(endpoint: Any, _asked: Any) -> None:
        endpoint.failure_reason = "The alarm too-many-5xx rang"

    account.on_update = rolls_back  # InService, on the old configuration
    code, _, err = run(version=SECOND)
    assert code == 4
    assert f"SageMaker took the update back: {NAME} serves {before} as before" in err
    assert "The alarm too-many-5xx rang" in err
    assert account.names("EndpointConfig") == {before}


def test_a_test_models_labels_are_not_judged(run, account) -> None:
    account.runtime.says = lambda text: answer_to(text) if "$" in text else [0.7, 0.2, 0.1]
    code, _, err = run(notice="TEST MODEL, NOT FOR TRADING")
    assert code == 0, err


def test_a_cold_start_is_waited_for(run, account) -> None:
    account.runtime.mishaps = [
        (429, "ModelNotReadyException"),
        (429, "ThrottlingException"),
        (503, "ServiceUnavailable"),
        (500, "ModelError"),
    ]
    code, _, err = run()
    assert code == 0, err
    assert err.count("asking again") == 4


def test_a_model_that_refuses_is_not_asked_again(run, account) -> None:
    account.runtime.mishaps = [(400, "ModelError")]
    code, _, err = run()
    assert code == 4
    assert "it refuses the sentences: ModelError" in err
    assert "asking again" not in err


# ---------------------------------------------------------------- what AWS refuses


@pytest.mark.parametrize(
    ("operation", "code", "message", "remedy"),
    [
        (
            "CreateEndpoint",
            "ResourceLimitExceeded",
            "The account-level service limit is 0",
            "Service Quotas",
        ),
        (
            "CreateModel",
            "ValidationException",
            f"Could not assume role {ROLE}",
            "trust sagemaker.amazonaws.com",
        ),
        (
            "CreateModel",
            "AccessDeniedException",
            "not authorized to perform: sagemaker:CreateModel on resource: arn:x",
            "allow sagemaker:CreateModel on exactly that resource",
        ),
        ("CreateModel", "ExpiredTokenException", "expired", "renew the AWS credentials"),
        ("PutObject", "AccessDenied", "no", "allow s3:PutObject"),
    ],
)
def test_a_refusal_names_the_remedy(run, account, operation, code, message, remedy) -> None:
    account.refusals[operation] = (code, message)
    exit_code, out, err = run()
    assert exit_code == 5
    assert out == ""
    last = err.strip().splitlines()[-1]
    assert message in last
    assert remedy in last
    assert "*" not in last  # no policy of wildcards
    assert SECRET not in err


def test_a_bucket_that_is_not_there_is_told(run) -> None:
    code, _, err = run("--bucket", "nobodys-bucket")
    assert code == 5
    assert "there is no such bucket; create it in eu-west-1" in err


def test_a_bucket_of_another_region_is_told(run, account) -> None:
    account.session.client("s3", region_name="us-west-2").create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    code, _, err = run("--bucket", "far-away")
    assert code == 2
    assert "far-away is in us-west-2, the endpoint in eu-west-1" in err


def test_a_region_without_the_image_is_told(run) -> None:
    code, _, err = run("--region", "mars-north-1")
    assert code in (2, 5)
    assert "mars-north-1" in err


# ---------------------------------------------------------------- out of service


def test_delete_removes_what_the_name_made_and_nothing_else(run, account) -> None:
    run()
    code, _, err = run("--name", f"{NAME}-news")
    assert code == 0, err
    code, out, _ = run("--delete", "--region", REGION, version=None)
    assert code == 0
    assert out.splitlines()[0] == f"deleted endpoint {NAME}"
    assert set(account.backend.endpoints) == {f"{NAME}-news"}
    assert all(name.startswith(f"{NAME}-news-") for name in account.names("EndpointConfig"))
    assert len(account.names("Model")) == 1
    assert len(account.objects()) == 2  # the artefacts stay …
    code, out, _ = run("--delete", "--artefacts", "--bucket", BUCKET, version=None)
    assert code == 0
    assert len(account.objects()) == 1  # … until they are named
    code, out, _ = run("--delete", version=None)
    assert (code, out) == (0, f"there is nothing of {NAME}\n")


# ---------------------------------------------------------------- batch transform


def tweet(number: int, text: str) -> bytes:
    data = {
        "id_str": str(number),
        "rawContent": text,
        "date": "2026-03-01T15:00:00+00:00",
        "user": {"username": "somebody"},
    }
    scraped = "2026-03-02T12:00:00+00:00"
    return json.dumps({"source": "x", "scraped_at": scraped, "query": "q", "data": data}).encode()


def container(body: bytes) -> bytes:
    told = {"model": "real", "version": FIRST, "precision": "int8", "labels": LABELS}
    rows = [json.loads(line) for line in body.splitlines()]
    return b"".join(
        json.dumps({"id": row["id"], "probabilities": answer_to(row["inputs"]), **told}).encode()
        + b"\n"
        for row in rows
    )


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    raw = FolderStore(tmp_path / "lake" / "raw")
    for day in (RUN, date(2026, 3, 3)):
        key = layout.raw("tweets", day, "x", "NVDA")
        raw.put(key, lines.pack([tweet(1, "$NVDA beats"), tweet(2, "$NVDA misses")]))
    return tmp_path / "lake"


def recorded(lake: Path, day: date = RUN) -> dict[str, list[float]]:
    """Probabilities by the hash of their text, as the score store holds them."""
    import pyarrow.parquet as pq

    key = layout.scores(FIRST, layout.raw("tweets", day, "x", "NVDA"))
    rows = pq.read_table(lake / "enriched" / key).to_pylist()
    return {row["input_hash"]: [row[f"p_{label}"] for label in LABELS] for row in rows}


def test_a_batch_transform_ends_in_the_score_store(run, account, lake) -> None:
    account.transformed = container
    code, out, err = run("--batch-transform", str(lake / "raw"), f"s3://{BUCKET}/backfill")
    assert code == 0, err
    assert out.splitlines() == [
        "2026-03-02: 2 texts of 1 objects",
        "2026-03-03: 2 texts of 1 objects",
    ]
    assert recorded(lake) == {
        input_hash(text): answer_to(text) for text in ("$NVDA beats", "$NVDA misses")
    }
    (job,) = account.backend.transform_jobs.values()
    assert job.transform_input["ContentType"] == "application/jsonlines"
    assert job.transform_input["SplitType"] == "Line"
    assert job.batch_strategy == "MultiRecord"
    assert int(job.max_payload_in_mb) == 1
    assert job.transform_output["AssembleWith"] == "Line"
    assert account.names("Model") == set()  # it served the job alone
    assert account.backend.endpoints == {}
    code, out, err = run("--batch-transform", str(lake / "raw"), f"s3://{BUCKET}/backfill")
    assert (code, out) == (0, "")
    assert "every text of these runs has an answer" in err


def test_a_transform_in_the_cloud_alone_reads_and_writes_buckets(run, account, lake) -> None:
    account.transformed = container
    s3 = account.session.client("s3")
    for info in FolderStore(lake / "raw").list(""):
        body = FolderStore(lake / "raw").get(info.key)
        s3.put_object(Bucket=BUCKET, Key=f"lake/raw/{info.key}", Body=body)
    code, out, err = run(
        "--batch-transform", f"s3://{BUCKET}/lake/raw", f"s3://{BUCKET}/backfill",
        "--to", "2026-03-02",
    )  # fmt: skip
    assert code == 0, err
    assert out == "2026-03-02: 2 texts of 1 objects\n"
    key = layout.scores(FIRST, layout.raw("tweets", RUN, "x", "NVDA"))
    assert f"lake/enriched/{key}" in account.objects()


def test_a_job_that_was_left_alone_is_found_again(run, account, lake) -> None:
    account.transformed = container
    arguments = ("--batch-transform", str(lake / "raw"), f"s3://{BUCKET}/backfill")
    looks = iter(["InProgress", "InProgress"])

    def look() -> None:
        for job in account.backend.transform_jobs.values():
            job.transform_job_status = next(looks, "Completed")

    account.before["DescribeTransformJob"] = look
    assert run(*arguments)[0] == 0
    for info in list(FolderStore(lake / "enriched").list("scores/")):
        FolderStore(lake / "enriched").delete(info.key)  # as if we had been killed while waiting
    code, out, err = run(*arguments)
    assert code == 0
    assert len(out.splitlines()) == 2
    assert "is Completed" in err
    assert len(account.backend.transform_jobs) == 1


def test_a_failed_job_is_told_and_the_next_one_has_a_number(run, account, lake) -> None:
    arguments = ("--batch-transform", str(lake / "raw"), f"s3://{BUCKET}/backfill")

    def failed() -> None:
        for job in account.backend.transform_jobs.values():
            job.transform_job_status = "Failed"
            job.failure_reason = "AlgorithmError: see the logs"

    account.before["DescribeTransformJob"] = failed
    code, _, err = run(*arguments)
    assert code == 4
    assert "failed: AlgorithmError: see the logs" in err
    del account.before["DescribeTransformJob"]
    account.transformed = container
    code, _, err = run(*arguments)
    assert code == 0, err
    first, second = account.backend.transform_jobs
    assert second == f"{first}-2"


def test_an_answer_of_another_model_is_not_recorded(run, account, lake) -> None:
    account.transformed = lambda body: container(body).replace(FIRST.encode(), SECOND.encode())
    code, _, err = run("--batch-transform", str(lake / "raw"), f"s3://{BUCKET}/backfill")
    assert code == 2
    assert f"an answer of {SECOND}, not of {FIRST}" in err
    assert not list(FolderStore(lake / "enriched").list("scores/"))
