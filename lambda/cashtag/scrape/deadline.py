"""The moment by which a step must have ended, and what is left until then."""

from __future__ import annotations

import time
from collections.abc import Callable

from cashtag.errors import SourceRefused


class Deadline:
    """So many seconds from now, on a clock that nobody sets back."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end - self._clock())

    @property
    def passed(self) -> bool:
        """Whether nothing is left."""
        return self.left == 0.0

    def within(self, seconds: float) -> float:
        """`seconds`, or what is left if that is less.

        Raises:
            SourceRefused: nothing is left.
        """
        if self.passed:
            raise SourceRefused("the scrape's deadline came first (live.step_seconds)")
        return min(seconds, self.left)

    def before(self, seconds: float) -> Deadline:
        """A deadline that lies `seconds` earlier, so that something can be done after it."""
        earlier = Deadline(0.0, self._clock)
        earlier._end = self._end - seconds
        return earlier
