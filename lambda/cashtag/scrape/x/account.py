"""One X account at work: its searches, its budget, and how it came through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cashtag.ports import SourceHealth
from cashtag.redaction import redacted, remember
from cashtag.scrape.credentials import XAccount
from cashtag.scrape.x import refusals
from cashtag.scrape.x.budget import Budget
from cashtag.scrape.x.pages import Page, read
from cashtag.scrape.x.refusals import Refusal
from cashtag.settings import Settings

if TYPE_CHECKING:
    from cashtag.scrape.x.client import Session


class SearchAccount:
    """Searches by the cookies of one account, one request at a time.

    `searches` counts what went to X; `failures` counts refusals in a row. `retired` says why it is
    of no more use today. Nothing of it shows a cookie or a proxy.
    """

    def __init__(self, account: XAccount, settings: Settings) -> None:
        remember(account.auth_token, account.ct0, account.proxy)
        self.name = account.name
        self.searches = 0
        self.last_used = 0.0
        self.started = False
        self.failures = 0
        self.refusal: Refusal | None = None
        self.retired: str | None = None
        self.rests_until = 0.0
        self._account = account
        self._settings = settings
        asked = settings.scrape
        self._budget = Budget(asked.searches_per_account, asked.search_window_minutes)
        self._session: Session | None = None
        self._answer: refusals.Answer | None = None
        self._trouble: str | None = None
        self._denied = False
        self._before = 0

    def __repr__(self) -> str:
        return f"SearchAccount({self.name})"

    @property
    def left(self) -> int:
        """Searches that it may still make now."""
        return 0 if self.retired else self._budget.left

    @property
    def rest(self) -> float:
        """Seconds that it still rests."""
        return max(0.0, self.rests_until - time.monotonic())

    @property
    def usable(self) -> bool:
        """Whether a search may go to it, once it is idle."""
        return self.retired is None and self._budget.left > 0

    def begin(self) -> None:
        """Count requests anew, for another scrape; budget and retirement stay."""
        self._before = self.searches

    # ------------------------------------------------------------ what it does

    async def start(self, seconds: float) -> None:
        """Open a session and learn how to sign requests; several requests, none of the budget.

        Raises:
            Refusal: X does not know the account, cannot be reached, or its page has changed.
        """
        from twscrape.http import HttpStatusError
        from twscrape.xclid import (
            XClIdAccountError,
            XClIdParseError,
        )

        from cashtag.scrape.x.client import Session

        await self.close()
        self._session = session = Session(self._account, self)
        try:
            await _within(seconds, session.start())
        except XClIdAccountError as error:
            raise Refusal("logged out; renew both cookies", "account") from error
        except XClIdParseError as error:
            why = redacted(str(error)).split(" Enable ")[0]
            raise Refusal(
                f"X's home page has changed ({why}); upgrade twscrape", "source"
            ) from error
        except HttpStatusError as error:
            said = refusals.answer(error.response)
            known = refusals.refusal(said)
            raise known or Refusal(f"X failed ({said.status})", "page") from error
        except Refusal:
            raise
        except Exception as error:
            raise _unreachable(error, "X's home page cannot be read; upgrade twscrape") from error
        self.started = True

    async def page(self, query: str, cursor: str | None, seconds: float) -> Page:
        """Ask for one page of a search, the first or the one at `cursor`.

        The client library may repeat the request (a new signature after 404, waiting when X is
        overloaded); all of it ends within `seconds`, and each repetition is of the budget.

        Raises:
            Refusal: X refused, or did not answer.
        """
        from cashtag.scrape.x import client

        assert self._session is not None, "start it first"
        asked = self._settings.scrape
        variables: dict[str, Any] = {"product": asked.product, "count": asked.tweets_per_page}
        if cursor is not None:
            variables["cursor"] = cursor
        self._answer = self._trouble = None
        self._denied = False
        try:
            await _within(seconds, client.search(self._session, query, variables))
        except Refusal as late:
            raise self._verdict() or late from late
        except Exception as error:
            why = f"twscrape failed ({type(error).__name__})"
            raise self._verdict() or Refusal(why, "source") from error
        refusal = self._verdict()
        if refusal is not None:
            raise refusal
        if self._answer is None:
            raise Refusal("twscrape gave up without asking X", "page")
        return read(self._answer.body, query, datetime.now(UTC))

    async def prove(self, query: str, seconds: float) -> None:
        """Ask for what is always there, before something is believed not to be there.

        Raises:
            Refusal: it found nothing either, or X refused.
        """
        if not (await self.page(query, None, seconds)).hits:
            canary = self._settings.live.x.canary
            raise Refusal(f"the canary found nothing either ({canary})", "blind")

    async def close(self) -> None:
        """Close its connections and forget its signature."""
        session, self._session, self.started = self._session, None, False
        if session is not None:
            session.forget_signature()
            await session.close()

    # ------------------------------------------------------------ how it came through

    def answered_well(self) -> None:
        """A page came."""
        self.failures = 0
        self.refusal = None

    def refused(self, refusal: Refusal) -> None:
        """Take note of a refusal; some retire the account, and so do several in a row."""
        if self._answer is None and refusal.scope == "budget":
            return  # its budget is spent, as it should be in the end
        self.refusal = refusal
        if refusal.scope == "budget" and self._answer is not None:
            self._budget.exhaust(self._answer.reset)
            return
        self.failures += 1
        if refusal.scope == "page":  # X may be itself again in a moment
            pause = self._settings.live.x.rest_seconds * self.failures
            self.rests_until = time.monotonic() + pause
        if refusal.retires:
            self.retired = str(refusal)
        elif self.failures >= self._settings.live.x.attempts:
            self.retired = f"{self.failures} refusals in a row, the last: {refusal}"
        if refusal.of_source:
            self.started = False  # another session, another signature

    def health(self) -> SourceHealth:
        """How it came through, without a credential."""
        why = self.retired or (str(self.refusal) if self.refusal else None)
        made = self.searches - self._before
        return SourceHealth(f"x/{self.name}", "refused" if why else "ok", why, made, self.left)

    # ------------------------------------------------------------ what it sees (client.Watch)

    def permit(self) -> bool:
        """Count one request, if the budget has one."""
        if not self._budget.left:
            self._denied = True
            return False
        self._budget.spend()
        self.searches += 1
        self.last_used = time.monotonic()
        self._answer = self._trouble = None
        return True

    def answered(self, response: Any) -> None:
        """Keep what came."""
        self._answer = refusals.answer(response)
        self._budget.told(self._answer.remaining, self._answer.reset)

    def failed(self, error: Exception, repeated: int) -> None:
        """Keep why nothing came; the backend had repeated the request so many times."""
        self._trouble = type(error).__name__
        self._budget.spend(repeated)
        self.searches += repeated

    def _verdict(self) -> Refusal | None:
        """What X refused with, by what was seen last; None for a page, and when nothing was."""
        if self._answer is not None:
            return refusals.refusal(self._answer)
        if self._trouble is not None:
            return Refusal(f"no answer from X ({self._trouble})", "source")
        if self._denied:
            return Refusal("its searches of this window are spent", "budget")
        return None


async def _within(seconds: float, work: Awaitable[None]) -> None:
    """Bound a call into the library, whatever it waits for.

    Raises:
        Refusal: the time is over.
    """
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError as error:
        raise Refusal(f"no answer from X within {seconds:.3g} s", "source") from error


def _unreachable(error: Exception, otherwise: str) -> Refusal:
    """A refusal for an error of the network, or `otherwise` for one of any other kind."""
    import httpx
    from twscrape.http import HttpError

    if isinstance(error, (HttpError, httpx.HTTPError, OSError)):
        return Refusal(f"no answer from X ({type(error).__name__})", "source")
    return Refusal(f"{otherwise} ({type(error).__name__})", "source")
