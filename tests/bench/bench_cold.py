"""Cold starts: from the start of the process to the first request to AWS, from the built zip.

Lambda's own runtime client starts each function from the unpacked zip, the layers and the
runtime's folder. Two columns: no compiled module anywhere, as in a zip that was just deployed,
and compiled ones kept (on Lambda the runtime's own boto3 is compiled, the zip is not, so that the truth
lies between); beside them `import boto3` and an
S3 client in a bare interpreter, in the same run. The first request is that for the stack's
settings. Limits: health 0.5 s, trade 1.2 s, enrich 1.5 s.

    python tests/bench/bench_cold.py [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("lambda", "tests/doubles", "tests/aws")]

import task_roots  # noqa: E402
from lambda_sandbox import Sandbox, TaskRoot  # noqa: E402
from runtime_api import Definition  # noqa: E402

LIMITS = {"health": 0.5, "trade": 1.2, "enrich": 1.5, "signals": None, "scrape": None}
EVENTS: dict[str, dict[str, Any]] = {
    "health": {"action": "check"},
    "trade": {"action": "execute", "session": "2026-03-03"},
    "enrich": {"keys": ["tweets/dt=2026-03-03/source=x/NVDA-1.jsonl.gz"]},
    "signals": {"action": "run", "dt": "2026-03-03"},
    "scrape": {"action": "scrape", "dt": "2026-03-03"},
}
PEER = "import boto3; boto3.client('s3', region_name='us-east-1')"
ZONES = ("raw", "enriched", "signals", "ledger", "results")


class _Aws(BaseHTTPRequestHandler):
    """Notes when it is first asked, and has no parameter for anybody."""

    def do_POST(self) -> None:
        self.server.asked.set()  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b'{"__type": "ParameterNotFound"}'
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        with suppress(BrokenPipeError, ConnectionResetError):  # it was ended meanwhile
            self.end_headers()
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST  # noqa: N815  the names that http.server calls

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def aws() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Aws)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def definition(step: str) -> Definition:
    environment = {f"CASHTAG_AWS__{zone.upper()}": f"cold-{zone}" for zone in ZONES}
    environment |= {
        "CASHTAG_AWS__PARAMETER": "/cashtag-dev/settings",
        "CASHTAG_AWS__DATABASE": "cashtag_dev",
        "CASHTAG_AWS__WORKGROUP": "cashtag-dev",
        "CASHTAG_ENRICH__MODEL": "sagemaker",
        "HOME": "/tmp",  # noqa: S108  as on Lambda
    }
    handler = f"cashtag.handlers.{step}.handler"
    return Definition(step, step, handler, environment, 60.0, 1024, f"arn:{step}", "AKIACOLD")


def cold(step: str, root: TaskRoot, folder: Path) -> tuple[float, float]:
    """Seconds until the function asks for work, and until it first asks AWS."""
    with aws() as server:
        server.asked = threading.Event()  # type: ignore[attr-defined]
        url = f"http://127.0.0.1:{server.server_address[1]}"
        sandbox = Sandbox(definition(step), root, folder, {"AWS_ENDPOINT_URL": url})
        try:
            ask = threading.Thread(target=sandbox.invoke, args=(EVENTS[step],), daemon=True)
            ask.start()
            if not server.asked.wait(60):  # type: ignore[attr-defined]
                raise SystemExit(f"{step} asked AWS for nothing")
            first = time.perf_counter() - sandbox.started
            return sandbox.ready or first, first
        finally:
            sandbox.close()


def peer() -> float:
    began = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": ""}
    subprocess.run([sys.executable, "-c", PEER], check=True, env=environment)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    kept = task_roots.lay_out()
    roots = {"nothing compiled": replace(kept, bytecode=None), "compiled": kept}
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    peers: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        for n in range(rounds + 1):
            for step in LIMITS:
                for name, root in roots.items():
                    times = cold(step, root, Path(scratch) / f"{step}-{n}-{name[:4]}")
                    if n:  # the first round compiles, and brings files into memory
                        found.setdefault((step, name), []).append(times)
            peers.append(peer())
    bare = statistics.median(peers)
    print(f"boto3 and an S3 client in a bare interpreter: {bare:.2f} s")
    for (step, name), times in found.items():
        ready = statistics.median(one for one, _ in times)
        first = statistics.median(one for _, one in times)
        limit = LIMITS[step]
        told = "" if limit is None else f"  {first / limit:.2f} of the limit of {limit:g} s"
        print(
            f"{step:8} {name:17} asks for work after {ready:.2f} s, AWS after {first:.2f} s, "
            f"{first / bare:.1f} x the bare client{told}"
        )


if __name__ == "__main__":
    main()
