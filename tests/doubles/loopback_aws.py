"""An empty AWS account on loopback: moto's server over HTTP, and an environment that leads to it."""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable
from typing import Any

REGION = "eu-west-1"
NUMBER = "123456789012"  # the account that moto answers for
SECRET = "PLANTED-aws-secret-key-loopback"  # noqa: S105  planted, to be looked for


class Policies:
    """Keeps bucket policies without applying them: moto denies without regard to conditions.

    So it would refuse every request to a bucket that is to be read over TLS only.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.kept: dict[str, bytes] = {}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        bucket, method = environ["PATH_INFO"].strip("/"), environ["REQUEST_METHOD"]
        if environ.get("QUERY_STRING") != "policy":
            return self.app(environ, start)
        if method == "PUT":
            self.kept[bucket] = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            start("204 No Content", [])
            return [b""]
        start("200 OK", [("Content-Type", "application/json")])
        return [self.kept[bucket]]


class LoopbackAws:
    """Start it once for a module of tests; `enter` empties it and leads boto3 there."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        running: Any = self._server._server
        running.app = Policies(running.app)
        self.host, self.port = self._server.get_host_and_port()
        self.url = f"http://{self.host}:{self.port}"
        self._post("config", b'{"lambda": {"use_docker": false}}')  # calls are taken, nothing runs

    def stop(self) -> None:
        """End the server."""
        self._server.stop()

    def reset(self) -> None:
        """Forget all that was made in the account."""
        self._post("reset")

    def _post(self, what: str, body: bytes = b"") -> None:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        connection.request("POST", f"/moto-api/{what}", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()

    def enter(self, monkeypatch: Any) -> None:
        """Empty the account; give this process credentials and a region of it, and no others."""
        self.reset()
        self.lead(monkeypatch)

    def lead(self, monkeypatch: Any) -> None:
        """Give this process credentials and a region of the account as it is, and no others."""
        for name in [name for name in os.environ if name.startswith(("AWS_", "CASHTAG_"))]:
            monkeypatch.delenv(name)
        for name, value in self.environment().items():
            monkeypatch.setenv(name, value)

    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to be in this account."""
        return {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "NO_PROXY": "127.0.0.1,localhost",
        }
