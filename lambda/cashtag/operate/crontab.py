"""A marked block in the user's crontab; every byte around it is somebody else's and stays.

Cron's clock is the machine's local one: few crons know `CRON_TZ` (Debian's and macOS's do not),
and 12:00 UTC is two different local times a year. So cron only asks, at the right minutes of
every hour, whether a run is due by UTC; the same question makes up for runs that were missed
while the machine was off.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime

from cashtag.errors import InputError, StoreError
from cashtag.operate import scheduled_run
from cashtag.operate.timed import Job
from cashtag.settings import Settings

_BEGIN = b"# cashtag schedule: begin"
_UNENDED = b" (the line before had no end)"
_END = b"# cashtag schedule: end\n"
_BLOCK = re.compile(
    rb"(?P<ended>\n)?^" + re.escape(_BEGIN) + rb"(?P<unended>" + re.escape(_UNENDED) + rb")?\n"
    rb"(?:.*\n)*?" + re.escape(_END),
    re.MULTILINE,
)
_LONGEST = 990  # bytes of a line: cron's MAX_COMMAND is 1,000 on most systems
_SECONDS = 30.0  # for one call of crontab


def is_there() -> bool:
    """Whether a user can have a crontab here."""
    return shutil.which("crontab") is not None


def line(settings: Settings, job: Job, now: datetime) -> str:
    """The line that asks whether a run is due. `now` is UTC.

    Raises:
        InputError: the paths are too long for a line of cron.
    """
    at = scheduled_run.times(settings, now.astimezone(UTC).date())
    minutes = sorted({moment.astimezone().minute for moment in at})  # by the local clock
    words = [*job.run, "--cron"]
    if job.config is not None:
        words = ["env", f"CASHTAG_CONFIG={job.config}", *words]
    # A bare % would end the command, even inside quotes: crontab(5).
    program = f"cd {shlex.quote(str(job.working))} && {shlex.join(words)}".replace("%", "\\%")
    whole = f"{','.join(map(str, minutes))} * * * * {program}"
    if len(whole.encode()) > _LONGEST:
        raise InputError(
            f"the paths of python, lake and settings make a line of {len(whole.encode())} bytes, "
            f"and cron reads {_LONGEST}; use shorter paths"
        )
    return whole


def install(settings: Settings, job: Job, now: datetime) -> list[str]:
    """Put the block into the crontab; say what was done. The same again does nothing.

    Raises:
        StoreError: the crontab cannot be read, or is refused.
    """
    before = read()
    after = with_block(without_block(before), line(settings, job, now))
    if after == before:
        return []
    _replace(after)
    return ["wrote a block into the crontab (`crontab -l`)"]


def remove() -> list[str]:
    """Take the block out of the crontab; say what was done."""
    before = _own()
    after = without_block(before)
    if after == before:
        return []
    _replace(after)
    return ["removed our block from the crontab"]


def installed() -> bytes | None:
    """The block as it stands in the crontab; None when there is none."""
    found = _BLOCK.search(_own())
    return None if found is None else found[0].removeprefix(b"\n")


def with_block(crontab: bytes, command: str) -> bytes:
    """The crontab with the block at its end."""
    unended = bool(crontab) and not crontab.endswith(b"\n")
    head = b"\n" + _BEGIN + _UNENDED if unended else _BEGIN
    return crontab + head + b"\n" + command.encode() + b"\n" + _END


def without_block(crontab: bytes) -> bytes:
    """The crontab as it was before the block.

    Raises:
        InputError: somebody has edited the block, so that its end is not to be found.
    """

    def put_back(found: re.Match[bytes]) -> bytes:
        ours = found["unended"] and found.end() == len(crontab)
        return b"" if ours else found["ended"] or b""

    rest = _BLOCK.sub(put_back, crontab)
    if _BEGIN in rest:
        raise InputError(
            "the crontab holds our block without its end; take it out by hand (`crontab -e`)"
        )
    return rest


def read() -> bytes:
    """The user's crontab, empty when there is none.

    Raises:
        StoreError: it cannot be read, which is not the same as none.
    """
    found = _call("-l")
    if found.returncode == 0:
        return found.stdout
    said = " ".join(found.stderr.decode(errors="replace").split())
    if "no crontab" in said.lower() or "No such file" in said:
        return b""
    raise StoreError(f"crontab -l: {said or f'exit code {found.returncode}'}")


def _own() -> bytes:
    """The crontab where there can be something of ours: who may not read it has not written it."""
    try:
        return read()
    except StoreError:
        return b""


def _replace(crontab: bytes) -> None:
    # An empty crontab is taken away: nobody had one.
    found = _call("-", given=crontab) if crontab else _call("-r")
    if found.returncode:
        said = " ".join(found.stderr.decode(errors="replace").split())
        raise StoreError(f"crontab refused: {said or f'exit code {found.returncode}'}")


def _call(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("crontab")
    if program is None:
        raise StoreError("there is no `crontab` on the PATH")
    try:
        return subprocess.run(  # noqa: S603  found on PATH, with words of our own
            [program, *words],
            input=given,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"crontab: {error}") from error
