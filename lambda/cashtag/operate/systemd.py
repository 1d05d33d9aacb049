"""A timer of systemd's user manager: three unit files, and what `systemctl --user` says of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from cashtag.errors import InputError, StoreError
from cashtag.operate import scheduled_run
from cashtag.operate.timed import Job
from cashtag.settings import Settings

MARK = "# Written by `cashtag schedule install`; `cashtag schedule remove` takes it away.\n"
SERVICE, FAILED, TIMER = "cashtag.service", "cashtag-failed.service", "cashtag.timer"
_PLAIN = re.compile(r"[\w/.=+,:@-]+", re.A)
_UNSAFE = re.compile(r"[\"'\\]")
_SECONDS = 30.0  # for one call of systemctl
_ANY_DAY = date(2000, 1, 1)  # by UTC a run is at the same time every day


def is_there() -> bool:
    """Whether systemd's user manager answers."""
    if shutil.which("systemctl") is None:
        return False
    return _call("show", "--property=Version").returncode == 0


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where a user's own units lie, by the XDG Base Directory Specification."""
    given = environ.get("XDG_CONFIG_HOME", "")
    base = Path(given) if Path(given).is_absolute() else Path.home() / ".config"
    return base / "systemd" / "user"


def units(settings: Settings, job: Job) -> dict[str, str]:
    """Text of each unit by its name; `systemd.service(5)`, `systemd.timer(5)`."""
    at = _calendar(settings)
    common = f"Type=oneshot\nWorkingDirectory={_percent(str(job.working))}\n"
    if job.config is not None:
        common += f"Environment={_quoted(f'CASHTAG_CONFIG={job.config}')}\n"
    return {
        SERVICE: f"{MARK}[Unit]\nDescription=Cashtag: the live day\nOnFailure={FAILED}\n\n"
        f"[Service]\n{common}ExecStart={_exec(job.run)}\n",
        FAILED: f"{MARK}[Unit]\nDescription=Cashtag: tell of a live day that failed\n\n"
        f"[Service]\n{common}ExecStart={_exec(job.notify)}\n",
        TIMER: f"{MARK}[Unit]\nDescription=Cashtag: the live day, every day\n\n"
        + "[Timer]\n"
        + "".join(f"OnCalendar={moment}\n" for moment in at)
        + f"Persistent=true\nUnit={SERVICE}\n\n[Install]\nWantedBy=timers.target\n",
    }


def install(settings: Settings, job: Job) -> list[str]:
    """Write and start the timer; say what was done. The same again does nothing.

    Raises:
        InputError: a unit of that name is there and is not ours.
        StoreError: a unit cannot be written, or systemd refuses it.
    """
    where, done = folder(), []
    texts = units(settings, job)
    for name in texts:
        _refuse_others(where / name)
    for name, text in texts.items():
        if not (where / name).is_file() or (where / name).read_text(encoding="utf-8") != text:
            _write(where / name, text)
            done.append(f"wrote {where / name}")
    if done:
        _must("daemon-reload")
    if done or not is_active():
        _must("enable", "--now", TIMER)
        done.append(f"started {TIMER}")
    return done


def remove() -> list[str]:
    """Stop the timer and take away our own units; say what was done."""
    found = installed()
    if not found:
        return []
    if TIMER in {path.name for path in found} and is_there():
        _must("disable", "--now", TIMER)
    for path in found:
        path.unlink()
    if is_there():
        _must("daemon-reload")
    return [f"removed {path}" for path in found]


def installed() -> list[Path]:
    """Those of the unit files that are there and ours."""
    return [path for name in (SERVICE, FAILED, TIMER) if _is_ours(path := folder() / name)]


def is_active() -> bool:
    """Whether the timer is started and will be after the next start of the machine."""
    return all(
        _call(word, "--quiet", TIMER).returncode == 0 for word in ("is-active", "is-enabled")
    )


def upcoming() -> str | None:
    """When the timer fires next, in systemd's words."""
    found = _call("show", TIMER, "--property=NextElapseUSecRealtime", "--value")
    return found.stdout.strip() or None if found.returncode == 0 else None


def lingers() -> bool | None:
    """Whether the user's timers run while nobody is logged in; None when nobody can say."""
    if shutil.which("loginctl") is None:
        return None
    found = _run(["loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value"])
    return {"yes": True, "no": False}.get(found.stdout.strip())


def _calendar(settings: Settings) -> list[str]:
    """`*-*-* 12:00:00 UTC`, and the same for the run that resumes."""
    moments = scheduled_run.times(settings, _ANY_DAY)
    return [f"*-*-* {moment:%H:%M}:00 UTC" for moment in moments]


def _exec(program: Sequence[str]) -> str:
    """A command line. `$` begins a variable in arguments, though not in the program's path, and
    systemd takes no path with quotes or backslashes: as an argument of `env` it does."""
    words = [_quoted(word.replace("$", "$$")) for word in program]
    if _UNSAFE.search(program[0]):
        return " ".join(["/usr/bin/env", *words])
    return " ".join([_quoted(program[0]), *words[1:]])


def _quoted(text: str) -> str:
    """A value, in quotes where it needs them, by `systemd.syntax(7)`."""
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_percent(escaped)}"'


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _is_ours(path: Path) -> bool:
    try:
        return path.read_text(encoding="utf-8").startswith(MARK)
    except (OSError, UnicodeDecodeError):
        return False


def _refuse_others(path: Path) -> None:
    if path.exists() and not _is_ours(path):
        raise InputError(
            f"{path} is there and was not written by `cashtag schedule install`; rename it, or use "
            "--kind cron"
        )


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error


def _must(*words: str) -> None:
    found = _call(*words)
    if found.returncode:
        said = " ".join(found.stderr.split()) or f"exit code {found.returncode}"
        raise StoreError(f"systemctl --user {' '.join(words)}: {said}; try --kind cron")


def _call(*words: str) -> subprocess.CompletedProcess[str]:
    return _run(["systemctl", "--user", *words])


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    program = shutil.which(words[0]) or words[0]
    try:
        return subprocess.run(  # noqa: S603  found on PATH, with words of our own
            [program, *words[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 1, "", str(error))
