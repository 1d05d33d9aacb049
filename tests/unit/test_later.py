"""A part of a frozen whole is made when it is first asked for, once, and replaced like any other."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from cashtag.later import Later
from cashtag.ports import Env


def whole(made: list[str], **changed: Any) -> Env:
    def make(name: str) -> Later[Any]:
        return Later(lambda: made.append(name) or name)

    parts = {name: make(name) for name in ("warehouse", "source", "scorer")}
    return Env(cast("Any", "settings"), cast("Any", "lake"), **(parts | changed))


def test_nothing_is_made_before_it_is_asked_for_and_then_once() -> None:
    made: list[str] = []
    env = whole(made)
    assert (env.settings, env.lake, made) == ("settings", "lake", [])
    assert (env.scorer, env.scorer) == ("scorer", "scorer")
    assert made == ["scorer"]


def test_what_is_given_stays_as_it_is() -> None:
    made: list[str] = []
    env = whole(made, source="given")
    assert env.source == "given"
    assert dataclasses.replace(env, source="other").source == "other"
    assert "source" not in made


def test_what_could_not_be_made_is_tried_again() -> None:
    tries: list[int] = []

    def fails_once() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")
        return "made"

    env = whole([], warehouse=Later(fails_once))
    with pytest.raises(ValueError, match="not yet"):
        _ = env.warehouse
    assert env.warehouse == "made"


def test_a_whole_is_frozen_and_needs_all_its_parts() -> None:
    env: Any = whole([])
    with pytest.raises(dataclasses.FrozenInstanceError):
        env.source = "other"
    incomplete: Any = Env
    with pytest.raises(TypeError, match="'warehouse', 'source', and 'scorer'"):
        incomplete("settings", "lake")
