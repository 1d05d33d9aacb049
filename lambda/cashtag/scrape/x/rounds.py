"""The order of a run's searches: breadth first, spread evenly over the accounts, until it must end.

One loop decides, between answers, which account asks for which page next; each account has one
request under way at most. Nothing waits for a window to end: the resuming call brings the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from cashtag.ports import Fetched, SourceHealth, Status
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.x.account import SearchAccount
from cashtag.scrape.x.pages import Page
from cashtag.scrape.x.refusals import Refusal
from cashtag.scrape.x.searches import Harvest, Search
from cashtag.settings import Settings

DEADLINE = "the scrape's deadline came first (live.step_seconds)"
_Task = asyncio.Task[Page | None]


@dataclass(frozen=True, eq=False)
class _Job:
    """What a task does: a page of a search, or the start of an account's session (no search)."""

    account: SearchAccount
    harvest: Harvest | None = None
    search: Search | None = None


class Rounds:
    """All searches of one call.

    `emit` gets each part as soon as it is whole. `ended` says why some searches stayed open, and
    `broken` that X refuses every account.
    """

    def __init__(
        self,
        settings: Settings,
        accounts: Sequence[SearchAccount],
        harvests: Sequence[Harvest],
        canary: str,
        emit: Callable[[Fetched], None],
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._harvests = harvests
        self._canary = canary
        self._emit = emit
        self._jobs: dict[_Task, _Job] = {}
        self._in_flight: set[Search] = set()
        self._suspects: list[str] = []
        self._found = False
        self._answered = False
        self.ended: str | None = None
        self.broken: str | None = None
        for account in accounts:
            account.begin()

    async def run(self, until: Deadline) -> None:
        """Ask until everything is answered, nobody is left to ask, or the deadline comes."""
        try:
            async with asyncio.timeout(until.left):
                await self._ask(until)
        except TimeoutError:
            self.ended = DEADLINE
            self._collect({task for task in self._jobs if task.done()})
        except Exception as error:
            self.ended = self.broken = f"cashtag failed ({type(error).__name__})"
            raise
        finally:
            await self._stop()

    def health(self) -> SourceHealth:
        """How X as a whole came through."""
        status: Status = "ok" if self._found else "empty"
        lost = not any(account.retired is None for account in self._accounts)
        if self.ended and (self.broken or lost or not self._answered):
            status = "refused"
        unread = sum(harvest.unread for harvest in self._harvests)
        told = [self.ended] if self.ended else []
        told += [f"twscrape could not read {unread} tweets"] if unread else []
        searches = sum(account.health().requests for account in self._accounts)
        left = sum(account.left for account in self._accounts)
        return SourceHealth("x", status, "; ".join(told) or None, searches, left)

    # ------------------------------------------------------------ the loop

    async def _ask(self, until: Deadline) -> None:
        while self.broken is None:
            self._assign(min(self._settings.live.request_seconds, until.left))
            rests = [account.rest for account in self._accounts if account.usable and account.rest]
            wakes = min(rests, default=None) if self._waiting() else None
            if not self._jobs:
                if wakes is None:
                    return
                await asyncio.sleep(wakes)
                continue
            done, _ = await asyncio.wait(
                self._jobs, timeout=wakes, return_when=asyncio.FIRST_COMPLETED
            )
            self._collect(done)

    def _collect(self, done: set[_Task]) -> None:
        for task in [task for task in self._jobs if task in done]:
            self._finish(task, self._jobs.pop(task))

    async def _stop(self) -> None:
        """Hand over whatever was found, then close the connections."""
        for task in self._jobs:
            task.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        self._jobs.clear()
        if self.ended is None and any(harvest.open for harvest in self._harvests):
            self.ended = self.broken or self._nobody_left()
        for harvest in self._harvests:
            self._hand_over(harvest.last(self.ended))
        await asyncio.gather(*(account.close() for account in self._accounts))

    def _assign(self, seconds: float) -> None:
        """Give every idle account something to do, as far as there is something for it."""
        waiting = self._waiting()
        if not waiting:
            return
        busy = {job.account for job in self._jobs.values()}
        for account in self._accounts:
            if account in busy or account.started or account.rest:
                continue
            if account.usable:
                self._begin(account.start(seconds), _Job(account))
                busy.add(account)
        for harvest, search in waiting:
            chosen = self._choose(search, busy)
            if chosen is not None:
                self._begin(self._page(chosen, search, seconds), _Job(chosen, harvest, search))
                self._in_flight.add(search)
                busy.add(chosen)

    def _begin(self, work: Coroutine[Any, Any, Page | None], job: _Job) -> None:
        self._jobs[asyncio.get_running_loop().create_task(work)] = job

    def _waiting(self) -> list[tuple[Harvest, Search]]:
        """Open searches in the order of their turns.

        First a page for every ticker, then the second one …; keywords come when every ticker has
        its first pages; then it goes deeper, page by page as well.
        """
        first = self._settings.scrape.first_pages

        def turn(one: tuple[int, Harvest, Search]) -> tuple[int, int, int]:
            place, harvest, search = one
            if search.name == "keywords":
                return 1, search.pages, place
            deep = harvest.kept_before or search.pages >= first
            return (2 if deep else 0), search.pages, place

        waiting = [
            (place, harvest, search)
            for place, harvest in enumerate(self._harvests)
            for search in harvest.searches
            if search.open and search not in self._in_flight
        ]
        return [(harvest, search) for _, harvest, search in sorted(waiting, key=turn)]

    def _choose(self, search: Search, busy: set[SearchAccount]) -> SearchAccount | None:
        """The account for the next page of a search; None when it must wait for one.

        The one with the fewest searches, then the one that has rested longest; an account that
        was just refused comes last, and one that had this very page only when nobody else is left.
        """
        usable = [account for account in self._accounts if account.usable]
        fresh = [account for account in usable if account.name not in search.tried]
        idle = [one for one in fresh or usable if one.started and one not in busy and not one.rest]
        return min(
            idle,
            key=lambda one: (one.failures, one.searches, one.last_used, one.name),
            default=None,
        )

    async def _page(self, account: SearchAccount, search: Search, seconds: float) -> Page:
        page = await account.page(search.query, search.cursor, seconds)
        if search.name == "cashtag" and search.leaves_nothing(page):
            await account.prove(self._canary, seconds)
        return page

    # ------------------------------------------------------------ answers

    def _finish(self, task: _Task, job: _Job) -> None:
        account, harvest, search = job.account, job.harvest, job.search
        if search is not None:
            self._in_flight.discard(search)
        error = task.exception()
        if isinstance(error, Refusal):
            self._refused(account, error)
            if search is not None:
                search.refused(error, account.name, self._settings.live.x.attempts)
        elif error is not None:
            raise error
        elif harvest is not None and search is not None:
            page = task.result()
            assert page is not None
            account.answered_well()
            self._answered = True
            if page.hits:
                self._found = True
                self._suspects.clear()
            harvest.take(search, page)
        if harvest is not None:
            self._hand_over(harvest.due())

    def _refused(self, account: SearchAccount, refusal: Refusal) -> None:
        """Retire an account, or see that it is X that is broken: several say so, and none else."""
        account.refused(refusal)
        if not refusal.of_source:
            return
        self._suspects.append(account.name)
        usable = {one.name for one in self._accounts if one.usable}
        enough = self._settings.live.x.attempts
        names = sorted(set(self._suspects))
        everybody = len(names) >= enough or usable <= set(names)
        if refusal.scope == "outdated" or (everybody and len(self._suspects) >= enough):
            self.broken = f"{refusal} ({', '.join(names)})"

    def _hand_over(self, part: Fetched | None) -> None:
        if part is not None:
            self._emit(part)

    def _nobody_left(self) -> str:
        """Why no account can go on."""
        if all(account.retired is None for account in self._accounts):
            return "the accounts' searches of this window are spent"
        said = (
            f"{account.name} {account.health().reason or 'has no searches left'}"
            for account in self._accounts
        )
        return f"no account left: {', '.join(said)}"
