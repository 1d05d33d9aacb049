"""Where secrets are kept: a private file of this machine, or a secret of AWS Secrets Manager.

Whatever is read is known to `redaction` before anything can go wrong with it. Errors name the
place, never what it holds.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cashtag.errors import SettingsError
from cashtag.redaction import remember
from cashtag.settings import Settings

_LARGEST = 1 << 20  # bytes; a file of accounts has some hundred a piece
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


# ---------------------------------------------------------------- the private file


def of_file(name: str) -> dict[str, Any]:
    """Return the tables of the private TOML file `name`; none when it is not there.

    Raises:
        SettingsError: it is open to others, belongs to somebody else, or is no TOML.
    """
    data = _private(name) if name else None
    if data is None:
        return {}
    try:
        whole = tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise SettingsError(f"{name} is no UTF-8 text; save it as such") from None
    except tomllib.TOMLDecodeError as error:
        # What it says might quote the file; where it says so cannot.
        found = re.search(r"\(at [\w ,]+\)", str(error))
        raise SettingsError(
            f"{name} is no TOML {found[0] if found else ''}; texts stand in double quotes"
        ) from None
    remember(*_secrets(whole))
    return whole


def _private(name: str) -> bytes | None:
    """Bytes of a file that nobody else may read or write; None when it is not there.

    Whose it is and who may read it is asked of the open file: a path may meanwhile lead elsewhere.
    """
    path = Path(name).expanduser()
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would wait
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(
            f"live.secrets_file {path} cannot be read: {error.strerror}; "
            "it must be your own: create it as yourself, or name another"
        ) from None
    try:
        about = os.fstat(opened)
        quoted = shlex.quote(str(path))
        if not stat.S_ISREG(about.st_mode):
            raise SettingsError(f"live.secrets_file {path} is no file; name one")
        if about.st_uid not in (os.geteuid(), 0):
            raise SettingsError(
                f"live.secrets_file {path} belongs to another user (uid {about.st_uid}), who could "
                f"read and change it: run `chown {os.geteuid()} {quoted}` and `chmod 600 {quoted}`"
            )
        if about.st_mode & _OTHERS:
            raise SettingsError(
                f"live.secrets_file {path} is open to others (mode "
                f"{stat.S_IMODE(about.st_mode):o}): run `chmod 600 {quoted}`"
            )
        if about.st_size > _LARGEST:
            raise SettingsError(f"live.secrets_file {path} has {about.st_size} bytes; name another")
        with open(opened, "rb", closefd=False) as file:
            return file.read(_LARGEST)
    finally:
        os.close(opened)


def _secrets(value: Any, key: str = "") -> Iterator[str]:
    """Every text in a file or secret that nobody may see."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _secrets(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item, key)
    elif isinstance(value, str) and key != "name":
        yield value


# ---------------------------------------------------------------- AWS Secrets Manager

_ALLOW = "allow secretsmanager:GetSecretValue on it, and kms:Decrypt on its key, to who runs this"
_RENEW = "renew the AWS credentials"
_SECRET_REMEDIES = {
    "ResourceNotFoundException": "create it in this account and region, or correct the name",
    "AccessDeniedException": _ALLOW,
    "DecryptionFailure": _ALLOW,
    "InvalidRequestException": "it is marked for deletion: restore it, or name another",
    "UnrecognizedClientException": _RENEW,
    "InvalidSignatureException": f"{_RENEW}, and check the clock",
    "ExpiredTokenException": _RENEW,
    "NoRegionError": "set AWS_REGION",
    "NoCredentialsError": "log in to AWS (`aws configure`), or clear the setting to use the file",
    "PartialCredentialsError": "log in to AWS (`aws configure`)",
    "EndpointConnectionError": "check the network and AWS_REGION",
}


def of_secret(
    settings: Settings, environ: Mapping[str, str], key: str, name: str
) -> dict[str, Any]:
    """Return the JSON object in the secret `name` of AWS Secrets Manager, which setting `key` names.

    It is empty when the secret was created without a value.

    Raises:
        SettingsError: there is no such secret, or it may not or cannot be read, or is no object.
    """
    text = _secret_text(settings, environ, key, name).strip()
    try:
        whole = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise SettingsError(
            f"the secret {name} ({key}) is no JSON (line {error.lineno}, column {error.colno})"
        ) from None
    if not isinstance(whole, dict):
        raise SettingsError(f"the secret {name} ({key}) is no JSON object; write {{…}}")
    remember(*_secrets(whole))
    return whole


def _secret_text(settings: Settings, environ: Mapping[str, str], key: str, name: str) -> str:
    try:
        from boto3.session import Session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise SettingsError(
            f'{key} = "{name}" needs boto3: pip install -e ".[live]" -c constraints.txt'
        ) from None
    wait = settings.live.request_seconds
    try:
        client = Session().client(  # of its own: the default one is not for several threads
            "secretsmanager",
            region_name=environ.get("AWS_REGION") or None,
            config=Config(connect_timeout=wait, read_timeout=wait, retries={"mode": "standard"}),
        )
        answer = client.get_secret_value(SecretId=name)
    except ClientError as error:
        about = error.response.get("Error", {})
        if "staging label" in about.get("Message", ""):
            return ""  # it is there, and nobody has given it a value
        why = about.get("Code", "unknown")
    except BotoCoreError as error:
        why = type(error).__name__
    else:
        return str(answer.get("SecretString") or answer.get("SecretBinary", b"").decode())
    remedy = _SECRET_REMEDIES.get(why, "try again, or clear the setting to use the file")
    raise SettingsError(f'{key} = "{name}" cannot be read ({why}): {remedy}')
