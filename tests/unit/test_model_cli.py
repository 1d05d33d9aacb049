"""`cashtag model`: choosing a packaged model, and serving it on loopback as SageMaker does."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cashtag import services, settings, steps
from cashtag.errors import InputError, SettingsError
from cashtag.lake import lines
from cashtag.operate import packages
from cashtag.operate.serving import ModelServer
from cashtag.ports import Env
from cashtag.scrape import manifest
from cashtag.sentiment import packaged
from cashtag.sentiment.sagemaker import EndpointScorer
from cashtag.sentiment.store import ScorerUnavailable

TINY = Path(__file__).parents[1] / "tiny_model"
VERSION = json.loads((TINY / "manifest.json").read_text())["version"]
DT = date(2026, 4, 15)
LOCAL = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "PLANTED-aws-secret-key-3",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
BIN = [sys.executable, "-m", "cashtag.cli"]


def clean() -> dict[str, str]:
    """This environment without settings of ours, or of AWS."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("CASHTAG_", "AWS_"))}


def cashtag(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BIN, *arguments],
        cwd=folder,
        env=clean() | more,
        capture_output=True,
        text=True,
        check=False,
    )


def packed(path: Path, folder: Path = TINY, more: Callable[[tarfile.TarFile], None] | None = None) -> Path:  # fmt: skip
    """A model.tar.gz of a folder, with whatever `more` adds."""
    with tarfile.open(path, "w:gz") as tar:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                tar.add(file, file.relative_to(folder).as_posix())
        if more is not None:
            more(tar)
    return path


# ---------------------------------------------------------------- use


def test_a_packaged_folder_is_chosen_where_it_lies(tmp_path: Path) -> None:
    done = cashtag(tmp_path, "model", "use", str(TINY), "--format", "json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["version"], row["folder"]) == (VERSION, str(TINY))
    assert "NOT FOR TRADING" in done.stderr  # the manifest's own notice
    written = tomllib.loads((tmp_path / "cashtag.toml").read_text())
    assert written == {"models": {"roberta": {"folder": str(TINY)}}, "enrich": {"model": "roberta"}}
    listed = json.loads(cashtag(tmp_path, "model", "list", "--format", "json").stdout)
    assert {row["name"]: (row["chosen"], row["ready"]) for row in listed}["roberta"] == (True, "yes")  # fmt: skip


def test_an_archive_is_unpacked_beside_the_lake(tmp_path: Path) -> None:
    archive = packed(tmp_path / "model.tar.gz")
    done = cashtag(tmp_path, "model", "use", str(archive), "--lake", str(tmp_path / "x" / "lake"))
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "x" / "models" / VERSION
    assert packaged.read(folder).version == VERSION
    assert sorted(p.name for p in folder.parent.iterdir()) == [VERSION]
    written = tomllib.loads((tmp_path / "cashtag.toml").read_text())
    assert written["models"]["roberta"]["folder"] == str(folder)


def test_the_same_archive_again_changes_nothing(tmp_path: Path) -> None:
    archive = packed(tmp_path / "model.tar.gz")
    first = packages.unpack(archive, tmp_path / "models", 10**7)
    before = first.folder.stat().st_ino
    assert packages.unpack(archive, tmp_path / "models", 10**7).folder.stat().st_ino == before


def test_a_folder_that_was_damaged_since_is_unpacked_again(tmp_path: Path) -> None:
    archive = packed(tmp_path / "model.tar.gz")
    folder = packages.unpack(archive, tmp_path / "models", 10**7).folder
    (folder / "model.onnx").write_bytes(b"rotten")
    assert packages.unpack(archive, tmp_path / "models", 10**7).version == VERSION


def test_newer_code_of_the_same_model_takes_the_place_of_the_older(tmp_path: Path) -> None:
    old = packages.unpack(packed(tmp_path / "model.tar.gz"), tmp_path / "models", 10**7)
    shutil.copytree(TINY, tmp_path / "newer")
    code = (TINY / "code" / "inference.py").read_bytes() + b"# newer\n"
    (tmp_path / "newer" / "code" / "inference.py").write_bytes(code)
    manifest = json.loads((TINY / "manifest.json").read_text(encoding="utf-8"))
    manifest["code"]["sha256"] = hashlib.sha256(code).hexdigest()
    (tmp_path / "newer" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    newer = packed(tmp_path / "newer.tar.gz", tmp_path / "newer")
    new = packages.unpack(newer, tmp_path / "models", 10**7)
    assert (new.version, new.folder) == (old.version, old.folder)
    assert new.code == code != old.code


def member(name: str, data: bytes = b"x", **more: Any) -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        for key, value in more.items():
            setattr(entry, key, value)
        tar.addfile(entry, io.BytesIO(data))

    return add


@pytest.mark.parametrize(
    "evil",
    [
        member("../outside"),
        member("code/../../outside"),
        member("/tmp/outside"),  # noqa: S108  never written
        member("..\\outside"),
        member("c:outside"),
        member("link", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("hard", b"", type=tarfile.LNKTYPE, linkname="../outside"),
        member("fifo", b"", type=tarfile.FIFOTYPE),
        member("device", b"", type=tarfile.CHRTYPE),
    ],
)
def test_an_archive_that_leads_out_of_its_folder_is_refused(
    tmp_path: Path, evil: Callable[[tarfile.TarFile], None]
) -> None:
    archive = packed(tmp_path / "model.tar.gz", more=evil)
    with pytest.raises(InputError, match="no plain file within it"):
        packages.unpack(archive, tmp_path / "models", 10**7)
    assert list((tmp_path / "models").iterdir()) == []
    assert not (tmp_path / "outside").exists()


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "model.tar.gz", more=member("bomb", bytes(5_000_000)))
    assert archive.stat().st_size < 500_000
    with pytest.raises(InputError, match=r"more than 1000000 bytes \(models\.roberta"):
        packages.unpack(archive, tmp_path / "models", 1_000_000)
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.9])
def test_an_archive_that_is_cut_short_is_refused(tmp_path: Path, keep: float) -> None:
    whole = packed(tmp_path / "whole.tar.gz").read_bytes()
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises((InputError, SettingsError), match=r"model\.tar\.gz|manifest|model\.onnx"):
        packages.unpack(archive, tmp_path / "models", 10**7)
    assert list((tmp_path / "models").iterdir()) == []


def test_what_stood_in_the_settings_stays(tmp_path: Path) -> None:
    file = tmp_path / "cashtag.toml"
    file.write_text(
        '# mine\nlake = "far"   # keep\n\n[enrich]\nbatch_size = 64\nmodel = "lexicon" # old\n'
        '\n[models.sagemaker]\nname = "mine"\n\n[[live.news.feeds]]\nname = "a"\nurl = "https://a.example/x"\n'
    )
    file.chmod(0o600)
    assert cashtag(tmp_path, "model", "use", str(TINY)).returncode == 0
    text = file.read_text()
    assert text.startswith('# mine\nlake = "far"   # keep\n\n[enrich]\nbatch_size = 64\n')
    assert 'model = "roberta" # old' in text
    assert tomllib.loads(text)["models"] == {
        "sagemaker": {"name": "mine"},
        "roberta": {"folder": str(TINY)},
    }
    assert tomllib.loads(text)["live"]["news"]["feeds"][0]["name"] == "a"
    assert file.stat().st_mode & 0o777 == 0o600
    assert cashtag(tmp_path, "config", "show", "enrich.model").returncode == 0


@pytest.mark.parametrize(
    "before",
    [
        'models.roberta.folder = "old"\n',
        'models = { roberta = { folder = "old", threads = 1 } }\n',
        '[models]\nroberta.folder = "old"\n[enrich]\n',
        "",
    ],
)
def test_however_the_settings_are_written_they_load_again(tmp_path: Path, before: str) -> None:
    file = tmp_path / "cashtag.toml"
    file.write_text(before)
    wanted = {"models.roberta.folder": "/new", "enrich.model": "roberta"}
    packages.write_settings(file, wanted, {})
    loaded = settings.load(file, environ={})
    assert (loaded.models.roberta.folder, loaded.enrich.model) == ("/new", "roberta")


@pytest.mark.parametrize("before", ["no toml [", "enrich = 3\n", 'models = "x"\n'])
def test_settings_that_cannot_take_it_stay_as_they_are(tmp_path: Path, before: str) -> None:
    file = tmp_path / "cashtag.toml"
    file.write_text(before)
    with pytest.raises(SettingsError):
        packages.write_settings(file, {"enrich.model": "roberta", "models.roberta.folder": "x"}, {})
    assert file.read_text() == before
    assert list(tmp_path.iterdir()) == [file]


def test_an_environment_that_says_otherwise_is_told(tmp_path: Path) -> None:
    done = cashtag(tmp_path, "model", "use", str(TINY), CASHTAG_ENRICH__MODEL="lexicon")
    assert "enrich.model is set in the environment too, which wins" in done.stderr


def test_a_damaged_package_is_not_chosen(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(TINY, folder)
    (folder / "tokenizer.json").write_text("{}")
    done = cashtag(tmp_path, "model", "use", str(folder))
    assert done.returncode == 2
    assert "tokenizer.json is not the file" in done.stderr
    assert not (tmp_path / "cashtag.toml").exists()


def test_what_is_not_there_cannot_be_used(tmp_path: Path) -> None:
    done = cashtag(tmp_path, "model", "use", "nowhere")
    assert done.returncode == 2
    assert "nowhere is not there" in done.stderr


def test_what_a_packaged_models_code_is_told_is_no_setting(tmp_path: Path) -> None:
    done = cashtag(tmp_path, "config", "show", "models.roberta", CASHTAG_MODEL_THREADS="2")
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- list


def test_models_elsewhere_are_not_asked_unless_told_to(tmp_path: Path) -> None:
    listed = json.loads(cashtag(tmp_path, "model", "list", "--format", "json").stdout)
    rows = {row["name"]: row for row in listed}
    assert {"lexicon", "roberta", "sagemaker", "finbert"} <= set(rows)
    assert rows["lexicon"]["ready"] == "yes"
    assert "cashtag model use PATH" in rows["roberta"]["ready"]
    assert rows["sagemaker"]["ready"] == "not asked; see --ask"


# ---------------------------------------------------------------- serve


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`cashtag model serve` in a process of its own, and its address."""
    process = subprocess.Popen(
        [*BIN, "model", "serve", "--folder", str(TINY), "--format", "json", *more],
        cwd=folder,
        env=clean(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = ""
        while not said.rstrip().endswith("]"):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            said += line
        (row,) = json.loads(said)
        assert row["version"] == VERSION
        yield process, row["url"]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("served"), "--port", "0") as (_, url):
        yield url


def call(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    kind = {"content-type": "application/json"}
    connection.request(
        method, path, body, kind | {k.replace("_", "-"): v for k, v in headers.items()}
    )
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def runtime(url: str) -> Any:
    return boto3.Session("local", "PLANTED-aws-secret-key-3", region_name="us-east-1").client(
        "sagemaker-runtime", endpoint_url=url, config=Config(retries={"total_max_attempts": 1})
    )


def test_it_is_a_container_to_whoever_asks_for_one(served: str) -> None:
    assert call(served, "GET", "/ping") == (200, "")
    status, text = call(served, "POST", "/invocations", b'{"inputs": ["great", "", null]}')
    told = json.loads(text)
    assert (status, told["version"]) == (200, VERSION)
    assert [row is None for row in told["probabilities"]] == [False, True, True]


def test_batch_transform_gets_a_line_for_every_line(served: str) -> None:
    body = b'"great"\n{"inputs": "bad", "id": 7}\nnot json\n'
    status, text = call(served, "POST", "/invocations", body, content_type="application/jsonlines")
    rows = [json.loads(line) for line in text.splitlines()]
    assert status == 200
    assert [row.get("id") for row in rows] == [None, 7, None]
    assert "error" in rows[2]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/invocations", b"{}", {}, 400),
        ("/invocations", b"[1]", {}, 400),
        ("/invocations", b"\xff", {}, 400),
        ("/invocations", b"x", {"content_type": "text/csv"}, 415),
        ("/invocations", json.dumps(["x"] * 513).encode(), {}, 413),
        ("/invocations", b" " * 7_000_000, {}, 413),
        ("/elsewhere", b"{}", {}, 404),
    ],
)
def test_a_wrong_request_gets_the_models_own_status(
    served: str, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    found, text = call(served, "POST", path, body, **headers)
    assert found == status
    assert json.loads(text)["status"] == status
    assert call(served, "GET", "/ping")[0] == 200


def test_it_is_sagemakers_runtime_to_boto3(served: str) -> None:
    client = runtime(served)
    body = json.dumps({"inputs": ["great", "bad"]})
    response = client.invoke_endpoint(
        EndpointName="cashtag-sentiment", ContentType="application/json", Body=body
    )
    assert len(json.loads(response["Body"].read())["probabilities"]) == 2
    with pytest.raises(ClientError) as wrong:
        client.invoke_endpoint(
            EndpointName="cashtag-sentiment", ContentType="application/json", Body="[1]"
        )
    told = wrong.value.response
    assert (told["Error"]["Code"], told["OriginalStatusCode"]) == ("ModelError", 400)
    assert "not a string" in told["OriginalMessage"]
    with pytest.raises(ClientError, match=r"ValidationError.*Endpoint other not found"):
        client.invoke_endpoint(EndpointName="other", Body=body)


def test_a_payload_of_five_megabytes_is_one_refused_text(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**LOCAL, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": served}.items():
        monkeypatch.setenv(name, value)
    chosen = settings.load(environ={})
    found = EndpointScorer(chosen, chosen.models.sagemaker).answer(["up", "x" * 5_000_000, "down"])
    assert found.answered.tolist() == [True, False, True]
    assert found.refusals == {1: "the text has 5000000 characters; at most 100000"}
    # And one that is more than the server lets in at all.
    found = EndpointScorer(chosen, chosen.models.sagemaker).answer(["up", "x" * 7_000_000])
    assert "at most 6291456" in found.refusals[1]


def test_endpoint_and_process_agree_to_the_last_bit(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**LOCAL, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": served}.items():
        monkeypatch.setenv(name, value)
    overrides = {"models.roberta.folder": str(TINY)}
    chosen = settings.load(environ={}, overrides=overrides)
    from cashtag.sentiment import registry

    near, far = registry.scorer(chosen, "roberta"), registry.scorer(chosen, "sagemaker")
    texts = [f"$NVDA {word} {i}" for i in range(200) for word in ("beats", "misses", "🚀")]
    assert near.version == far.version == VERSION
    assert np.array_equal(near.score(texts), far.score(texts))


def test_a_request_under_way_is_answered_before_the_server_stops(tmp_path: Path) -> None:
    with serving(tmp_path, "--port", "0") as (process, url):
        idle = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
        idle.request("GET", "/ping")
        assert idle.getresponse().read() == b""  # and the connection stays open
        texts = [f"{'word ' * 120}{i}" for i in range(500)]
        body = json.dumps({"inputs": texts}).encode()
        busy = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        busy.putrequest("POST", "/invocations")
        busy.putheader("content-type", "application/json")
        busy.putheader("content-length", str(len(body)))
        busy.endheaders()
        busy.send(body[:1000])
        assert call(url, "GET", "/ping")[0] == 200  # so that the request is surely under way
        process.send_signal(signal.SIGTERM)
        busy.send(body[1000:])
        response = busy.getresponse()
        assert response.status == 200
        assert len(json.loads(response.read())["probabilities"]) == 500
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == "stopped\n"


def test_a_port_that_is_taken_is_told(served: str, tmp_path: Path) -> None:
    port = served.rpartition(":")[2]
    done = cashtag(tmp_path, "model", "serve", "--folder", str(TINY), "--port", port)
    assert done.returncode == 2
    assert f"--port {port}: Address already in use; choose another" in done.stderr


def test_it_listens_on_this_machine_alone() -> None:
    rules = settings.load(environ={}).models.serve
    server = ModelServer(packaged.load(packaged.read(TINY)), "x", rules, 0)
    with server:
        assert server._http.server_address[0] == "127.0.0.1"


def test_without_a_model_there_is_nothing_to_serve(tmp_path: Path) -> None:
    done = cashtag(tmp_path, "model", "serve")
    assert done.returncode == 2
    assert "cashtag model use PATH" in done.stderr


# ---------------------------------------------------------------- a day's enrichment


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the raw objects of the sample's day."""
    folder = tmp_path_factory.mktemp("scraped") / "lake"
    chosen = settings.load(environ={}, overrides={"lake": str(folder)})
    steps.scrape(services.embedded(chosen, source_name="sample"), DT)
    return folder


def lake(folder: Path, monkeypatch: pytest.MonkeyPatch, url: str, **more: Any) -> Env:
    """A lake whose model is the one served at `url`, or the tiny one in process."""
    for name, value in {**LOCAL, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": url}.items():
        monkeypatch.setenv(name, value)
    overrides = {
        "lake": str(folder),
        "models.roberta.folder": str(TINY),
        "enrich.score_deadline_seconds": 1,
        "models.sagemaker.backoff_seconds": [0.01, 0.05],
        **more,
    }
    return services.embedded(settings.load(environ={}, overrides=overrides), source_name="sample")


def enriched(env: Env) -> dict[str, dict[str, int]]:
    """Enrich every raw object of the day; return the counts by key."""
    found = {}
    for entry in manifest.expected(manifest.of_day(env.lake.raw, DT)):
        done = steps.enrich(env, entry.key)
        if done is not None:
            found[entry.key] = done.counts
    return found


def staged(env: Env) -> list[dict[str, Any]]:
    """Rows of the day's tweets, without what names the way to the model and the settings."""
    from cashtag.lake import layout, parquet
    from cashtag.lake.contracts import contract

    rows: list[dict[str, Any]] = []
    build = steps.build_of(env)
    for info in env.lake.enriched.list(f"stage/{build}/tweets/"):
        rows += parquet.read(contract("tweets"), env.lake.enriched.get(info.key)).to_pylist()
    assert layout.stage(build, "tweets/x").startswith(f"stage/{build}/")
    return [{k: v for k, v in row.items() if k not in ("model", "run_id")} for row in rows]


def recorded(env: Env) -> dict[str, bytes]:
    store = env.lake.enriched
    return {info.key: store.get(info.key) for info in store.list("scores/")}


def test_endpoint_and_process_enrich_alike_and_share_their_records(
    served: str, scraped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(scraped, tmp_path / "a")
    shutil.copytree(scraped, tmp_path / "b")
    far = lake(tmp_path / "a", monkeypatch, served, **{"enrich.model": "sagemaker"})
    assert sum(counts["rows"] for counts in enriched(far).values()) > 100
    rows, records = staged(far), recorded(far)
    assert {row["model_version"] for row in rows} == {VERSION}
    assert not any(row["polarity"] is None for row in rows)
    # Again: everything is read from the records, and nobody is asked for an answer.
    monkeypatch.setattr(EndpointScorer, "answer", _never)
    enriched(far)
    assert (staged(far), recorded(far)) == (rows, records)
    # Another way to the same model: the same version, so the records are read here too.
    near = lake(tmp_path / "a", monkeypatch, served, **{"enrich.model": "roberta"})
    enriched(near)
    assert (staged(near), recorded(near)) == (rows, records)
    assert near.scorer._loaded is None  # type: ignore[attr-defined]
    # And in a lake of its own it comes to the same bytes.
    alone = lake(tmp_path / "b", monkeypatch, served, **{"enrich.model": "roberta"})
    enriched(alone)
    assert (staged(alone), recorded(alone)) == (rows, records)


def _never(*_: object) -> None:
    raise AssertionError("the endpoint was asked")


def test_a_server_killed_in_the_middle_leaves_nothing_half_and_is_resumed(
    tmp_path: Path, scraped: Path, monkeypatch: pytest.MonkeyPatch, served: str
) -> None:
    small = {"enrich.model": "sagemaker", "enrich.batch_size": 4}
    for name in ("whole", "killed"):
        shutil.copytree(scraped, tmp_path / name)
    env = lake(tmp_path / "whole", monkeypatch, served, **small)
    enriched(env)
    rows, records = staged(env), recorded(env)
    with serving(tmp_path, "--port", "0") as (process, url):
        port = url.rpartition(":")[2]
        with monkeypatch.context() as patch:
            _kill_after(patch, 9, process)
            env = lake(tmp_path / "killed", monkeypatch, url, **small)
            with pytest.raises(ScorerUnavailable, match="has not answered for 1 s"):
                enriched(env)
        left = recorded(env)
        assert 0 < len(left) < len(records)
        assert left.items() <= records.items()  # whole objects, or none
    with serving(tmp_path, "--port", port):
        env = lake(tmp_path / "killed", monkeypatch, url, **small)
        enriched(env)
        assert (staged(env), recorded(env)) == (rows, records)


def _kill_after(
    monkeypatch: pytest.MonkeyPatch, requests: int, process: subprocess.Popen[str]
) -> None:
    """The server dies at once, as by a power cut, when so many requests have been answered."""
    invoke, count, lock = EndpointScorer._invoke, iter(range(10**6)), threading.Lock()

    def counted(scorer: EndpointScorer, body: bytes) -> bytes:
        with lock:
            if next(count) == requests:
                process.kill()
                process.wait()
        return invoke(scorer, body)

    monkeypatch.setattr(EndpointScorer, "_invoke", counted)


def test_a_refused_text_lies_beside_the_stage_once_and_a_rebuild_does_the_same(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "$NVDA " + "x" * 100_001
    posts = [
        {"id_str": str(i), "date": "2026-04-15T02:00:00+00:00", "rawContent": text,
         "user": {"username": "fan"}}
        for i, text in enumerate(["$NVDA is great", long, "$NVDA misses"])
    ]  # fmt: skip
    head = {"source": "x", "scraped_at": "2026-04-15T11:00:00+00:00", "query": "NVDA"}
    raw = [json.dumps(head | {"data": post}).encode() for post in posts] + [b"no json"]
    key = f"tweets/dt={DT}/source=x/NVDA-1.jsonl.gz"
    found = []
    for name, model in (("far", "sagemaker"), ("far", "sagemaker"), ("near", "roberta")):
        env = lake(tmp_path / name, monkeypatch, served, **{"enrich.model": model})
        env.lake.raw.put_if_absent(key, lines.pack(raw))
        done = steps.enrich(env, key)
        assert done is not None
        assert done.counts == {
            "lines": 4, "rows": 3, "off_topic": 0, "repeated": 0, "rejected": 1, "unanswered": 1,
        }  # fmt: skip
        kept = env.lake.enriched.get(f"quarantine/{steps.build_of(env)}/{key}")
        found.append([json.loads(line) for _, line in lines.unpack(kept).lines])
    assert [(row["line"], row["reason"]) for row in found[0]] == [
        (2, "model: the text has 100007 characters; at most 100000"),
        (4, "json"),
    ]
    assert json.loads(found[0][0]["raw"])["data"]["rawContent"] == long
    assert found[0] == found[1] == found[2]
