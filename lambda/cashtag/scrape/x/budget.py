"""How many searches an account has left: our count of its window, or X's own where it says less."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class Budget:
    """At most so many searches in any window of so many minutes.

    X counts from the first search of its window; counting any window of that length asks for no
    more. X says what remains in each answer; its last search is never asked for, because the
    client library throws away the page that brings the count to 0.
    """

    def __init__(
        self,
        searches: int,
        minutes: float,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._searches = searches
        self._window = minutes * 60.0
        self._clock = clock
        self._wall = wall
        self._spent: deque[float] = deque()
        self._remaining: int | None = None
        self._until = 0.0  # on the wall clock, as X tells it

    @property
    def left(self) -> int:
        """Searches that may still be made now."""
        while self._spent and self._spent[0] <= self._clock() - self._window:
            self._spent.popleft()
        left = self._searches - len(self._spent)
        if self._remaining is not None and self._wall() < self._until:
            left = min(left, self._remaining - 1)
        return max(0, left)

    def spend(self, searches: int = 1) -> None:
        """Count searches that are about to be made."""
        self._spent.extend([self._clock()] * searches)
        if self._remaining is not None:
            self._remaining -= searches

    def told(self, remaining: int | None, reset: int | None) -> None:
        """Take note of what X says: searches that remain until `reset`, epoch seconds."""
        if remaining is not None:
            self._remaining = remaining
            self._until = self._wall() + self._window if reset is None else float(reset)

    def exhaust(self, reset: int | None) -> None:
        """Nothing is left until `reset` (epoch seconds), or for a whole window."""
        self.told(0, reset)
