"""The live day as a timer starts it: one at a time, into a log, its end kept where people look.

Everything lies in the lake's folder `schedule`: `run.log` (put aside by size), `last.json` (when
the last run began, how it ended) and the lock. What a run printed is in the log only; a record
holds the line that says why it failed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO

from cashtag import sessions
from cashtag.errors import InputError, SourceRefused, StoreError
from cashtag.settings import Settings

FOLDER, LOG, LAST, LOCK = "schedule", "run.log", "last.json", "lock"
HUNG = 124  # the exit code of `timeout`, for a run that was ended
_STOPPED = 130  # of a program that was interrupted
_SIGNALLED = 128  # + the signal's number: how shells tell it
_GRACE_SECONDS = 10.0  # between being asked to end and being killed
_LOCK_SECONDS, _LOCK_PAUSE = 1.0, 0.05  # somebody who only looks holds the lock for a moment
_TOLD = 500  # characters of the line that says why, and of any line that is shown
_COLUMN = re.compile(r" {3,}")


@dataclass(frozen=True, slots=True)
class Record:
    """The last run; `code` is None until it has ended. Moments are UTC."""

    started: datetime
    ended: datetime | None = None
    code: int | None = None
    reason: str = ""

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), default=lambda moment: moment.isoformat(), indent=1)


@dataclass(frozen=True, slots=True)
class Failure:
    """A scheduled run that did not end well, and where to read on."""

    started: datetime
    reason: str
    log: Path

    def text(self) -> str:
        """One sentence with what to do."""
        return (
            f"the scheduled run of {self.started:%Y-%m-%d %H:%M} UTC failed: {self.reason}; see "
            f"{self.log}, then `cashtag schedule run`"
        )


def folder(lake: str | Path) -> Path:
    """Where runs of this lake's schedule are logged.

    Raises:
        InputError: the lake is no folder, so no laptop's timer works on it.
    """
    if "://" in str(lake):
        raise InputError(f"--lake {lake}: a timer of this machine works on a lake that is a folder")
    return Path(lake).absolute() / FOLDER


def command(lake: str | Path) -> list[str]:
    """The program that a scheduled run starts."""
    return [
        *(sys.executable, "-m", "cashtag.cli", "run", "--source", "live", "--catch-up"),
        *("--lake", str(Path(lake).absolute())),
    ]


def times(settings: Settings, day: date) -> tuple[datetime, datetime]:
    """When the runs of a day begin, UTC: at its cutoff, and once more to resume."""
    cutoff = sessions.cutoff(day, settings.scrape.cutoff_utc)
    return cutoff, cutoff + timedelta(minutes=settings.scrape.resume_after_minutes)


def upcoming(settings: Settings, now: datetime) -> datetime:
    """The next moment at which a run begins, strictly after `now`, UTC."""
    days = (now.date() + timedelta(days=n) for n in (-1, 0, 1))
    return min(at for day in days for at in times(settings, day) if at > now)


def is_due(settings: Settings, now: datetime, last: Record | None) -> bool:
    """Whether a run's moment has come since the last one began, however long ago."""
    days = (now.date() - timedelta(days=n) for n in (0, 1))
    newest = max(at for day in days for at in times(settings, day) if at <= now)
    return last is None or last.started < newest


def run(
    settings: Settings,
    lake: str | Path,
    *,
    only_when_due: bool = False,
    program: Sequence[str] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: Callable[[float], None] = time.sleep,
) -> Record | None:
    """Run the live day now, and once more later when every source refused; None if nothing is due.

    Nothing is due either while another run is under way.

    Args:
        settings: reads `scrape.cutoff_utc`, `scrape.resume_after_minutes`, `live.schedule`.
        lake: the lake's folder.
        only_when_due: begin only when a run's moment has come since the last one began.
        program: what to start; `command(lake)` when None.
        now: the clock, UTC.
        pause: waits so many seconds before a run is tried again.

    Raises:
        StoreError: the log or the record cannot be written.
    """
    rules = settings.live.schedule
    where = folder(lake)
    with _explained(where), _locked(where) as lock:
        if lock is None or (only_when_due and not is_due(settings, now(), last_run(lake))):
            return None
        _rotate(where / LOG, rules.log_bytes, rules.logs)
        for attempt in range(rules.retries + 1):
            if attempt:
                pause(settings.scrape.resume_after_minutes * 60.0)
            record = _once(settings, where, list(program or command(lake)), lock, now)
            if record.code != SourceRefused.exit_code:
                break
        return record


def last_run(lake: str | Path) -> Record | None:
    """The last run; None before the first. A record that a power cut left empty is none."""
    try:
        found = json.loads((folder(lake) / LAST).read_text(encoding="utf-8"))
        return Record(
            datetime.fromisoformat(found["started"]),
            None if found["ended"] is None else datetime.fromisoformat(found["ended"]),
            found["code"],
            str(found["reason"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_running(lake: str | Path) -> bool:
    """Whether a run is under way."""
    where = folder(lake)
    if not (where / LOCK).exists():
        return False
    with _locked(where, seconds=0.0) as lock:
        return lock is None


def last_failure(lake: str | Path) -> Failure | None:
    """How the last scheduled run failed; None when it ended well, is under way, or never was.

    A run that was killed, or that a power cut ended, has left no end of its own: it failed too.
    """
    if "://" in str(lake):
        return None
    record, log = last_run(lake), folder(lake) / LOG
    if record is None or record.code == 0:
        return None
    if record.code is None:
        if is_running(lake):
            return None
        return Failure(record.started, "it never ended: killed, or cut off from power", log)
    return Failure(record.started, f"exit code {record.code}, {record.reason}", log)


def tail(lake: str | Path, lines: int) -> list[str]:
    """The last lines of the log that say something; long ones are cut, and columns closed up."""
    if not lines:
        return []
    try:
        text = (folder(lake) / LOG).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    said = [line for line in text.splitlines() if line.strip()][-lines:]
    closed = (_COLUMN.sub("  ", line).rstrip() for line in said)  # a pipe's tables are very wide
    return [line if len(line) <= _TOLD else f"{line[:_TOLD]} …" for line in closed]


def _once(
    settings: Settings, where: Path, program: list[str], lock: int, now: Callable[[], datetime]
) -> Record:
    """Start the program, wait for it, keep how it ended."""
    record = Record(now())
    _keep(where, record)
    with (where / LOG).open("ab") as log:
        _write(log, f"== {record.started.isoformat(timespec='seconds')} {' '.join(program)}")
        begun = log.tell()
        code = _code_of(program, log, lock, settings.live.schedule.limit_minutes * 60.0)
        ended = now()
        _write(log, f"== {ended.isoformat(timespec='seconds')} exit code {code}")
    record = replace(record, ended=ended, code=code, reason=_reason(where / LOG, begun, code))
    _keep(where, record)
    return record


def _code_of(program: list[str], log: IO[bytes], lock: int, seconds: float) -> int:
    # The lock goes with the program: while it lives, even without us, nothing else begins.
    process = subprocess.Popen(  # noqa: S603  our own interpreter and our own words
        program,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=(lock,),
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        _write(log, f"== ended: not done within {seconds / 60:g} min (live.schedule.limit_minutes)")
        return HUNG
    except KeyboardInterrupt:
        _end(process)
        return _STOPPED
    return code if code >= 0 else _SIGNALLED - code


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _reason(log: Path, begun: int, code: int) -> str:
    """Why a run failed, in its own words: its last line of an error, else its last line."""
    if code == 0:
        return ""
    with log.open("rb") as file:
        file.seek(begun)
        said = file.read().decode("utf-8", "replace").splitlines()[:-1]  # but our own
    spoken = [line.strip() for line in said if line.strip()]
    errors = [line for line in spoken if line.startswith("error: ")]
    return next(iter((errors or spoken)[-1:]), "it said nothing")[:_TOLD]


def _write(log: IO[bytes], line: str) -> None:
    log.write(f"{line}\n".encode())
    log.flush()


def _keep(where: Path, record: Record) -> None:
    new = where / f"{LAST}.new"
    new.write_text(record.text(), encoding="utf-8")
    new.replace(where / LAST)


def _rotate(log: Path, most: int, logs: int) -> None:
    """Put a log that is too long aside: `run.log.1` is the newest of `logs` old ones."""
    if not log.exists() or log.stat().st_size <= most:
        return
    for number in range(logs - 1, 0, -1):
        old = log.with_name(f"{log.name}.{number}")
        if old.exists():
            old.replace(log.with_name(f"{log.name}.{number + 1}"))
    log.replace(log.with_name(f"{log.name}.1"))


@contextmanager
def _locked(where: Path, seconds: float = _LOCK_SECONDS) -> Iterator[int | None]:
    """Hold the schedule's lock; yields its file descriptor, or None when somebody else holds it."""
    import fcntl

    where.mkdir(parents=True, exist_ok=True)
    lock = os.open(where / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        until = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    yield None
                    return
                time.sleep(_LOCK_PAUSE)
                continue
            yield lock
            return
    finally:
        os.close(lock)


@contextmanager
def _explained(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{error.filename or where}: {error.strerror}; the schedule keeps its log and record "
            "there"
        ) from error
