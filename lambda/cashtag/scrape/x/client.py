"""The client library as it is used here: one account, one page, every response seen.

Only what its request loop calls is overridden, so none of it is patched: a pool that hands out one
account once (no database, so no file with cookies), an account whose HTTP client tells what
passes through it, and a search that ends after its page. Imported inside functions only.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Protocol

from loguru import logger
from twscrape import http
from twscrape.account import Account
from twscrape.accounts_pool import AccountsPool
from twscrape.api import API
from twscrape.http import HttpClient, NetworkError, Response
from twscrape.queue_client import AbortReqError, XClIdGenStore

from cashtag.scrape.credentials import XAccount

# How often the library's curl client repeats a request that broke off, out of our sight.
CURL_REPEATS: int = http._CURL_MAX_RETRIES


def prepare(backend: str) -> None:
    """Choose the HTTP backend; no telemetry, nothing on standard error, no cookie in any log."""
    # It writes down response headers, and with them the cookies that X hands out.
    logging.getLogger("httpcore").setLevel(logging.INFO)
    os.environ["TWS_TELEMETRY"] = "0"
    os.environ["TWS_HTTP_BACKEND"] = backend
    logger.disable("twscrape")


class Watch(Protocol):
    """Who is told of every request of an account."""

    def permit(self) -> bool:
        """Whether one more request may be made; it is counted as made."""
        ...

    def answered(self, response: Response) -> None:
        """A response came."""
        ...

    def failed(self, error: Exception, repeated: int) -> None:
        """None came, though the backend repeated the request so many times."""
        ...


class WatchedClient(HttpClient):  # type: ignore[misc]
    """An HTTP client that tells of what passes through it, and stays open between pages."""

    def __init__(self, inner: HttpClient, own: dict[str, str], watch: Watch) -> None:
        self._inner = inner
        self._own = own
        self._watch = watch
        self.backend = inner.backend

    async def request(self, method: str, url: str, **kwargs: Any) -> Response:
        """Pass one request on, if it is permitted."""
        if not self._watch.permit():
            raise AbortReqError  # the library's own way of ending a search
        try:
            response = await self._inner.request(method, url, **kwargs)
        except Exception as error:
            again = isinstance(error, NetworkError) and self.backend == "curl"
            self._watch.failed(error, CURL_REPEATS if again else 0)
            raise
        self._watch.answered(response)
        return response

    async def aclose(self) -> None:
        """Stay open for the next page, with the account's own cookies and no others.

        X hands out a new ct0 now and then, which would no longer fit the header that repeats it.
        """
        self._inner.cookies.clear()
        self._inner.cookies.update(self._own)

    async def close(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    @property
    def cookies(self) -> Any:
        """The cookies of the client within."""
        return self._inner.cookies

    @property
    def headers(self) -> Any:
        """The headers of the client within."""
        return self._inner.headers


class Session(Account):  # type: ignore[misc]
    """An account as the library wants it, with one client for all of its pages."""

    def __init__(self, account: XAccount, watch: Watch) -> None:
        super().__init__(
            username=account.name,
            password="_",  # noqa: S106  the library's mark of an account that has only cookies
            email="_",
            email_password="_",  # noqa: S106
            user_agent="@chrome",
            active=True,
            cookies={"auth_token": account.auth_token, "ct0": account.ct0},
            proxy=account.proxy,
        )
        self._watch = watch
        self._client: WatchedClient | None = None

    def __repr__(self) -> str:
        return f"Session({self.username})"

    def make_client(self, proxy: str | None = None) -> HttpClient:
        """The account's client, made at its first page."""
        if self._client is None:
            self._client = WatchedClient(super().make_client(proxy), self.cookies, self._watch)
        return self._client

    async def close(self) -> None:
        """Close the client; the next page gets a new one."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def start(self) -> None:
        """Work out from X's home page how requests are signed (`x-client-transaction-id`).

        Raises:
            XClIdError: X shows another page than it shows to somebody logged in.
            HttpError: X cannot be reached, or refuses.
        """
        await XClIdGenStore.get(
            self.username, proxy=self.resolve_proxy(), cookies=self.cookies, fresh=True
        )

    def forget_signature(self) -> None:
        """Drop what `start` worked out: the library keeps it as long as the process lives."""
        XClIdGenStore.items.pop(self.username, None)


class _OneAccount(AccountsPool):  # type: ignore[misc]
    """A pool that gives its account once: which account goes on after a refusal is decided here."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session: Session | None = session

    async def get_for_queue_or_wait(self, queue: str) -> Session | None:
        session, self._session = self._session, None
        return session

    async def lock_until(self, *_: object, **__: object) -> None:
        """The library's own locks are not kept: the response was seen, and is judged."""

    async def unlock(self, *_: object, **__: object) -> None:
        """As `lock_until`."""

    async def mark_inactive(self, *_: object, **__: object) -> None:
        """As `lock_until`."""


class _OnePage(API):  # type: ignore[misc]
    """A search of one page, whether it holds tweets or not."""

    def _is_end(self, *args: Any, **kwargs: Any) -> tuple[Response | None, int, bool]:
        response, total, _ = super()._is_end(*args, **kwargs)
        return response, total, False


async def search(session: Session, query: str, variables: dict[str, Any]) -> None:
    """Ask for one page; what came was seen by the session's watch."""
    async for _ in _OnePage(_OneAccount(session)).search_raw(query, kv=variables):
        pass
