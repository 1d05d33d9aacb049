"""The net that catches planted secrets catches them: in each way out, one run of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DOUBLES = Path(__file__).parents[1] / "doubles"
# Another word than that of this session, which hears what its processes print.
WORD = "SOWN"
HEAD = """
import base64, gzip, logging, subprocess, sys
import pyarrow as pa, pyarrow.parquet as pq, pytest
SECRET = "sown".upper() + "-cookie-1"  # so that no line of source, which is shown, holds it
"""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str


def run(folder: Path, tests: str, *options: str) -> Ran:
    """Run pytest on a file of tests, with the plugin."""
    (folder / "test_them.py").write_text(HEAD + tests, encoding="utf-8")
    (folder / "pytest.ini").write_text(f"[pytest]\nplanted_word = {WORD}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "planted_secrets", "-p", "no:cacheprovider"]
    command += ["-q", "--tb=short", f"--basetemp={folder / 'base'}", *options, "test_them.py"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(DOUBLES), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout + done.stderr)


CLEAN = """
def test_product():
    # What the package hears from processes of its own, it still has to let out.
    command = [sys.executable, "-c", f"print({SECRET!r})"]
    ask = "said = subprocess.run(command, capture_output=True).stdout"
    room = {"__name__": "cashtag.scrape.feeds", "subprocess": subprocess, "command": command}
    exec(ask, room)
    assert room["said"].startswith(SECRET.encode())

def test_clean(tmp_path, capsys, meant_to_hold_secrets):
    print("nothing of it here")
    logging.warning("30 tickers")
    (tmp_path / "secrets.toml").write_text(SECRET)
    (tmp_path / "secrets-of-two.toml").write_text(SECRET)
    meant_to_hold_secrets(tmp_path / "server.log").write_text(SECRET)
    (tmp_path / "data.gz").write_bytes(gzip.compress(b"clean", mtime=0))
    (tmp_path / "damaged.gz").write_bytes(b"\\x1f\\x8b and no more")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1PAR1")
    (tmp_path / "loop").symlink_to(tmp_path)
"""


def test_a_clean_session_passes_and_says_so(tmp_path: Path) -> None:
    ran = run(tmp_path, CLEAN)
    assert ran.code == 0, ran.out
    # three files: data.gz, damaged.gz, damaged.parquet
    assert "planted secrets: none came out" in ran.out
    assert "and 3 files" in ran.out


LEAKS = """
def test_stdout(): print(SECRET)

def test_stderr(): sys.stderr.write(SECRET)

def test_log(): logging.getLogger("lib").warning("cookie %s", SECRET)

def test_read_stdout(capsys):
    print(SECRET)
    assert SECRET in capsys.readouterr().out

def test_read_stderr(capfd):
    print(SECRET, file=sys.stderr)
    assert SECRET in capfd.readouterr().err

def test_process():
    code = f"import sys; print({SECRET!r}); sys.stderr.write({SECRET!r})"
    subprocess.run([sys.executable, "-c", code], capture_output=True)

def test_traceback():
    raise ValueError(f"header {SECRET}")

def test_blameless():  # its own line plants, and is shown by pytest as it should be
    planted = "SOWN-cookie-2"; pytest.fail("no")

@pytest.mark.xfail
def test_expected():
    raise ValueError(f"header {SECRET}")

def test_skipped():
    pytest.skip(f"no account {SECRET}")

def test_file(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "lake.json").write_text(f"[{SECRET}]")

def test_gzip(tmp_path):
    data = gzip.compress(b"1") + gzip.compress(b"2" * 99 + SECRET.encode())  # two members
    (tmp_path / "raw.gz").write_bytes(data[:-8])  # the checksum of the last one is missing

def test_base64(tmp_path):
    (tmp_path / "header").write_bytes(base64.b64encode(b"me:" + SECRET.encode()))

def parquet(path, texts):
    pq.write_table(pa.table({"reason": texts}), path, compression="zstd", write_statistics=False)
    assert SECRET[:4].encode() not in path.read_bytes()

def test_parquet(tmp_path):
    texts = [f"the {n}. sentence of {n * n} for {SECRET}" for n in range(500)]
    parquet(tmp_path / "plain.parquet", pa.array(texts))
    parquet(tmp_path / "lists.parquet", pa.array([[text] for text in texts]))
    parquet(tmp_path / "words.parquet", pa.array(texts * 2).dictionary_encode())

@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake")
    yield folder
    (folder / "left").write_text(SECRET)

def test_fixture(lake): pass
"""


def test_a_secret_is_caught_on_every_way_out(tmp_path: Path) -> None:
    ran = run(tmp_path, LEAKS)
    assert ran.code == 1
    assert "2 failed, 11 passed, 1 skipped, 1 xfailed" in ran.out, ran.out
    before, _, told = ran.out.partition("planted secrets came out")
    assert "SOWN-cookie-2" in before
    told = told.partition("short test summary")[0]
    finds = [line for line in told.splitlines() if WORD in line or "U09XT" in line]
    # Each test let it out once, but for the process, which used both streams.
    for where, n in {
        "test_stdout, Captured stdout call: 'SOWN-cookie-1": 1,
        "test_stderr, Captured stderr call: 'SOWN-cookie-1": 1,
        "test_log, Captured log call: ": 1,
        "::test_read_stdout printed to stdout: ": 1,
        "::test_read_stderr printed to stderr: ": 1,
        "a process of test_them.py::test_process printed to std": 2,
        "test_traceback, report of its failed call: ": 1,
        "test_expected, report of its skipped call: ": 1,
        "test_skipped, report of its skipped call: ": 1,
        "test_file0/deep/er/lake.json: '[SOWN-cookie-1]'": 1,
        "test_gzip0/raw.gz: ": 1,
        "test_base640/header: ": 1,
        "plain.parquet: ": 1,
        "lists.parquet: ": 1,
        "words.parquet: ": 1,
        "lake0/left: 'SOWN-cookie-1'": 1,
    }.items():
        assert len([find for find in finds if where in find]) == n, (where, finds)
    assert len(finds) == 17


def test_several_processes_catch_what_one_does(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    alone, together = run(one, LEAKS), run(two, LEAKS, "-n", "2")
    assert together.code == 1

    def finds(ran: Ran) -> set[str]:
        told = ran.out.partition("planted secrets came out")[2].partition("short test summary")[0]
        lines = [line for line in told.splitlines() if WORD in line or "U09XT" in line]
        return {
            line.rpartition("/base/")[2].replace("popen-gw0/", "").replace("popen-gw1/", "")
            for line in lines
        }

    assert finds(together) == finds(alone)
    assert len(finds(alone)) == 17
    (tmp_path / "clean").mkdir()
    clean = run(tmp_path / "clean", CLEAN, "-n", "2")
    assert clean.code == 0, clean.out
    assert "planted secrets: none came out" in clean.out
    assert "and 3 files" in clean.out


def test_a_session_whose_tests_all_pass_fails_for_it(tmp_path: Path) -> None:
    # pytest removes the folders of tests that pass, when told to: they are looked at before.
    test = "def test_it(tmp_path):\n    (tmp_path / 'left').write_text(SECRET)\n"
    ran = run(tmp_path, test, "-o", "tmp_path_retention_policy=failed")
    assert "1 passed" in ran.out, ran.out
    assert ran.code == 1
    assert "test_it0/left: 'SOWN-cookie-1'" in ran.out
    assert "no secret may be printed, logged or written" in ran.out
    assert not (tmp_path / "base" / "test_it0").exists()
