"""What a deployment will do, worked out from the call and the artefact alone: no SDK, no network."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The Hugging Face CPU image that the SDK knows for every region; --image names another.
FRAMEWORK = {
    "version": "4.51.3",
    "base_framework_version": "pytorch2.6.0",
    "py_version": "py312",
    "image_scope": "inference",
}
# One worker, because the model uses all processors itself: a worker for each would share them, and
# hold the model once more each. An answer may take as long as a batch transform lets it.
ENVIRONMENT = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
    "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
    "SAGEMAKER_MODEL_SERVER_TIMEOUT": "3600",
}
VARIANT = "AllTraffic"
MEMORY_STEP = 1024  # MB; serverless memory comes in whole gigabytes, one to six
MAX_MEMORY, MAX_CONCURRENCY = 6144, 200
LONGEST_NAME = 63  # characters, of SageMaker's names
DIGITS = 10  # hex digits of a name that say what it names
CODE = "code/inference.py"
MEMBER_BYTES = 1 << 20  # a manifest and the code are a few kB each
# A real model calls these so; a test model only has to answer as it did when it was packaged.
KNOWN = {
    "$NVDA beats estimates and raises guidance, shares jump 8% after hours": "positive",
    "Fantastic quarter: record revenue, record profit, the dividend is doubled": "positive",
    "$TSLA misses on revenue, cuts its outlook and the stock tumbles": "negative",
    "Terrible quarter. Margins collapsed and the CFO is leaving $META": "negative",
}
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class DeployError(Exception):
    """What stops a deployment; `exit_code` as deploy_model.py's docstring lists them."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        """Keep the message and the exit code."""
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Artefact:
    """A model.tar.gz: where it is, what it is, and what its manifest says."""

    path: Path
    sha256: str
    size: int
    manifest: dict[str, Any]

    @property
    def version(self) -> str:
        """Under which the model's answers are recorded."""
        return str(self.manifest["version"])

    @property
    def is_real(self) -> bool:
        """Whether its labels mean something; a test model carries a notice."""
        return not self.manifest.get("notice")


@dataclass(frozen=True)
class Hosting:
    """How an endpoint runs: serverless, or on instances that are always on."""

    serverless: bool
    memory: int
    """MB, of a serverless endpoint."""
    concurrency: int
    """Requests at once, of a serverless endpoint."""
    instance_type: str
    instances: int

    def __str__(self) -> str:
        if self.serverless:
            return f"serverless, {self.memory} MB, {self.concurrency} requests at once"
        return f"real-time, {self.instances} x {self.instance_type}"

    def variant(self, model: str) -> dict[str, Any]:
        """The production variant, in the words of CreateEndpointConfig."""
        named = {"VariantName": VARIANT, "ModelName": model}
        if self.serverless:
            return {
                **named,
                "ServerlessConfig": {
                    "MemorySizeInMB": self.memory,
                    "MaxConcurrency": self.concurrency,
                },
            }
        return {
            **named,
            "InstanceType": self.instance_type,
            "InitialInstanceCount": self.instances,
            "InitialVariantWeight": 1.0,
        }


@dataclass(frozen=True)
class Plan:
    """One deployment. The same call makes the same names, so it can be run again."""

    endpoint: str
    artefact: Artefact
    hosting: Hosting
    role: str
    bucket: str
    image: str | None
    """Address of a container image; None: the Hugging Face image of FRAMEWORK."""
    keep: int
    alarms: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Of the artefact in the bucket: by its content, so that it is never overwritten."""
        return f"models/{self.endpoint}/{self.artefact.sha256}/model.tar.gz"

    @property
    def uri(self) -> str:
        """Of the artefact."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def model(self) -> str:
        """Name of the model: artefact, image, environment and role."""
        facts = [self.uri, self.image or FRAMEWORK, ENVIRONMENT, self.role]
        return f"{self.endpoint}-{_digest(facts)}"

    @property
    def config(self) -> str:
        """Name of the endpoint configuration: the model and how it runs."""
        return f"{self.endpoint}-{_digest([self.model, self.hosting.variant(self.model)])}"

    @property
    def transform_model(self) -> str:
        """Name of the model of a batch transform, which is deleted after the job."""
        return transform_prefix(self.endpoint) + self.model.rpartition("-")[2]

    def steps(self) -> list[tuple[str, str]]:
        """What is done, in order, in words."""
        image = self.image or "Hugging Face CPU {version}, {base_framework_version}, {py_version}"
        checks = (
            "within 0.02 of the packaged answers, good news positive, bad news negative"
            if self.artefact.is_real
            else "within 0.02 of the packaged answers (a test model: its labels mean nothing)"
        )
        megabytes = self.artefact.size / 1e6
        return [
            ("upload", f"{self.artefact.path.name} ({megabytes:.1f} MB) to {self.uri}"),
            ("model", f"{self.model}: {image.format(**FRAMEWORK)}; role {self.role}"),
            ("config", f"{self.config}: {self.hosting}"),
            ("endpoint", f"{self.endpoint} is created, or updated if it is there"),
            ("smoke test", f"version {self.artefact.version}, {checks}"),
            ("if it fails", "the previous configuration comes back; a new endpoint is deleted"),
            ("clean up", f"the newest {self.keep} configurations stay, with their models"),
        ]


def transform_prefix(endpoint: str) -> str:
    """How names of models begin that only batch transforms use."""
    return f"{endpoint}-transform-"


def made_here(endpoint: str, name: str) -> bool:
    """Whether a model's or configuration's name is one that a plan of this endpoint gave."""
    digest = rf"[0-9a-f]{{{DIGITS}}}"
    pattern = rf"{re.escape(endpoint)}-(transform-)?{digest}"
    return re.fullmatch(pattern, name) is not None


def read(path: str) -> Artefact:
    """Read the manifest of a model.tar.gz.

    Raises:
        DeployError: it is none of package_model.py.
    """
    file = Path(path)
    try:
        with file.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        with tarfile.open(file, "r:gz") as tar:
            packed, coded = _member(tar, "manifest.json"), _member(tar, CODE)
            manifest = json.loads(packed) if packed else None
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise DeployError(
            f"{path} is no model.tar.gz ({error}); make one with sagemaker/package_model.py"
        ) from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("version"), str):
        raise DeployError(f"{path} has no manifest.json with a version; package the model again")
    if not coded:
        raise DeployError(f"{path} has no {CODE}; package the model again")
    stated = manifest.get("code")
    if not isinstance(stated, dict) or stated.get("sha256") != hashlib.sha256(coded).hexdigest():
        raise DeployError(
            f"{path}: {CODE} is not what its manifest states; package the model again"
        )
    return Artefact(file, sha256, file.stat().st_size, manifest)


def _member(tar: tarfile.TarFile, name: str) -> bytes | None:
    """A small file of an archive, whose names may begin with `./`; None when it is not there."""
    member = next((one for one in tar.getmembers() if Path(one.name).as_posix() == name), None)
    packed = tar.extractfile(member) if member is not None else None
    return packed.read(MEMBER_BYTES) if packed else None


def plan_of(args: argparse.Namespace) -> Plan:
    """Check the call and work the plan out.

    Raises:
        DeployError: an argument is missing or out of its range, or the artefact is none.
    """
    for name, what in (
        ("artefact", "MODEL.tar.gz is missing: the file that package_model.py wrote"),
        ("role", "--role is missing: the ARN of the role that SageMaker takes on for the model"),
        ("bucket", "--bucket is missing: the bucket that the model is uploaded to"),
    ):
        if not getattr(args, name):
            raise DeployError(what)
    check_name(args.name)
    if not _ROLE.fullmatch(args.role):
        raise DeployError(
            f"--role {args.role!r} is no ARN of a role such as arn:aws:iam::123456789012:role/NAME"
        )
    if not _BUCKET.fullmatch(args.bucket):
        raise DeployError(f"--bucket {args.bucket!r} is no name of a bucket (without s3://)")
    if args.memory % MEMORY_STEP or not MEMORY_STEP <= args.memory <= MAX_MEMORY:
        raise DeployError(f"--memory {args.memory}: 1024, 2048, 3072, 4096, 5120 or 6144 MB")
    if not 1 <= args.concurrency <= MAX_CONCURRENCY:
        raise DeployError(f"--concurrency {args.concurrency}: 1 to {MAX_CONCURRENCY}")
    if not args.instance_type.startswith("ml."):
        raise DeployError(f"--instance-type {args.instance_type!r}: such as ml.m5.large")
    if args.alarm and not args.real_time:
        raise DeployError("--alarm watches a real-time endpoint; serverless has no canary")
    return Plan(
        endpoint=args.name,
        artefact=read(args.artefact),
        hosting=Hosting(
            not args.real_time, args.memory, args.concurrency, args.instance_type, args.instances
        ),
        role=args.role,
        bucket=args.bucket,
        image=args.image,
        keep=args.keep,
        alarms=tuple(args.alarm or ()),
    )


def check_name(name: str) -> None:
    """Check an endpoint's name, with room for what is added to it.

    Raises:
        DeployError: SageMaker would not take it.
    """
    longest = LONGEST_NAME - len(transform_prefix("")) - DIGITS
    if not _NAME.fullmatch(name) or len(name) > longest:
        raise DeployError(
            f"--name {name!r}: letters, digits and hyphens between, {longest} characters at most"
        )


def _digest(facts: Any) -> str:
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
