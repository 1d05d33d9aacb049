"""An AWS account on loopback for deployments: moto's SageMaker and S3, and endpoints that answer.

moto stands in for the control plane. It lacks UpdateEndpoint, runs no batch transform, and gives
`{}` for structures that are not there, which the SDK's types refuse: three hooks of botocore on the
session put that right. The runtime is an HTTP server of its own, as AWS has one, reached by
`AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME`.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

REGION = "eu-west-1"
NUMBER = "123456789012"  # the account that moto answers for
ROLE = f"arn:aws:iam::{NUMBER}:role/cashtag-model"
BUCKET = "my-models"
SECRET = "PLANTED-aws-secret-key-4"  # noqa: S105  planted, to be looked for
LABELS = ["negative", "neutral", "positive"]
GOOD, BAD = ("beats", "Fantastic", "Loving"), ("misses", "Terrible")


def answer_to(text: str) -> list[float]:
    """Three probabilities, by a few words: good news positive, bad news negative."""
    if any(word in text for word in GOOD):
        return [0.1, 0.2, 0.7]
    if any(word in text for word in BAD):
        return [0.7, 0.2, 0.1]
    return [0.2, 0.6, 0.2]


CODE = b"# what the container would run"


def artefact(path: Path, version: str = "real-int8-000000000001", **manifest: Any) -> Path:
    """Write a model.tar.gz as package_model.py lays it out, with weights that nobody loads."""
    probes = ("$NVDA beats estimates", "$AAPL reports on Thursday", "$TSLA misses on revenue")
    told = {
        "format": 1,
        "name": "real",
        "version": version,
        "precision": "int8",
        "probes": [{"text": text, "probabilities": answer_to(text)} for text in probes],
        "code": {"file": "code/inference.py", "sha256": hashlib.sha256(CODE).hexdigest()},
        **manifest,
    }
    with tarfile.open(path, "w:gz") as tar:
        for name, body in (
            ("manifest.json", json.dumps(told).encode()),
            ("model.onnx", version.encode()),
            ("code/inference.py", CODE),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
    return path


class Account:
    """The account: start it, deploy into `session`, look into `calls` and `backend`."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._moto.start()
        host, port = self._moto.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.runtime = Runtime(self)
        self.session: Any = None
        self.calls: list[str] = []
        self.updates: list[dict[str, Any]] = []
        self.on_update: Callable[[Any, dict[str, Any]], None] = _takes_the_new_one
        self.refusals: dict[str, Sequence[str]] = {}
        """Code and message that an operation is refused with, by its name."""
        self.before: dict[str, Callable[[], None]] = {}
        """What happens before an operation is called, by its name."""
        self.transformed: Callable[[bytes], bytes] | None = None
        """What a container makes of a transform's file; None: the job fails."""

    def start(self, region: str = REGION) -> None:
        """A new, empty account and a session with the hooks."""
        import boto3
        from moto.moto_api._internal import moto_api_backend

        moto_api_backend.reset()
        self.runtime.reset()
        self.calls, self.updates, self.refusals, self.before = [], [], {}, {}
        self.on_update, self.transformed = _takes_the_new_one, None
        self.session = boto3.Session(region_name=region)
        events = self.session.events
        events.register("before-call.*.*", self._noted)
        events.register("after-call.sagemaker", _without_empty_structures)
        events.register_last("before-call.sagemaker.UpdateEndpoint", self._update)
        events.register_last("before-call.sagemaker.CreateTransformJob", self._transform)
        self.session.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        self.calls.clear()

    def stop(self) -> None:
        """End both servers."""
        self.runtime.stop()
        self._moto.stop()

    @property
    def backend(self) -> Any:
        """moto's own SageMaker: `endpoints`, `endpoint_configs`, `transform_jobs`."""
        from moto.sagemaker.models import sagemaker_backends

        return sagemaker_backends[NUMBER][REGION]

    def in_service(self, endpoint: str) -> str:
        """Name of the configuration that an endpoint serves."""
        return str(self.backend.endpoints[endpoint].endpoint_config_name)

    def names(self, kind: str) -> set[str]:
        """Names of all `EndpointConfig`s or `Model`s there are."""
        client = self.session.client("sagemaker")
        if kind == "Model":
            return {one["ModelName"] for one in client.list_models()["Models"]}
        found = client.list_endpoint_configs()["EndpointConfigs"]
        return {one["EndpointConfigName"] for one in found}

    def objects(self) -> set[str]:
        """Keys of the bucket."""
        listed = self.session.client("s3").list_objects_v2(Bucket=BUCKET)
        return {item["Key"] for item in listed.get("Contents", ())}

    # ------------------------------------------------------------ hooks

    def _noted(self, model: Any, **_more: Any) -> Any:
        self.calls.append(model.name)
        if model.name in self.before:
            self.before[model.name]()
        refusal = self.refusals.get(model.name)
        if refusal is None:
            return None
        return _refused(*refusal)

    def _update(self, params: Mapping[str, Any], **_more: Any) -> Any:
        asked = json.loads(params["body"])
        self.updates.append(asked)
        self.on_update(self.backend.endpoints[asked["EndpointName"]], asked)
        arn = f"arn:aws:sagemaker:{REGION}:{NUMBER}:endpoint/{asked['EndpointName']}"
        return SimpleNamespace(status_code=200, headers={}), {"EndpointArn": arn}

    def _transform(self, params: Mapping[str, Any], **_more: Any) -> None:
        """Run the job before moto notes that it is Completed."""
        asked = json.loads(params["body"])
        if self.transformed is None:
            return
        s3 = self.session.client("s3")
        source = asked["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        bucket, _, prefix = source.removeprefix("s3://").partition("/")
        _, _, target = asked["TransformOutput"]["S3OutputPath"].removeprefix("s3://").partition("/")
        for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ()):
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            name = f"{target}/{item['Key'].removeprefix(prefix)}.out"
            s3.put_object(Bucket=bucket, Key=name, Body=self.transformed(body))


def _takes_the_new_one(endpoint: Any, asked: Mapping[str, Any]) -> None:
    endpoint.endpoint_config_name = asked["EndpointConfigName"]


def _without_empty_structures(parsed: dict[str, Any], **_more: Any) -> None:
    for name in [name for name, value in parsed.items() if value == {}]:
        del parsed[name]


def _refused(code: str, message: str, status: str = "400") -> Any:
    parsed = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": int(status), "HTTPHeaders": {}, "RequestId": "1"},
    }
    return SimpleNamespace(status_code=int(status), headers={}), parsed


# ---------------------------------------------------------------- endpoints that answer


class Runtime:
    """InvokeEndpoint over HTTP; answers as `version`, after so many `mishaps`."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.reset()
        runtime = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, answer = runtime.answer(self.path, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        """Answer as a real model would, at once."""
        self.versions: dict[str, str] = {}
        """Version that each configuration serves; others serve the first artefact's."""
        self.says: Callable[[str], Any] = answer_to
        self.mishaps: list[tuple[int, str]] = []
        """Status and code of the next answers."""
        self.asked: list[list[str]] = []

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for one request."""
        if self.mishaps:
            status, code = self.mishaps.pop(0)
            told: dict[str, Any] = {"Message": f"not now: {code}"}
            if code == "ModelError":
                told["OriginalStatusCode"] = status
                status = 424
            return status, {"x-amzn-ErrorType": code}, json.dumps(told).encode()
        texts = json.loads(body)["inputs"]
        self.asked.append(texts)
        config = self._account.in_service(path.split("/")[2])
        prediction = {
            "model": "real",
            "version": self.versions.get(config, "real-int8-000000000001"),
            "precision": "int8",
            "labels": LABELS,
            "probabilities": [self.says(text) for text in texts],
        }
        return 200, {"Content-Type": "application/json"}, json.dumps(prediction).encode()
