"""A laptop's timer: what is installed, shown and taken away; a run's log, lock, record and end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cashtag.errors import InputError, StoreError
from cashtag.operate import crontab, schedule, scheduled_run, systemd, timed
from cashtag.operate.schedule import Kind
from cashtag.settings import Settings, load

NOON = datetime(2026, 5, 8, 12, 0, tzinfo=UTC)

# Each speaks as the real one does, keeps its state in $FAKES, and writes down what it was told.
SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >> "$FAKES/calls"
[ -e "$FAKES/no-bus" ] && { echo "Failed to connect to bus: No medium found" >&2; exit 1; }
shift
case "$1" in
  show) case "$*" in
    *Version*) echo "Version=252" ;;
    *) [ -e "$FAKES/active" ] && echo "Sat 2026-05-09 12:00:00 UTC" ;;
    esac; exit 0 ;;
  is-active|is-enabled) [ -e "$FAKES/active" ] ;;
  daemon-reload) exit 0 ;;
  enable) [ -e "$FAKES/refuse" ] && { echo "Failed to enable unit: refused" >&2; exit 1; }
    [ -e "$XDG_CONFIG_HOME/systemd/user/$3" ] || { echo "Unit $3 not found." >&2; exit 1; }
    : > "$FAKES/active" ;;
  disable) rm -f "$FAKES/active" ;;
esac
"""
CRONTAB = """#!/bin/sh
echo "crontab $*" >> "$FAKES/calls"
[ -e "$FAKES/no-cron" ] && { echo "You are not allowed to use this program" >&2; exit 1; }
case "$1" in
  -l) [ -e "$FAKES/table" ] || { echo "no crontab for somebody" >&2; exit 1; }
    exec cat "$FAKES/table" ;;
  -r) exec rm "$FAKES/table" ;;
  -) cat > "$FAKES/new"
    [ ! -e "$FAKES/lenient" ] && [ -n "$(tail -c 1 "$FAKES/new")" ] && { echo "new crontab file is missing newline" >&2; exit 1; }
    exec mv "$FAKES/new" "$FAKES/table" ;;
esac
"""
LOGINCTL = '#!/bin/sh\n[ -e "$FAKES/linger" ] && echo yes || echo no\n'
NOTIFY_SEND = '#!/bin/sh\nprintf "%s\\n" "$@" >> "$FAKES/notified"\n'


class Machine:
    """A folder of fake programs first on the PATH, a home, and a working folder with settings."""

    def __init__(self, root: Path) -> None:
        self.fakes, self.home, self.work = root / "fakes", root / "home", root / "work"
        for folder in (self.fakes, self.home, self.work):
            folder.mkdir()
        (self.work / "cashtag.toml").write_text('lake = "lake"\n')
        self.lake = self.work / "lake"

    def put(self, name: str, text: str) -> None:
        (self.fakes / name).write_text(text)
        (self.fakes / name).chmod(0o755)

    def environ(self) -> dict[str, str]:
        return {
            "PATH": f"{self.fakes}:{os.environ['PATH']}",
            "FAKES": str(self.fakes),
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
        }

    @property
    def units(self) -> Path:
        return self.home / "config" / "systemd" / "user"

    @property
    def crontab(self) -> Path:
        return self.fakes / "table"

    def calls(self) -> list[str]:
        file = self.fakes / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def cashtag(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command line, as a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "cashtag.cli", "schedule", *words],
            cwd=self.work,
            env={**os.environ, **self.environ()},
            capture_output=True,
            text=True,
        )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with systemd, cron, a desktop and nothing installed."""
    made = Machine(tmp_path)
    programs = {"systemctl": SYSTEMCTL, "crontab": CRONTAB, "loginctl": LOGINCTL}
    for name, text in {**programs, "notify-send": NOTIFY_SEND}.items():
        made.put(name, text)
    for name in [name for name in os.environ if name.startswith(("CASHTAG_", "AWS_", "APCA_"))]:
        monkeypatch.delenv(name)
    for name, text in made.environ().items():
        monkeypatch.setenv(name, text)
    monkeypatch.chdir(made.work)
    return made


def settings(machine: Machine, **changed: Any) -> Settings:
    return load(environ={}, overrides={"lake": str(machine.lake), **changed})


# ---------------------------------------------------------------- systemd


def test_systemd_runs_the_live_day_at_its_cutoff_and_once_more(machine: Machine) -> None:
    changed = schedule.install(settings(machine), Kind.auto, NOON)
    assert changed.kind == "systemd"
    timer = (machine.units / "cashtag.timer").read_text()
    # scrape.cutoff_utc is 12:00, scrape.resume_after_minutes 20.
    assert "OnCalendar=*-*-* 12:00:00 UTC\nOnCalendar=*-*-* 12:20:00 UTC\n" in timer
    assert "Persistent=true" in timer
    service = (machine.units / "cashtag.service").read_text()
    assert f"WorkingDirectory={machine.work}\n" in service
    assert f"Environment=CASHTAG_CONFIG={machine.work}/cashtag.toml\n" in service
    assert (
        f"ExecStart={sys.executable} -m cashtag.cli schedule run --lake {machine.lake}\n" in service
    )
    assert "OnFailure=cashtag-failed.service\n" in service
    assert "schedule notify --lake" in (machine.units / "cashtag-failed.service").read_text()
    assert "systemctl --user enable --now cashtag.timer" in machine.calls()


def test_another_cutoff_is_another_time(machine: Machine) -> None:
    chosen = settings(machine, **{"scrape.cutoff_utc": "11:50", "scrape.resume_after_minutes": 15})
    texts = schedule.planned(chosen, Kind.systemd, NOON)
    timer = texts[str(machine.units / "cashtag.timer")]
    assert "OnCalendar=*-*-* 11:50:00 UTC\nOnCalendar=*-*-* 12:05:00 UTC\n" in timer


def test_installing_twice_is_installing_once(machine: Machine) -> None:
    schedule.install(settings(machine), Kind.systemd, NOON)
    before = {path: path.stat().st_mtime_ns for path in machine.units.iterdir()}
    assert schedule.install(settings(machine), Kind.systemd, NOON).done == []
    assert {path: path.stat().st_mtime_ns for path in machine.units.iterdir()} == before
    assert sum("enable" in call and "is-" not in call for call in machine.calls()) == 1


def test_a_stopped_timer_is_started_again(machine: Machine) -> None:
    schedule.install(settings(machine), Kind.systemd, NOON)
    (machine.fakes / "active").unlink()
    assert "stopped" in schedule.show(settings(machine), NOON)["state"]
    assert schedule.install(settings(machine), Kind.systemd, NOON).done == ["started cashtag.timer"]


def test_a_unit_of_somebody_else_is_left_alone(machine: Machine) -> None:
    machine.units.mkdir(parents=True)
    theirs = machine.units / "cashtag.service"
    theirs.write_text("[Service]\nExecStart=/bin/true\n")
    with pytest.raises(InputError, match="was not written by"):
        schedule.install(settings(machine), Kind.systemd, NOON)
    assert [path.name for path in machine.units.iterdir()] == ["cashtag.service"]
    assert schedule.remove().done == []
    assert theirs.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_removing_takes_only_our_own_units_and_says_so(machine: Machine) -> None:
    schedule.install(settings(machine), Kind.systemd, NOON)
    (machine.units / "backup.timer").write_text("theirs")
    changed = schedule.remove()
    assert changed.kind == "systemd"
    assert [line.rsplit("/", 1)[1] for line in changed.done] == [
        "cashtag.service",
        "cashtag-failed.service",
        "cashtag.timer",
    ]
    assert [path.name for path in machine.units.iterdir()] == ["backup.timer"]
    assert not (machine.fakes / "active").exists()  # the timer was stopped first
    assert schedule.remove().done == []


def test_what_systemd_refuses_is_said_with_another_way(machine: Machine) -> None:
    (machine.fakes / "refuse").touch()
    with pytest.raises(StoreError, match=r"enable --now cashtag\.timer: Failed to enable unit"):
        schedule.install(settings(machine), Kind.systemd, NOON)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("name", ["plain", "sp ace", "per%hcent", "dol$HOME", "quo\"te's", "ünï"])
def test_systemd_itself_finds_no_fault_with_the_units(name: str, machine: Machine) -> None:
    folder = machine.work / name
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)
    job = timed.Job(folder / "python", folder / "lake", folder, folder / "cashtag.toml")
    units = machine.work / "units"
    units.mkdir()
    for unit, text in systemd.units(settings(machine), job).items():
        (units / unit).write_text(text)
    # A short path: systemd judges sockets below it too, whose addresses hold 107 bytes.
    with tempfile.TemporaryDirectory() as runtime:
        judged = subprocess.run(
            ["systemd-analyze", "--user", "verify", *sorted(map(str, units.iterdir()))],
            env={**os.environ, "XDG_RUNTIME_DIR": runtime},
            capture_output=True,
            text=True,
        )
    assert (judged.returncode, judged.stdout + judged.stderr) == (0, "")


@pytest.mark.parametrize("name", ["line\nbreak", "trailing ", "back\\"])
def test_a_path_that_no_timer_can_be_told_is_refused(name: str, machine: Machine) -> None:
    with pytest.raises(InputError, match="rename the folder"):
        timed.job(str(machine.work / name))


# ---------------------------------------------------------------- cron

FOREIGN = b"# mine\nMAILTO=me\n\n5 4 * * 0  /usr/bin/backup --level=9 %d\t# caf\xe9\n\n"


def cron_line(machine: Machine) -> str:
    """The one line of ours that is no comment."""
    found = [
        line for line in machine.crontab.read_text("latin-1").splitlines() if "cashtag" in line
    ]
    (line,) = [line for line in found if not line.startswith("#")]
    return line


@pytest.mark.parametrize("foreign", [FOREIGN, b"no end of line", b"\n", b"a\n# cashtag is fun\n"])
def test_a_foreign_crontab_stays_byte_for_byte(foreign: bytes, machine: Machine) -> None:
    machine.crontab.write_bytes(foreign)
    if not foreign.endswith(b"\n"):
        (machine.fakes / "lenient").touch()  # most crons want the end of the line, some do not
    assert schedule.install(settings(machine), Kind.cron, NOON).done
    installed = machine.crontab.read_bytes()
    assert installed.startswith(foreign)
    assert schedule.install(settings(machine), Kind.cron, NOON).done == []
    assert machine.crontab.read_bytes() == installed
    # What its owner writes below our block stays as well.
    machine.crontab.write_bytes(installed + b"9 9 * * * theirs\n")
    assert schedule.remove().done == ["removed our block from the crontab"]
    end = b"" if foreign.endswith(b"\n") else b"\n"
    assert machine.crontab.read_bytes() == foreign + end + b"9 9 * * * theirs\n"
    machine.crontab.write_bytes(installed)
    schedule.remove()
    assert machine.crontab.read_bytes() == foreign
    assert schedule.remove().done == []


def test_without_a_crontab_there_is_none_afterwards_either(machine: Machine) -> None:
    schedule.install(settings(machine), Kind.cron, NOON)
    schedule.remove()
    assert not machine.crontab.exists()


def test_cron_asks_at_the_minutes_of_the_runs_by_the_local_clock(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    zones = {
        "UTC": "0,20",
        "America/New_York": "0,20",  # whole hours away, in summer and winter
        "Asia/Kolkata": "30,50",  # 12:00 UTC is 17:30 there
        "Asia/Kathmandu": "5,45",  # 12:00 and 12:20 UTC are 17:45 and 18:05
    }
    try:
        for zone, minutes in zones.items():
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            line = crontab.line(settings(machine), timed.job(str(machine.lake)), NOON)
            assert line.split(" ", 1)[0] == minutes, zone
            assert line.split(" ", 5)[1:5] == ["*"] * 4
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_line_of_cron_is_a_command_that_works(machine: Machine) -> None:
    folder = machine.work / "sp ace's 100%"
    folder.mkdir()
    (folder / "python").write_text('#!/bin/sh\npwd; echo "$CASHTAG_CONFIG"; printf "%s\\n" "$@"\n')
    (folder / "python").chmod(0o755)
    job = timed.Job(folder / "python", folder / "lake", folder, folder / "cashtag.toml")
    line = crontab.line(settings(machine), job, NOON)
    assert "\\%" in line
    # What cron does: five fields off, \% to %, the rest to a shell.
    command = line.split(" ", 5)[5].replace("\\%", "%")
    said = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == [
        str(folder),
        str(folder / "cashtag.toml"),
        *("-m", "cashtag.cli", "schedule", "run", "--lake", str(folder / "lake"), "--cron"),
    ]


def test_cron_is_used_where_systemd_does_not_answer(machine: Machine) -> None:
    (machine.fakes / "no-bus").touch()
    assert schedule.install(settings(machine), Kind.auto, NOON).kind == "cron"
    assert "schedule run" in cron_line(machine)
    with pytest.raises(InputError, match="use --kind cron"):
        schedule.install(settings(machine), Kind.systemd, NOON)


def test_without_any_timer_the_user_hears_what_to_start(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(machine.home))  # nothing at all
    with pytest.raises(InputError, match="schedule run --cron"):
        schedule.choose(Kind.auto)


def test_a_crontab_that_cannot_be_read_is_not_overwritten(machine: Machine) -> None:
    machine.crontab.write_bytes(FOREIGN)
    (machine.fakes / "no-cron").touch()
    with pytest.raises(StoreError, match="not allowed"):
        schedule.install(settings(machine), Kind.cron, NOON)
    assert machine.crontab.read_bytes() == FOREIGN


def test_who_may_have_no_crontab_can_use_systemd(machine: Machine) -> None:
    (machine.fakes / "no-cron").touch()
    schedule.install(settings(machine), Kind.systemd, NOON)
    assert schedule.show(settings(machine), NOON)["installed"] == "systemd"
    assert len(schedule.remove().done) == 3


def test_a_block_that_lost_its_end_is_left_to_its_owner(machine: Machine) -> None:
    machine.crontab.write_bytes(b"1 2 * * * theirs\n# cashtag schedule: begin\n3 4 * * * x\n")
    with pytest.raises(InputError, match="crontab -e"):
        schedule.remove()
    assert b"theirs" in machine.crontab.read_bytes()


def test_a_line_that_cron_would_cut_is_refused(machine: Machine) -> None:
    with pytest.raises(InputError, match="cron reads 990"):
        crontab.line(settings(machine), timed.job("/" + "long/" * 200), NOON)


def test_one_kind_takes_the_place_of_the_other(machine: Machine) -> None:
    schedule.install(settings(machine), Kind.cron, NOON)
    done = schedule.install(settings(machine), Kind.systemd, NOON).done
    assert done[-1] == "removed our block from the crontab"
    assert not machine.crontab.exists()
    done = schedule.install(settings(machine), Kind.cron, NOON).done
    assert done[-1].startswith("removed ")
    assert list(machine.units.iterdir()) == []


# ---------------------------------------------------------------- what a person is told


def test_a_dry_run_prints_and_writes_nothing(machine: Machine) -> None:
    said = machine.cashtag("install", "--dry-run")
    assert said.returncode == 0, said.stderr
    assert f"--- {machine.units}/cashtag.timer" in said.stdout
    assert "OnCalendar=*-*-* 12:00:00 UTC" in said.stdout
    assert not machine.units.exists()
    said = machine.cashtag("install", "--dry-run", "--kind", "cron", "--format", "json")
    (row,) = json.loads(said.stdout)
    assert row["file"] == "crontab"
    assert "schedule run" in row["text"]
    assert not machine.crontab.exists()


def test_install_show_and_remove_by_the_command_line(machine: Machine) -> None:
    said = machine.cashtag("install")
    assert said.returncode == 0, said.stderr
    assert f"wrote {machine.units}/cashtag.service" in said.stdout
    assert "loginctl enable-linger" in said.stdout
    (row,) = json.loads(machine.cashtag("show", "--format", "json").stdout)
    assert (row["installed"], row["state"]) == ("systemd", "as set")
    assert row["next_run"] == "Sat 2026-05-09 12:00:00 UTC"  # systemd's own word
    assert row["last_result"] == "no run yet"
    assert f"removed {machine.units}/cashtag.timer" in machine.cashtag("remove").stdout
    assert "there is no timer of ours" in machine.cashtag("remove").stdout


def test_hints_are_given_where_they_apply(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.fakes / "linger").touch()
    assert schedule.install(settings(machine), Kind.systemd, NOON).hints == []
    monkeypatch.setenv("APCA_API_SECRET_KEY", "PLANTED-alpaca-1")
    monkeypatch.setenv("CASHTAG_TRADE__MODE", "paper")
    (machine.work / "cashtag.toml").unlink()
    changed = schedule.install(settings(machine), Kind.systemd, NOON)
    assert "no cashtag.toml here" in changed.hints[0]
    assert "APCA_API_SECRET_KEY, CASHTAG_TRADE__MODE" in changed.hints[1]
    told = [*changed.hints, *(path.read_text() for path in machine.units.iterdir())]
    assert "PLANTED" not in "".join(told)  # names are told, values are not


def test_show_knows_when_the_settings_have_moved_on(machine: Machine) -> None:
    for kind in (Kind.cron, Kind.systemd):
        schedule.install(settings(machine), kind, NOON)
        assert schedule.show(settings(machine), NOON)["state"] == "as set"
        later = settings(machine, **{"scrape.resume_after_minutes": 40})
        assert "again" in schedule.show(later, NOON)["state"]


def test_a_lake_in_the_cloud_has_no_timer_here(machine: Machine) -> None:
    with pytest.raises(InputError, match="that is a folder"):
        timed.job("s3://bucket/lake")
    assert scheduled_run.last_failure("s3://bucket/lake") is None


# ---------------------------------------------------------------- the run


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def ran(
    machine: Machine, code: str, *, due: bool = False, at: datetime = NOON, **changed: Any
) -> tuple[scheduled_run.Record | None, list[float]]:
    """Run a program of our own as the scheduled one; the record, and the pauses in seconds."""
    pauses: list[float] = []
    record = scheduled_run.run(
        settings(machine, **changed),
        str(machine.lake),
        only_when_due=due,
        program=python(code),
        now=lambda: at,
        pause=pauses.append,
    )
    return record, pauses


def log(machine: Machine) -> str:
    return (machine.lake / "schedule" / "run.log").read_text()


def test_a_scheduled_run_is_the_live_day_with_what_was_missed() -> None:
    assert scheduled_run.command("/data/lake") == [
        *(sys.executable, "-m", "cashtag.cli", "run", "--source", "live", "--catch-up"),
        *("--lake", "/data/lake"),
    ]


def test_a_run_is_logged_and_its_end_recorded(machine: Machine) -> None:
    record, pauses = ran(machine, "import sys; print('out'); print('err', file=sys.stderr)")
    assert record is not None
    assert (record.code, record.reason, pauses) == (0, "", [])
    lines = log(machine).splitlines()
    assert lines[0].startswith("== 2026-05-08T12:00:00+00:00 ")
    assert lines[1:] == ["out", "err", "== 2026-05-08T12:00:00+00:00 exit code 0"]
    assert scheduled_run.last_run(machine.lake) == record
    assert scheduled_run.last_failure(machine.lake) is None


def test_a_failure_is_kept_until_a_run_ends_well(machine: Machine) -> None:
    failing = "import sys; print('error: first'); print('error: the lake is full'); sys.exit(3)"
    record, _ = ran(machine, failing)
    assert record is not None
    assert (record.code, record.reason) == (3, "error: the lake is full")
    failure = scheduled_run.last_failure(machine.lake)
    assert failure is not None
    assert failure.text().startswith(
        "the scheduled run of 2026-05-08 12:00 UTC failed: exit code 3, error: the lake is full; "
    )
    assert schedule.show(settings(machine), NOON)["last_result"].startswith("failed: exit code 3")
    ran(machine, "pass")
    assert scheduled_run.last_failure(machine.lake) is None


def test_refused_sources_are_asked_once_more_later(machine: Machine) -> None:
    # Exit code 5 is a refusal (cashtag.errors): perhaps the network was not up yet.
    counted = machine.work / "count"
    code = f"open({str(counted)!r}, 'a').write('x'); import sys; sys.exit(5)"
    record, pauses = ran(machine, code)
    assert record is not None
    assert record.code == 5
    assert pauses == [20 * 60.0]  # scrape.resume_after_minutes
    assert counted.read_text() == "xx"
    _, pauses = ran(machine, f"{code.rsplit('(', 1)[0]}(2)")
    assert pauses == []  # a setting that is wrong stays so
    assert counted.read_text() == "xxx"


def test_a_run_that_hangs_is_ended(machine: Machine) -> None:
    began = time.monotonic()
    record, _ = ran(machine, "import time; time.sleep(60)", **{"live.schedule.limit_minutes": 0.01})
    assert record is not None
    assert record.code == 124  # as of `timeout`
    assert "not done within 0.01 min" in record.reason
    assert time.monotonic() - began < 30


def test_a_run_that_was_killed_has_failed(machine: Machine) -> None:
    record, _ = ran(machine, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert record is not None
    assert record.code == 128 + signal.SIGKILL  # as shells tell it
    assert record.reason == "it said nothing"


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_of_two_runs_at_once_one_does_nothing(machine: Machine) -> None:
    go, seen = machine.work / "go", machine.work / "seen"
    code = (
        f"import os, time; open({str(seen)!r}, 'a').write('x')\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)"
    )
    first = threading.Thread(target=ran, args=(machine, code))
    first.start()
    until(seen.exists)
    assert scheduled_run.is_running(machine.lake)
    assert scheduled_run.last_failure(machine.lake) is None  # it has not ended, and lives
    assert ran(machine, code)[0] is None
    go.touch()
    first.join()
    assert seen.read_text() == "x"
    assert not scheduled_run.is_running(machine.lake)


def test_a_timer_that_was_killed_in_the_middle_is_a_failure(machine: Machine) -> None:
    seen = machine.work / "seen"
    code = (
        "from pathlib import Path\nimport sys\nfrom cashtag.operate import scheduled_run\n"
        "from cashtag.settings import load\n"
        f"child = [sys.executable, '-c', \"open({str(seen)!r}, 'w'); import time; time.sleep(60)\"]\n"
        f"scheduled_run.run(load(environ={{}}), {str(machine.lake)!r}, program=child)"
    )
    timer = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    until(seen.exists)
    timer.kill()
    timer.wait()
    # Its program lives on, and holds the lock: nothing else begins meanwhile.
    assert scheduled_run.is_running(machine.lake)
    assert ran(machine, "pass")[0] is None
    os.killpg(timer.pid, signal.SIGKILL)
    until(lambda: not scheduled_run.is_running(machine.lake))
    failure = scheduled_run.last_failure(machine.lake)
    assert failure is not None
    assert "never ended" in failure.text()


def test_a_long_log_is_put_aside_and_few_are_kept(machine: Machine) -> None:
    rules = {"live.schedule.log_bytes": 1000, "live.schedule.logs": 2}
    for n in range(5):
        ran(machine, f"print('{n}' * 1200)", **rules)
    folder = machine.lake / "schedule"
    kept = {path.name: path.read_text() for path in folder.glob("run.log*")}
    # Each log holds one run: 1,200 characters are more than 1,000 bytes.
    assert {name: next(c for c in "43210" if c * 1200 in text) for name, text in kept.items()} == {
        "run.log": "4",
        "run.log.1": "3",
        "run.log.2": "2",
    }


def test_the_tail_of_the_log_is_shown_without_what_steers_a_terminal(machine: Machine) -> None:
    ran(machine, "print('one'); print('\\x1b[2Jtwo')")
    said = machine.cashtag("show")
    assert "  one\n" in said.stdout
    assert "two" in said.stdout
    assert "\x1b" not in said.stdout
    ran(machine, "print('a', 'b' * 600, sep=' ' * 900); print()")
    first, second = schedule.show(settings(machine), NOON)["tail"][-2:]
    assert first == f"a  {'b' * 497} …"  # 500 characters of what is there
    assert second.endswith("exit code 0")
    none = settings(machine, **{"live.schedule.tail_lines": 0})
    assert schedule.show(none, NOON)["tail"] == []


@pytest.mark.parametrize(
    ("now", "started", "due"),
    [
        ("2026-05-08 12:00", None, True),  # never ran: yesterday's is missing
        ("2026-05-08 11:59", "2026-05-07 12:20", False),  # both runs of yesterday are done
        ("2026-05-08 12:00", "2026-05-07 12:20", True),  # the cutoff
        ("2026-05-08 12:19", "2026-05-08 12:00", False),
        ("2026-05-08 12:20", "2026-05-08 12:00", True),  # the run that resumes
        ("2026-05-08 23:00", "2026-05-08 12:33", False),
        ("2026-05-08 18:00", "2026-05-07 12:20", True),  # the machine slept over noon
        ("2026-05-09 00:10", "2026-05-08 12:05", True),  # it slept over 12:20, till midnight
        ("2026-06-01 07:00", "2026-05-08 12:20", True),  # after a holiday
    ],
)
def test_a_run_is_due_once_its_moment_has_come(now: str, started: str | None, due: bool) -> None:
    def moment(text: str) -> datetime:
        return datetime.fromisoformat(f"{text}+00:00")

    last = None if started is None else scheduled_run.Record(moment(started))
    assert scheduled_run.is_due(load(environ={}), moment(now), last) is due


def test_what_is_not_due_is_not_run(machine: Machine) -> None:
    assert ran(machine, "pass", due=True)[0] is not None
    assert ran(machine, "pass", due=True)[0] is None
    assert ran(machine, "pass", due=True, at=NOON + timedelta(minutes=20))[0] is not None
    assert ran(machine, "pass")[0] is not None  # by hand: always


def test_the_next_run_is_the_next_of_two_a_day() -> None:
    chosen = load(environ={})
    assert scheduled_run.upcoming(chosen, NOON) == NOON + timedelta(minutes=20)
    assert scheduled_run.upcoming(chosen, NOON + timedelta(minutes=20)) == NOON + timedelta(days=1)
    late = load(environ={}, overrides={"scrape.resume_after_minutes": 13 * 60})
    # 13 hours after noon is one o'clock of the next day.
    assert scheduled_run.times(late, date(2026, 5, 8))[1].day == 9
    at_midnight = datetime(2026, 5, 9, 0, 0, tzinfo=UTC)
    assert scheduled_run.upcoming(late, at_midnight) == at_midnight + timedelta(hours=1)


def test_a_record_that_is_none_counts_as_no_run(machine: Machine) -> None:
    folder = machine.lake / "schedule"
    folder.mkdir(parents=True)
    for text in ("", "[]", "{", '{"started": "x", "ended": null, "code": 0, "reason": ""}'):
        (folder / "last.json").write_text(text)
        assert scheduled_run.last_run(machine.lake) is None
        assert scheduled_run.last_failure(machine.lake) is None


def test_a_log_that_cannot_be_written_is_an_error_with_its_place(machine: Machine) -> None:
    machine.lake.write_text("a file where the lake should be")
    with pytest.raises(StoreError, match="lake"):
        ran(machine, "pass")


# ---------------------------------------------------------------- telling of a failure


def test_a_failure_is_put_on_the_desktop_as_plain_text(machine: Machine) -> None:
    assert schedule.notify(str(machine.lake)) is None  # nothing failed
    ran(machine, "import sys; print('error: <b>$NVDA</b> & co'); sys.exit(3)")
    said = machine.cashtag("notify")
    assert said.returncode == 0
    assert "exit code 3" in said.stdout
    words = (machine.fakes / "notified").read_text()
    assert "Cashtag: the live day failed" in words
    assert "&lt;b&gt;$NVDA&lt;/b&gt; &amp; co" in words  # daemons read markup


def test_without_a_desktop_the_file_tells_all_the_same(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(machine, "import sys; sys.exit(3)")
    machine.put("notify-send", "#!/bin/sh\nexit 1\n")
    assert schedule.notify(str(machine.lake)) is not None
    monkeypatch.setenv("PATH", str(machine.home))
    assert schedule.notify(str(machine.lake)) is not None


def test_the_command_runs_the_live_day_and_ends_as_it_ended(machine: Machine) -> None:
    # A catch-up that cannot be: the setting is out of its range, so the program ends at once.
    (machine.work / "bad.toml").write_text("[live]\nstep_seconds = 1\n")
    ran(machine, "pass")
    environ = {**os.environ, **machine.environ()}
    code = (
        "import os, sys\nos.environ['CASHTAG_CONFIG'] = 'bad.toml'\n"
        "from cashtag.operate import scheduled_run\nfrom cashtag.settings import load\n"
        f"print(scheduled_run.run(load(environ={{}}), {str(machine.lake)!r}).code)"
    )
    said = subprocess.run(
        python(code), cwd=machine.work, env=environ, capture_output=True, text=True
    )
    assert said.stdout.strip() == "2", said.stderr
    failure = scheduled_run.last_failure(machine.lake)
    assert failure is not None
    assert "live.step_seconds" in failure.reason


def test_cron_says_nothing_while_nothing_is_due(machine: Machine) -> None:
    scheduled_run.run(settings(machine), str(machine.lake), program=python("pass"))
    said = machine.cashtag("run", "--cron")
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
