"""The settings that a deployed stack's functions read: TOML in one parameter of SSM.

It has the shape of `cashtag.toml` and stands between the profile and the functions' environment.
Only a whole that loads is ever written. Parameter Store has no conditional write: of two that
are written at once the later one wins, and the earlier writer is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cashtag.errors import CloudError, SettingsError
from cashtag.operate import account
from cashtag.operate.packages import with_settings
from cashtag.operate.stack import Stack
from cashtag.settings import Settings, Text, load

_LARGEST = 4096  # characters of a standard parameter, which costs nothing


@dataclass(frozen=True, slots=True)
class Kept:
    """The parameter's text and version; no text and version 0 where it was never written."""

    name: str
    text: str
    version: int


def read(stack: Stack, session: Any) -> Kept:
    """Return what the parameter holds.

    Raises:
        CloudError: SSM refuses or does not answer.
    """
    from botocore.exceptions import ClientError

    name = stack.output("Parameter")
    client = account.client(session, "ssm")
    with account.explained(f"parameter {name} cannot be read"):
        try:
            told = client.get_parameter(Name=name, WithDecryption=True)["Parameter"]
        except ClientError as error:
            if account.code(error) != "ParameterNotFound":
                raise
            return Kept(name, "", 0)
    return Kept(name, told["Value"], told["Version"])


def write(stack: Stack, session: Any, wanted: Mapping[str, Any]) -> Kept:
    """Set dotted keys, keep all else; return what the parameter holds then.

    Raises:
        SettingsError: the whole would not load, or is too long; nothing is written.
        CloudError: SSM refuses, or somebody else wrote at the same time.
    """
    before = read(stack, session)
    text = with_settings(before.text, wanted, f"parameter {before.name}")
    loaded(Kept(before.name, text, before.version))
    if text == before.text:
        return before
    if len(text) > _LARGEST:
        raise SettingsError(
            f"parameter {before.name} would hold {len(text)} characters, at most {_LARGEST} are "
            "free of charge; take comments out, or put settings into the template"
        )
    client = account.client(session, "ssm")
    with account.explained(f"parameter {before.name} cannot be written"):
        version = client.put_parameter(Name=before.name, Value=text, Type="String", Overwrite=True)[
            "Version"
        ]
    if version != before.version + 1:
        raise CloudError(
            f"parameter {before.name} was written by somebody else at the same time (version "
            f"{version - 1}): what stands now is yours; look with `cashtag config get --env "
            f"{stack.environment}`, and set again what is missing"
        )
    return Kept(before.name, text, version)


def loaded(kept: Kept, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that the text makes, over defaults and profile, under `environ`.

    Raises:
        SettingsError: it is no TOML, or names or values in it are refused.
    """
    text = Text(kept.text, f"parameter {kept.name}")
    return load(environ=environ or {}, text=text)


def refusal(kept: Kept) -> str | None:
    """Why a function would refuse the text; None when it would not."""
    try:
        loaded(kept)
    except SettingsError as error:
        return str(error)
    return None


def of_functions(stack: Stack, session: Any, step: str = "enrich") -> Settings:
    """The settings as the functions of a stack have them: the parameter under their environment.

    Raises:
        SettingsError: the functions themselves would refuse them.
        CloudError: Lambda or SSM refuses or does not answer.
    """
    name = stack.function(step)
    with account.explained(f"function {name} cannot be looked at"):
        told = account.client(session, "lambda").get_function_configuration(FunctionName=name)
    given = told.get("Environment", {}).get("Variables", {})
    own = {key: value for key, value in given.items() if key.startswith("CASHTAG_")}
    return stack.settings(loaded(read(stack, session), own))
