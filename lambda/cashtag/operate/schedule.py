"""The live day every day, by a timer of this machine: installed, shown, taken away.

Systemd's user manager where it answers, cron elsewhere (also on macOS). Both start
`cashtag schedule run`; only what they start by differs. Nothing that is not ours is touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import Any

from cashtag.errors import InputError
from cashtag.operate import crontab, scheduled_run, systemd, timed
from cashtag.operate.scheduled_run import Failure, last_failure
from cashtag.settings import Settings

__all__ = ["Failure", "Kind", "install", "last_failure", "notify", "planned", "remove", "show"]

_SECONDS = 10.0  # for the desktop to take a notification


class Kind(StrEnum):
    """What starts the runs."""

    auto = "auto"
    systemd = "systemd"
    cron = "cron"


@dataclass(frozen=True, slots=True)
class Changed:
    """What an installation or removal did, and what a person should know."""

    kind: str
    done: list[str]
    hints: list[str]


def choose(kind: Kind) -> Kind:
    """The kind that works here.

    Raises:
        InputError: the kind that was asked for, or any, does not.
    """
    if kind is not Kind.cron and systemd.is_there():
        return Kind.systemd
    if kind is Kind.systemd:
        raise InputError(
            "--kind systemd: `systemctl --user` does not answer here (over ssh it wants "
            "XDG_RUNTIME_DIR); use --kind cron"
        )
    if crontab.is_there():
        return Kind.cron
    raise InputError(
        "neither `systemctl --user` nor `crontab` works here; let whatever starts programs on "
        "this machine run `cashtag schedule run --cron` every few minutes"
    )


def planned(settings: Settings, kind: Kind, now: datetime) -> dict[str, str]:
    """What an installation would write: texts by file; `crontab` for the user's crontab."""
    job = timed.job(settings.lake)
    if choose(kind) is Kind.systemd:
        return {
            str(systemd.folder() / name): text
            for name, text in systemd.units(settings, job).items()
        }
    block = crontab.with_block(b"", crontab.line(settings, job, now))
    return {"crontab": block.decode()}


def install(settings: Settings, kind: Kind, now: datetime) -> Changed:
    """Install the timer, in place of one of the other kind. The same again changes nothing.

    Raises:
        InputError: no timer works here, or a file that is not ours stands in the way.
        StoreError: a file cannot be written, or systemd or cron refuses.
    """
    job, chosen = timed.job(settings.lake), choose(kind)
    if chosen is Kind.systemd:
        done = [*systemd.install(settings, job), *crontab.remove()]
    else:
        done = [*crontab.install(settings, job, now), *systemd.remove()]
    hints = []
    if job.config is None:
        hints.append("there is no cashtag.toml here, so runs have the default settings")
    if behind := timed.left_behind():
        hints.append(
            f"set in this shell, unknown to a timer: {', '.join(behind)}; put settings into "
            "cashtag.toml and credentials into live.secrets_file or a secret"
        )
    if chosen is Kind.systemd and systemd.lingers() is False:
        hints.append(
            "runs start while you are logged in; for all the time: `loginctl enable-linger`"
        )
    if sys.platform == "darwin":
        hints.append(
            "macOS: cron starts the runs, once it has Full Disk Access in the privacy settings "
            "if the lake lies in Documents, Desktop or Downloads"
        )
    return Changed(chosen.value, done, hints)


def remove() -> Changed:
    """Take away our timer of either kind; what is not ours stays.

    Raises:
        StoreError: a file cannot be taken away, or systemd or cron refuses.
    """
    kinds = [kind.value for kind in (Kind.systemd, Kind.cron) if _installed(kind)]
    done = [*systemd.remove(), *crontab.remove()]
    return Changed(" and ".join(kinds) or "none", done, [])


def show(settings: Settings, now: datetime) -> dict[str, Any]:
    """Whether a timer is installed, its next and last run, the last result, the log's tail."""
    kind = next((kind for kind in (Kind.systemd, Kind.cron) if _installed(kind)), None)
    lake = settings.lake
    record, failure = scheduled_run.last_run(lake), last_failure(lake)
    return {
        "installed": kind.value if kind else "no",
        "state": _state(settings, kind, now),
        "next_run": _next(settings, kind, now),
        "last_run": None if record is None else record.started,
        "last_result": _result(record, failure),
        "log": str(scheduled_run.folder(lake) / scheduled_run.LOG),
        "tail": scheduled_run.tail(lake, settings.live.schedule.tail_lines),
    }


def notify(lake: str) -> Failure | None:
    """Put the last failure on the desktop, where there is one; return it.

    A log's words are strangers' words: notifications may be read as markup, so they are escaped.
    """
    failure, program = last_failure(lake), shutil.which("notify-send")
    if failure is None or program is None:
        return failure
    bus = Path(f"/run/user/{os.getuid()}/bus")  # cron has no variable that says so
    environ = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}"} if bus.exists() else {}
    words = [program, "--app-name=Cashtag", "--urgency=critical", "--"]
    try:
        subprocess.run(  # noqa: S603  found on PATH, words of our own, text escaped
            [*words, "Cashtag: the live day failed", escape(failure.text())],
            env={**environ, **os.environ},
            timeout=_SECONDS,
            capture_output=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return (
            failure  # no desktop to tell; the file that `cashtag status` reads tells all the same
        )
    return failure


def _installed(kind: Kind) -> bool:
    return bool(systemd.installed()) if kind is Kind.systemd else crontab.installed() is not None


def _state(settings: Settings, kind: Kind | None, now: datetime) -> str:
    """Whether the timer would start what these settings, from here, ask for."""
    if kind is None:
        return "not installed; `cashtag schedule install`"
    job = timed.job(settings.lake)
    if kind is Kind.systemd:
        texts = systemd.units(settings, job)
        same = {path.name: path.read_text(encoding="utf-8") for path in systemd.installed()}
        if not systemd.is_active():
            return "installed, but stopped; `cashtag schedule install` starts it"
        matches = same == texts
    else:
        block = crontab.with_block(b"", crontab.line(settings, job, now))
        found = crontab.installed() or b""
        matches = found.splitlines()[1:] == block.splitlines()[1:]
    return "as set" if matches else "made for other settings; `cashtag schedule install` again"


def _next(settings: Settings, kind: Kind | None, now: datetime) -> str | None:
    if kind is None or (kind is Kind.systemd and not systemd.is_active()):
        return None
    told = systemd.upcoming() if kind is Kind.systemd else None
    return told or scheduled_run.upcoming(settings, now).isoformat(timespec="minutes")


def _result(record: scheduled_run.Record | None, failure: Failure | None) -> str:
    if record is None:
        return "no run yet"
    if failure is not None:
        return f"failed: {failure.reason}"
    return "under way" if record.code is None else "ok"
