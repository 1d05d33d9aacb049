"""How a run stands: what its manifests expect, what of that is not staged, and the name of it all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cashtag.errors import StoreError
from cashtag.lake import completion, layout
from cashtag.ports import Lake
from cashtag.scrape import manifest


@dataclass(frozen=True)
class Standing:
    """A run at a moment, in one build.

    A run of which something is missing has another state than the same run when it is complete:
    what is published of the one does not stand for the other.
    """

    expected: list[str]
    unstaged: list[str]
    state: str

    @property
    def complete(self) -> bool:
        """Whether all that is expected is staged."""
        return not self.unstaged

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the run makes its session partial, if it does."""
        if self.complete:
            return ()
        more = f" and {len(self.unstaged) - 1} more" if len(self.unstaged) > 1 else ""
        return (f"{self.unstaged[0]}{more} could not be enriched in time",)


def of_run(lake: Lake, build: str, dt: date) -> Standing:
    """Look at a run.

    Raises:
        StoreError: it has no manifest, or the lake cannot be read.
    """
    keys = [info.key for info in lake.raw.list(layout.manifests(dt))]
    if not keys:
        raise StoreError(
            f"{lake.raw.uri(layout.manifests(dt))} holds no manifest: scrape the run of {dt} "
            "first (`cashtag run --date`)"
        )
    expected = [obj.key for obj in manifest.expected(manifest.of_day(lake.raw, dt))]
    unstaged = completion.missing(lake, build, expected)
    return Standing(expected, unstaged, completion.state([*keys, *unstaged], build))
