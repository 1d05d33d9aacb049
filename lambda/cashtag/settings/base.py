"""The kinds of numbers that settings are made of, and the frozen section they live in."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")
Environment = Literal["dev", "staging", "prod"]

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]
Dollars = Annotated[float, Field(ge=0.0, le=1e9)]
Hours = Annotated[float, Field(gt=0.0, le=24 * 365.0)]
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Ticker = Annotated[str, Field(pattern=r"^\^?[A-Z]{1,6}([._][A-Z]{1,2})?$")]


class Section(BaseModel):
    """A part of the settings: frozen, no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)


class PerEnvironment(Section, Generic[T]):
    """One value for each environment."""

    dev: T
    staging: T
    prod: T
