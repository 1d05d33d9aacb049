"""Parts of a frozen whole that are made when they are first needed: nobody pays for what rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Later(Generic[T]):
    """How to make a part, for a field that is a `Part`."""

    make: Callable[[], T]


class Part(Generic[T]):
    """A field of a dataclass that takes its value, or how to make it Later; made once."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, env: None, owner: type) -> Part[T]: ...
    @overload
    def __get__(self, env: object, owner: type) -> T: ...
    def __get__(self, env: object | None, owner: type) -> T | Part[T]:
        if env is None:
            raise AttributeError(self._name)  # the dataclass asks for a default: there is none
        part = env.__dict__[self._name]
        if isinstance(part, Later):
            part = env.__dict__[self._name] = part.make()
        return part  # type: ignore[no-any-return]

    def __set__(self, env: object, value: T | Later[T]) -> None:
        env.__dict__[self._name] = value
