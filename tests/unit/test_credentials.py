"""Credentials: from a private file, a secret or the environment; errors that show no value."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from cashtag.errors import SettingsError
from cashtag.redaction import MARK, redacted
from cashtag.scrape.credentials import (
    AlpacaKeys,
    XAccount,
    alpaca_keys,
    how_to_set_up,
    x_accounts,
)
from cashtag.settings import Settings, load

TOKEN, CT0 = "PLANTED-token-1", "PLANTED-ct0-1"
FILE = f"""
[[x_accounts]]
name = "second"
auth_token = "PLANTED-token-2"
ct0 = "PLANTED-ct0-2"
proxy = "http://walker:PLANTED-pass-2@proxy.example:8080"

[[x_accounts]]
name = "first"
auth_token = "{TOKEN}"
ct0 = "{CT0}"

[alpaca]
key_id = "PLANTED-key-id"
secret_key = "PLANTED-secret-key"
"""
KEYS = AlpacaKeys("PLANTED-key-id", "PLANTED-secret-key")


X_SECRET, ALPACA_SECRET = "live.x.accounts_secret", "live.alpaca.credentials_secret"


def settings(tmp_path: Path, overrides: dict[str, str] | None = None) -> Settings:
    file = str(tmp_path / "secrets.toml")
    return load(environ={}, overrides={"live.secrets_file": file, **(overrides or {})})


def write(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "secrets.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def refusal(call: Callable[[], object]) -> str:
    """The error's text, after making sure that nothing of it shows what was planted."""
    with pytest.raises(SettingsError) as caught:
        call()
    assert "PLANTED" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


# ---------------------------------------------------------------- the file


def test_accounts_of_the_file_come_sorted_by_name(tmp_path: Path) -> None:
    write(tmp_path, FILE)
    assert x_accounts(settings(tmp_path), {}) == (
        XAccount("first", TOKEN, CT0),
        XAccount(
            "second",
            "PLANTED-token-2",
            "PLANTED-ct0-2",
            "http://walker:PLANTED-pass-2@proxy.example:8080",
        ),
    )
    assert alpaca_keys(settings(tmp_path), {}) == KEYS


def test_a_file_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert x_accounts(settings(tmp_path), {}) == ()
    assert alpaca_keys(settings(tmp_path), {}) is None


def test_no_file_may_be_named_at_all(tmp_path: Path) -> None:
    assert x_accounts(settings(tmp_path, {"live.secrets_file": ""}), {}) == ()


def test_a_relative_path_is_one_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, FILE)
    monkeypatch.chdir(tmp_path)
    assert len(x_accounts(load(environ={}), {})) == 2


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o620, 0o602, 0o601, 0o666])
def test_a_file_open_to_others_is_refused_with_the_command_that_closes_it(
    tmp_path: Path, mode: int
) -> None:
    path = write(tmp_path, FILE, mode)
    said = refusal(lambda: x_accounts(settings(tmp_path), {}))
    assert f"(mode {mode:o})" in said
    assert f"`chmod 600 {path}`" in said


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_for_its_owner_alone_is_read(tmp_path: Path, mode: int) -> None:
    write(tmp_path, FILE, mode)
    assert len(x_accounts(settings(tmp_path), {})) == 2


def test_the_command_is_one_that_a_shell_takes(tmp_path: Path) -> None:
    (tmp_path / "my files").mkdir()
    path = write(tmp_path / "my files", FILE, 0o644)
    said = refusal(lambda: x_accounts(settings(tmp_path, {"live.secrets_file": str(path)}), {}))
    assert f"`chmod 600 '{path}'`" in said


def test_a_file_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, FILE)
    owner = path.stat().st_uid
    if owner == 0:  # a file of root's is fine; only root can give one away
        os.chown(path, 4242, 4242)
        owner = 4242
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    said = refusal(lambda: x_accounts(settings(tmp_path), {}))
    assert f"belongs to another user (uid {owner})" in said
    assert f"chown {owner + 1} {path}" in said


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "secrets.toml", 0o600)
    assert "is no file" in refusal(lambda: x_accounts(settings(tmp_path), {}))
    said = refusal(lambda: x_accounts(settings(tmp_path, {"live.secrets_file": str(tmp_path)}), {}))
    assert "is no file" in said


def test_a_path_through_a_file_says_so(tmp_path: Path) -> None:
    write(tmp_path, FILE)
    below = str(tmp_path / "secrets.toml" / "more")
    said = refusal(lambda: x_accounts(settings(tmp_path, {"live.secrets_file": below}), {}))
    assert "cannot be read: Not a directory" in said


def test_a_file_too_large_to_hold_accounts_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, "#" * (1 << 20) + "\n")
    assert "bytes; name another" in refusal(lambda: x_accounts(settings(tmp_path), {}))


def test_what_is_no_toml_is_told_by_its_place(tmp_path: Path) -> None:
    # The value lacks its quotes, on the third line.
    write(tmp_path, f"[[x_accounts]]\nname = 'a'\nauth_token = {TOKEN}\n")
    said = refusal(lambda: x_accounts(settings(tmp_path), {}))
    assert "is no TOML (at line 3, column 14)" in said
    (tmp_path / "secrets.toml").write_bytes(b"\xff\xfe")
    assert "no UTF-8" in refusal(lambda: x_accounts(settings(tmp_path), {}))


# ---------------------------------------------------------------- entries

GOOD = {"name": "main", "auth_token": TOKEN, "ct0": CT0}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "account 1: `name` must be"),
        ({"name": None}, "account 1: `name` must be"),
        ({"name": "x/PLANTED"}, "account 1: `name` must be"),
        ({"name": "PLANTED name"}, "account 1: `name` must be"),
        ({"name": "PLANTED" * 5}, "account 1: `name` must be"),  # 35 characters
        ({"name": TOKEN}, "account 1: `name` is one of the cookies"),
        ({"auth_token": None}, "account 1 (main): `auth_token` is missing"),
        ({"auth_token": ""}, "account 1 (main): `auth_token` is missing"),
        ({"auth_token": 12}, "account 1 (main): `auth_token` is missing or no text"),
        ({"ct0": f"{CT0}; lang=en"}, "account 1 (main): `ct0` is no cookie's value"),
        ({"ct0": f"{CT0}\r\nX: y"}, "account 1 (main): `ct0` is no cookie's value"),
        ({"ct0": f"ct0={CT0}"}, "copy only what follows `ct0=`"),
        ({"auth_token": "PLANTED…"}, "account 1 (main): `auth_token` is no cookie's value"),
        ({"proxy": "PLANTED"}, "account 1 (main): `proxy` is no address"),
        ({"proxy": "http://a:PLANTED@h:99999"}, "account 1 (main): `proxy` is no address"),
        ({"proxy": "http://a:PLAN TED@h:1"}, "account 1 (main): `proxy` is no address"),
        ({"proxy": 1}, "account 1 (main): `proxy` is no address"),
        ({"proxy": "ftp://a:PLANTED@h:1"}, "must begin with one of http, https"),
        ({"proxy": "socks5://a:PLANTED@h:1"}, 'for SOCKS set live.x.backend = "curl"'),
        ({"auth_tokn": "PLANTED"}, "`auth_tokn` is unknown; fields are name, auth_token"),
        ({"PLANTED0123": "x"}, "a field that is not shown here is unknown"),
    ],
)
def test_an_entry_that_cannot_work_is_named_by_place_and_field(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    entry = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    path = write(tmp_path, "\n".join(["[[x_accounts]]", *lines]))
    told = refusal(lambda: x_accounts(settings(tmp_path), {}))
    assert told.startswith(f"{path}: ")
    assert said in told


def test_socks_is_for_the_client_that_knows_it(tmp_path: Path) -> None:
    proxy = "socks5://walker:PLANTED-pass@proxy.example:1080"
    lines = [f'{key} = "{value}"' for key, value in {**GOOD, "proxy": proxy}.items()]
    write(tmp_path, "\n".join(["[[x_accounts]]", *lines]))
    (account,) = x_accounts(settings(tmp_path, {"live.x.backend": "curl"}), {})
    assert account.proxy == proxy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x_accounts = 3", "`x_accounts` is no list of accounts; write [[x_accounts]]"),
        ("[x_accounts]\nname = 'a'", "`x_accounts` is no list of accounts"),
        ("[[x_account]]\nname = 'a'", "`x_account` is unknown; fields are x_accounts, alpaca"),
        (
            f"[[x_accounts]]\nname='a'\nauth_token='{TOKEN}'\nct0='{CT0}'\n"
            f"[[x_accounts]]\nname='A'\nauth_token='PLANTED-2'\nct0='{CT0}'\n",
            "accounts 1 and 2 have the same `name`",
        ),
        (
            f"[[x_accounts]]\nname='a'\nauth_token='{TOKEN}'\nct0='{CT0}'\n"
            f"[[x_accounts]]\nname='b'\nauth_token='{TOKEN}'\nct0='{CT0}'\n",
            "accounts 1 and 2 have the same `auth_token`",
        ),
    ],
)
def test_a_list_that_cannot_work_is_refused(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, text)
    assert said in refusal(lambda: x_accounts(settings(tmp_path), {}))


# ---------------------------------------------------------------- Alpaca's keys


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, FILE)
    environ = {"APCA_API_KEY_ID": "PLANTED-e", "APCA_API_SECRET_KEY": " PLANTED-f\n"}
    assert alpaca_keys(settings(tmp_path), environ) == AlpacaKeys("PLANTED-e", "PLANTED-f")
    empty = {"APCA_API_KEY_ID": "", "APCA_API_SECRET_KEY": ""}
    assert alpaca_keys(settings(tmp_path), empty) == KEYS


@pytest.mark.parametrize("missing", ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY"])
def test_one_key_without_the_other_is_refused(tmp_path: Path, missing: str) -> None:
    environ = {"APCA_API_KEY_ID": "PLANTED-e", "APCA_API_SECRET_KEY": "PLANTED-f"}
    del environ[missing]
    said = refusal(lambda: alpaca_keys(settings(tmp_path), environ))
    assert said.startswith(f"the environment: `{missing}` is missing")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alpaca = 'PLANTED'", "`alpaca` is no table"),
        ("[alpaca]\nkey_id = 'PLANTED'", "[alpaca]: `secret_key` is missing"),
        ("[alpaca]\nkey_id = 'PLANTED'\nsecret_key = 'PLAN TED'", "`secret_key` holds what no key"),
        ("[alpaca]\nkey = 'PLANTED'", "`key` is unknown; fields are key_id, secret_key"),
    ],
)
def test_keys_that_cannot_work_are_refused(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, text)
    assert said in refusal(lambda: alpaca_keys(settings(tmp_path), {}))


def test_a_file_may_hold_accounts_alone(tmp_path: Path) -> None:
    write(tmp_path, FILE.partition("[alpaca]")[0])
    assert alpaca_keys(settings(tmp_path), {}) is None


# ---------------------------------------------------------------- what is read stays secret


def test_everything_that_was_read_is_blotted_out(tmp_path: Path) -> None:
    write(tmp_path, FILE)
    accounts, keys = x_accounts(settings(tmp_path), {}), alpaca_keys(settings(tmp_path), {})
    assert "PLANTED" not in f"{accounts!r} {keys!r}"
    for secret in (TOKEN, CT0, "PLANTED-key-id", "PLANTED-secret-key", "PLANTED-pass-2"):
        assert redacted(f"<{secret}>") == f"<{MARK}>"
    # "walker:PLANTED-pass-2" in base64, as a Proxy-Authorization header has it
    assert redacted("Basic d2Fsa2VyOlBMQU5URUQtcGFzcy0y") == f"Basic {MARK}"
    # The proxy's address may be told, which leads to the cause of an error.
    assert "proxy.example:8080" in redacted("http://walker:PLANTED-pass-2@proxy.example:8080")


def test_an_entry_that_was_refused_is_blotted_out_too(tmp_path: Path) -> None:
    write(tmp_path, "[[x_accounts]]\nname='a'\nauth_token='PLANTED-refused; b'\nct0='c'\n")
    refusal(lambda: x_accounts(settings(tmp_path), {}))
    assert redacted("PLANTED-refused; b") == MARK


def test_a_new_user_is_told_what_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = how_to_set_up(load(environ={}))
    assert "chmod 600 secrets.toml" in text
    # What is shown reads back, once the cookies are pasted in.
    shown = text[text.index("  [[") : text.index("  chmod")].replace("…", "PLANTED-pasted", 1)
    write(tmp_path, shown.replace("…", "PLANTED-too"))
    accounts = x_accounts(load(environ={}), {})
    assert accounts == (XAccount("main", "PLANTED-pasted", "PLANTED-too"),)
    secret = settings(tmp_path, {X_SECRET: "x accounts"})
    assert "--secret-id 'x accounts'" in how_to_set_up(secret)


# ---------------------------------------------------------------- AWS Secrets Manager


class Manager:
    """A running Secrets Manager (moto's) whose next answer may be an error."""

    def __init__(self) -> None:
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        running: Any = self.server._server
        self.app, running.app = running.app, self
        self.error: str | None = None
        host, port = self.server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.client = boto3.client(
            "secretsmanager",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="PLANTED-aws-key",  # noqa: S106
        )

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        if self.error is None:
            return self.app(environ, start)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
        return [json.dumps({"__type": self.error, "Message": "PLANTED in a message"}).encode()]


@pytest.fixture(scope="module")
def running() -> Iterator[Manager]:
    manager = Manager()
    yield manager
    manager.server.stop()


@pytest.fixture
def manager(running: Manager, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Manager:
    running.error = None
    for name, value in {
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": running.url,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "PLANTED-aws-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return running


def create(manager: Manager, name: str, value: Any = None) -> None:
    given = {} if value is None else {"SecretString": value}
    manager.client.create_secret(Name=name, **given)


def test_a_secret_wins_over_file_and_environment(manager: Manager, tmp_path: Path) -> None:
    write(tmp_path, FILE)
    create(manager, "x-1", json.dumps({"accounts": [{**GOOD, "name": "cloud"}]}))
    create(manager, "alpaca-1", '{"key_id": "PLANTED-a", "secret_key": "PLANTED-b"}')
    chosen = settings(tmp_path, {X_SECRET: "x-1", ALPACA_SECRET: "alpaca-1"})
    environ = {"APCA_API_KEY_ID": "PLANTED-e", "APCA_API_SECRET_KEY": "PLANTED-f"}
    assert x_accounts(chosen, environ) == (XAccount("cloud", TOKEN, CT0),)
    assert alpaca_keys(chosen, environ) == AlpacaKeys("PLANTED-a", "PLANTED-b")


def test_one_secret_may_hold_both(manager: Manager, tmp_path: Path) -> None:
    both = {"accounts": [GOOD], "key_id": "PLANTED-key-id", "secret_key": "PLANTED-secret-key"}
    create(manager, "both", json.dumps(both))
    chosen = settings(tmp_path, {X_SECRET: "both", ALPACA_SECRET: "both"})
    assert x_accounts(chosen, {}) == (XAccount("main", TOKEN, CT0),)
    assert alpaca_keys(chosen, {}) == KEYS


@pytest.mark.parametrize("value", [None, "{}", '{"accounts": []}'])
def test_a_secret_as_it_was_created_holds_nothing(
    manager: Manager, tmp_path: Path, value: str | None
) -> None:
    name = f"new-{value is None}-{len(value or '')}"
    create(manager, name, value)
    chosen = settings(tmp_path, {X_SECRET: name, ALPACA_SECRET: name})
    assert x_accounts(chosen, {}) == ()
    assert alpaca_keys(chosen, {}) is None


def test_a_secret_of_bytes_is_read_as_text(manager: Manager, tmp_path: Path) -> None:
    binary = json.dumps({"accounts": [GOOD]}).encode()
    manager.client.create_secret(Name="binary", SecretBinary=binary)
    assert len(x_accounts(settings(tmp_path, {X_SECRET: "binary"}), {})) == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('{"accounts": PLANTED}', "is no JSON (line 1, column 14)"),
        ('["PLANTED"]', "is no JSON object"),
        ('{"account": "PLANTED"}', "`account` is unknown; fields are accounts"),
        ('{"accounts": {"name": "PLANTED"}}', "`accounts` is no list of accounts"),
        ('{"accounts": [{"name": "a", "auth_token": "PLANTED"}]}', "account 1 (a): `ct0` is miss"),
    ],
)
def test_a_secret_that_cannot_work_is_refused(
    manager: Manager, tmp_path: Path, value: str, said: str
) -> None:
    name = f"bad-{len(value)}"
    create(manager, name, value)
    told = refusal(lambda: x_accounts(settings(tmp_path, {X_SECRET: name}), {}))
    assert said in told
    assert f"the secret {name}" in told


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("AccessDeniedException", "allow secretsmanager:GetSecretValue"),
        ("DecryptionFailure", "kms:Decrypt"),
        ("ExpiredTokenException", "renew the AWS credentials"),
        ("UnrecognizedClientException", "renew the AWS credentials"),
        ("InvalidRequestException", "marked for deletion"),
        ("SomethingElse", "try again"),
    ],
)
def test_a_secret_that_may_not_be_read_is_no_empty_one(
    manager: Manager, tmp_path: Path, error: str, remedy: str
) -> None:
    manager.error = error
    for key, call in ((X_SECRET, x_accounts), (ALPACA_SECRET, alpaca_keys)):
        chosen = settings(tmp_path, {key: "closed"})
        told = refusal(lambda call=call, chosen=chosen: call(chosen, {}))  # type: ignore[misc]
        assert f'{key} = "closed" cannot be read ({error})' in told
        assert remedy in told


def test_a_secret_that_does_not_exist_is_refused(manager: Manager, tmp_path: Path) -> None:
    told = refusal(lambda: x_accounts(settings(tmp_path, {X_SECRET: "nowhere"}), {}))
    assert "(ResourceNotFoundException): create it in this account and region" in told


def test_without_a_region_the_remedy_is_to_set_one(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(manager, "regional", "{}")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    chosen = settings(tmp_path, {X_SECRET: "regional"})
    assert "(NoRegionError): set AWS_REGION" in refusal(lambda: x_accounts(chosen, {}))
    assert x_accounts(chosen, {"AWS_REGION": "us-east-1"}) == ()


def test_without_aws_credentials_the_remedy_is_to_log_in(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    chosen = settings(tmp_path, {X_SECRET: "any"})
    assert "(NoCredentialsError): log in to AWS" in refusal(lambda: x_accounts(chosen, {}))


def test_a_network_that_is_down_is_told(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")  # discard
    chosen = settings(tmp_path, {X_SECRET: "any"})
    assert "(EndpointConnectionError): check the network" in refusal(lambda: x_accounts(chosen, {}))
