"""Commands typed against a stack on loopback: settings, status, the page, a rebuild, the doctor."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import deployed_stack
import pytest
from loopback_aws import LoopbackAws
from typer.testing import CliRunner, Result

from cashtag import services
from cashtag.cli.app import app
from cashtag.errors import CashtagError, CloudError, InputError, SettingsError
from cashtag.operate import account, stack
from cashtag.operate.cloud import page, parameter
from cashtag.operate.stack import Stack
from cashtag.settings import load

ROOT = Path(__file__).parents[2]
DAYS = ("2026-03-09", "2026-03-10")


@pytest.fixture(autouse=True)
def deployed(aws: LoopbackAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stack in the account, and a folder of its own for whoever types."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    deployed_stack.make()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the sample, with their page, in a folder."""
    folder = tmp_path_factory.mktemp("local") / "lake"
    options = ["--from", DAYS[0], "--to", DAYS[1], "--lake", str(folder), "--format", "json"]
    assert CliRunner().invoke(app, ["run", "--source", "sample", *options]).exit_code == 0
    return folder


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def told(*words: str) -> Any:
    done = typed(*words, "--format", "json")
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)


def upload(folder: Path, *zones: str) -> None:
    """Copy zones of a folder's lake into the stack's buckets."""
    s3, outputs = boto3.client("s3"), deployed_stack.outputs()
    for zone in zones:
        bucket = outputs["ResultsBucket" if zone == "report" else f"{zone.capitalize()}Bucket"]
        for path in sorted((folder / zone).rglob("*")):
            if path.is_file():
                key = path.relative_to(folder / zone).as_posix()
                below = "report/" if zone == "report" else ""
                s3.put_object(Bucket=bucket, Key=below + key, Body=path.read_bytes())


# ---------------------------------------------------------------- settings


def test_a_setting_of_the_stack_is_set_and_read_back() -> None:
    (row,) = told("config", "set", "trade.kill_switch", "true", "--env", "dev")
    assert row == {"key": "trade.kill_switch", "value": True, "in": "/cashtag/dev/settings"}
    told("config", "set", "scrape.tweets_per_ticker", "60", "--env", "dev")
    assert told("config", "get", "trade.kill_switch", "--env", "dev")[0]["value"] is True
    kept = boto3.client("ssm").get_parameter(Name="/cashtag/dev/settings")["Parameter"]
    assert kept["Value"] == ("[trade]\nkill_switch = true\n\n[scrape]\ntweets_per_ticker = 60\n")
    # What the functions read is what is shown: the folder's own file does not count.
    Path("cashtag.toml").write_text("[trade]\nkill_switch = false\n")
    assert told("config", "get", "trade.kill_switch", "--env", "dev")[0]["value"] is True
    assert told("config", "get", "trade.kill_switch")[0]["value"] is False


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("trade.kil_switch", "true", "trade.kil_switch is no setting"),
        ("scrape.tweets_per_ticker", "0", "scrape.tweets_per_ticker = 0 is refused"),
        ("trade.mode", "real", "trade.mode = 'real' is refused"),
    ],
)
def test_a_value_that_a_function_would_refuse_is_never_written(
    key: str, value: str, reason: str
) -> None:
    told("config", "set", "trade.kill_switch", "true", "--env", "dev")
    done = typed("config", "set", key, value, "--env", "dev")
    assert isinstance(done.exception, SettingsError)
    assert reason in str(done.exception)
    assert "parameter /cashtag/dev/settings" in str(done.exception)
    kept = boto3.client("ssm").get_parameter(Name="/cashtag/dev/settings")["Parameter"]
    assert kept["Version"] == 1


def test_what_the_template_sets_wins_and_is_said_to() -> None:
    done = typed("config", "set", "enrich.model", "sagemaker", "--env", "dev")
    assert done.exit_code == 0
    assert "is set in the environment too, which wins" in done.stderr


def test_of_two_that_write_at_once_the_later_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    session = account.session(load(environ={}))
    found = stack.find(load(environ={}), "dev", session)
    before = parameter.read(found, session)
    parameter.write(found, session, {"trade.kill_switch": True})
    monkeypatch.setattr(parameter, "read", lambda *_: before)
    with pytest.raises(CloudError, match="written by somebody else at the same time"):
        parameter.write(found, session, {"scrape.tweets_per_ticker": 60})


def test_a_parameter_that_grows_too_long_is_refused() -> None:
    session = account.session(load(environ={}))
    found = stack.find(load(environ={}), "dev", session)
    comment = "# " + "x" * 4090
    boto3.client("ssm").put_parameter(Name="/cashtag/dev/settings", Value=comment, Type="String")
    with pytest.raises(SettingsError, match="at most 4096 are"):
        parameter.write(found, session, {"trade.kill_switch": True})


def test_here_a_setting_goes_into_cashtag_toml_and_keeps_its_comments() -> None:
    Path("cashtag.toml").write_text("# mine\n[signals]\nhalf_life_hours = 12.0 # faster\n")
    told("config", "set", "signals.half_life_hours", "36.0")
    assert (
        Path("cashtag.toml").read_text() == "# mine\n[signals]\nhalf_life_hours = 36.0 # faster\n"
    )


# ---------------------------------------------------------------- status


def test_status_of_a_stack_tells_the_same_as_of_a_folder(local: Path) -> None:
    upload(local, "raw", "enriched", "signals", "ledger")
    here = told("status", "--lake", str(local))
    there = told("status", "--env", "dev")
    assert there == here
    assert [row["dt"] for row in there] == list(DAYS)
    one = told("status", "--env", "dev", "--date", DAYS[0])
    assert one == told("status", "--lake", str(local), "--date", DAYS[0])


def test_status_of_a_stack_tells_what_wants_a_look(local: Path) -> None:
    upload(local, "raw")
    deployed_stack.schedule("scrape", "scrape", "cron(0 12 * * ? *)", State="DISABLED")
    deployed_stack.fail("enrich", {"Records": []})
    done = typed("status", "--env", "dev")
    assert done.exit_code == 0
    for words in ("off: scrape", "enrich 1", "cashtag services start --env dev"):
        assert words in done.stdout


# ---------------------------------------------------------------- the page


def the_stack() -> Stack:
    return stack.find(load(environ={}), "dev")


def silent(_done: int, _of: int, _what: str) -> None: ...


def test_the_page_of_a_stack_is_copied_and_closed_to_others(local: Path) -> None:
    upload(local, "report")
    (row,) = told("report", "--env", "dev", "--as-it-is")
    where = Path(row["page"]).parent
    copied = {p.relative_to(where): p.read_bytes() for p in where.rglob("*") if p.is_file()}
    original = local / "report"
    assert copied == {
        p.relative_to(original): p.read_bytes() for p in original.rglob("*") if p.is_file()
    }
    assert where.stat().st_mode & 0o077 == 0


def test_a_second_copy_fetches_only_what_changed_and_drops_what_is_gone(
    local: Path, tmp_path: Path
) -> None:
    upload(local, "report")
    lake = services.s3_lake(the_stack().settings(load(environ={})))
    _, first = page.sync(lake, tmp_path / "copy", silent)
    shards = [key for key in (i.key for i in lake.report.list()) if key.startswith("data/")]
    gone = next(key for key in shards if "/tweets/" in key)
    lake.report.delete(gone)
    _, second = page.sync(lake, tmp_path / "copy", silent)
    assert first == sum(path.is_file() for path in (local / "report").rglob("*"))
    assert second == first - len(shards)  # shards are named by their content
    assert not (tmp_path / "copy" / gone).exists()


def test_a_stack_without_a_page_says_how_to_make_one() -> None:
    done = typed("report", "--env", "dev", "--as-it-is")
    assert isinstance(done.exception, InputError)
    assert "holds no dashboard yet" in str(done.exception)


# ---------------------------------------------------------------- rebuild and doctor


def test_a_rebuild_in_the_cloud_wants_dates_and_runs(local: Path) -> None:
    done = typed("rebuild", "--env", "dev")
    assert "--env needs --from and --to" in str(done.exception)
    upload(local, "raw")
    done = typed("rebuild", "--env", "dev", "--from", "2026-01-02", "--to", "2026-01-05")
    assert "holds no run from 2026-01-02 to 2026-01-05" in str(done.exception)


def test_the_doctor_names_every_part_that_is_missing_and_the_remedy() -> None:
    done = typed("doctor", "--aws", "--env", "dev", "--format", "json")
    rows = {row["what"]: row for row in json.loads(done.stdout)}
    assert done.exit_code == 1
    assert rows["account"]["found"].startswith("123456789012 in eu-west-1")
    assert rows["stack"]["verdict"] == "ok"
    assert rows["limits"]["verdict"] == "fail"  # moto has no such call; it hides no other finding
    raw = deployed_stack.outputs()["RawBucket"]
    assert rows[raw]["found"] == "not versioned, not closed to the public"
    assert rows[raw]["remedy"] == "cashtag deploy --env dev"
    assert rows["cashtag-dev-enrich"]["verdict"] == "ok"
    assert rows["settings"]["found"] == "/cashtag/dev/settings is empty"
    assert rows["schedules"]["verdict"] == "fail"
    assert rows["failures"]["found"] == "none waits"
    assert rows["endpoint"]["found"] == "not used: enrich.model is lexicon"
    assert rows["alerts"]["verdict"] in ("warn", "fail")


def test_the_doctor_tells_of_settings_that_functions_would_refuse() -> None:
    boto3.client("ssm").put_parameter(
        Name="/cashtag/dev/settings", Value="[trade]\nmode = 'real'\n", Type="String"
    )
    done = typed("doctor", "--aws")
    assert isinstance(done.exception, CashtagError)
    assert "trade.mode = 'real' is refused (from parameter /cashtag/dev/settings)" in str(
        done.exception
    )


def test_an_endpoint_that_is_missing_is_deployed_by_options_that_exist(
    aws: LoopbackAws,
) -> None:
    boto3.client("lambda").update_function_configuration(
        FunctionName="cashtag-dev-enrich",
        Environment={
            "Variables": {**deployed_stack.environment(), "CASHTAG_ENRICH__MODEL": "sagemaker"}
        },
    )
    rows = {
        row["what"]: row for row in json.loads(typed("doctor", "--aws", "--format", "json").stdout)
    }
    assert rows["endpoint"]["found"] == "cashtag-dev-sentiment: absent"
    known = (ROOT / "sagemaker" / "deploy_model.py").read_text(encoding="utf-8")
    options = re.findall(r"--[a-z-]+", rows["endpoint"]["remedy"])
    assert options == ["--name"]
    assert all(f'"{option}"' in known for option in options)
