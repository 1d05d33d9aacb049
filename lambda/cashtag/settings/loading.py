"""Reading settings from their four places, refusing by name what does not fit."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cashtag.errors import SettingsError
from cashtag.settings.models import Settings

PREFIX = "CASHTAG_"
FILE = "cashtag.toml"
# Read elsewhere, and no settings: where this checkout's tests find data for measurement.
NOT_SETTINGS = frozenset({"CASHTAG_SHARED", "CASHTAG_CONFIG"})
# Nor are those by which a packaged model's own code is told of threads and limits.
PACKAGED = "CASHTAG_MODEL_"
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Text:
    """What stands in for `cashtag.toml`: TOML of the same shape, and where it is kept."""

    toml: str
    place: str


@dataclass(frozen=True)
class Loaded:
    """Settings and, for each dotted key, the place whose value won."""

    settings: Settings
    origin: dict[str, str]


def load(
    path: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    profile: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    text: Text | None = None,
) -> Settings:
    """Return validated settings; see `load_with_origin`."""
    return load_with_origin(path, environ, profile, overrides, text).settings


def load_with_origin(
    path: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    profile: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    text: Text | None = None,
) -> Loaded:
    """Read defaults, profile, `cashtag.toml` (or `path`, or $CASHTAG_CONFIG) and environment.

    `overrides` are dotted keys from a command line and win over everything. With `text`, which
    is what a deployed stack keeps instead of a file, no file is looked for.

    Raises:
        SettingsError: an unknown key, a value out of range, a file that is no TOML.
    """
    environ = os.environ if environ is None else environ
    layers: list[tuple[str, dict[str, Any]]] = [("defaults.toml", _toml(_HERE / "defaults.toml"))]
    chosen = path if path is not None else environ.get("CASHTAG_CONFIG")
    if text is not None:
        chosen, own = text.place, _parsed(text.toml, text.place)
    else:
        own = _toml(Path(chosen)) if chosen else _toml(Path(FILE), missing_ok=True)
    env = _environment(environ, layers[0][1])
    wanted = profile or env.get("profile") or own.get("profile") or "sound"
    if wanted == "reference":
        layers.append(("reference.toml", _toml(_HERE / "reference.toml")))
    elif wanted != "sound":
        raise SettingsError(f"profile = {wanted!r} is none of: sound, reference")
    layers += [(str(chosen or FILE), own), ("environment", env)]
    layers.append(("command line", _nested(dict(overrides or {}), "command line")))
    layers.append(("command line", {"profile": wanted} if profile else {}))
    whole: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for name, layer in layers:
        _merge(whole, layer, name, origin, ())
    try:
        return Loaded(Settings.model_validate(whole), origin)
    except ValidationError as error:
        raise SettingsError(_explain(error, origin)) from None


def _toml(path: Path, *, missing_ok: bool = False) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if missing_ok:
            return {}
        raise SettingsError(f"settings file {path} is not there; give an existing one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} is no TOML: {error}") from None
    except OSError as error:
        raise SettingsError(f"settings file {path} cannot be read: {error.strerror}") from None


def _parsed(toml: str, place: str) -> dict[str, Any]:
    try:
        return tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{place} holds no TOML: {error}") from None


def _environment(environ: Mapping[str, str], known: dict[str, Any]) -> dict[str, Any]:
    """CASHTAG_SIGNALS__TREND__FIRE_ABOVE=0.5 to {"signals": {"trend": {"fire_above": 0.5}}}."""
    flat: dict[str, Any] = {}
    for name, text in environ.items():
        if name.startswith(PACKAGED):
            continue
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            parts = name.removeprefix(PREFIX).split("__")
            flat[".".join(_spelled(parts, known))] = value_of(text)
    return _nested(flat, "environment")


def _spelled(parts: list[str], known: dict[str, Any]) -> list[str]:
    """Environment names are upper case; keys keep the case (and the dashes) they are known by."""
    spelled: list[str] = []
    level: Any = known
    for part in parts:
        choices = level if isinstance(level, dict) else {}
        match = next((k for k in choices if k.replace("-", "_").lower() == part.lower()), None)
        # Below watchlist.stocks and the like, a new key is a ticker and stays upper case.
        free = spelled in (["watchlist", "stocks"], ["tickers", "aliases"])
        spelled.append(match if match is not None else part if free else part.lower())
        level = choices.get(spelled[-1])
        if level is None and free and spelled[:2] == ["watchlist", "stocks"]:
            level = known["watchlist"]["defaults"]
    return spelled


def value_of(text: str) -> Any:
    """What a text from the environment or a command line means: a TOML value, else itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _nested(flat: Mapping[str, Any], place: str) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for dotted, value in flat.items():
        *parents, last = dotted.split(".")
        level = whole
        for part in parents:
            level = level.setdefault(part, {})
            if not isinstance(level, dict):
                raise SettingsError(f"{place}: {dotted} lies below {part}, which has a value too")
        level[last] = value
    return whole


def _merge(
    into: dict[str, Any],
    layer: Mapping[str, Any],
    name: str,
    origin: dict[str, str],
    at: tuple[str, ...],
) -> None:
    for key, value in layer.items():
        path = (*at, key)
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, name, origin, path)
        elif isinstance(value, dict):
            into[key] = {}
            _merge(into[key], value, name, origin, path)
        else:
            into[key] = value
            origin[".".join(path)] = name


def _explain(error: ValidationError, origin: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        parts = [str(part) for part in problem["loc"]]
        dotted = ".".join(parts)
        place = origin.get(dotted) or next(
            (origin[key] for key in origin if key.startswith(f"{dotted}.")), None
        )
        where = f" (from {place})" if place else ""
        if problem["type"] == "extra_forbidden":
            siblings = [
                key.split(".")[len(parts) - 1]
                for key in origin
                if key.split(".")[: len(parts) - 1] == parts[:-1] and key != dotted
            ]
            near = difflib.get_close_matches(parts[-1], sorted(set(siblings)), n=1, cutoff=0.5)
            hint = f"; did you mean {'.'.join([*parts[:-1], near[0]])}?" if near else ""
            lines.append(f"{dotted} is no setting{where}{hint}")
            continue
        said = f"{dotted} = {problem['input']!r}" if dotted else "settings"
        lines.append(f"{said} is refused{where}: {_range(problem)}")
    return "; ".join(lines)


def _range(problem: Any) -> str:
    context = problem.get("ctx", {})
    bounds = [
        f"{words} {context[key]}"
        for key, words in (("gt", "above"), ("ge", "at least"), ("lt", "below"), ("le", "at most"))
        if key in context
    ]
    if bounds:
        return _whole_range(problem, bounds)
    if "expected" in context:
        return f"allowed are {context['expected']}"
    if "pattern" in context:
        return f"must match {context['pattern']}"
    text: str = problem["msg"]
    return text.removeprefix("Value error, ")


def _whole_range(problem: Any, bounds: list[str]) -> str:
    """Name both ends of the allowed range, of which pydantic reports only the one that failed."""
    from cashtag.settings.ranges import allowed

    return allowed(tuple(str(part) for part in problem["loc"])) or f"must be {' and '.join(bounds)}"
