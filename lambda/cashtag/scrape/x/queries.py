"""The texts of the searches: a cashtag, the keywords of a watched stock, the canary.

`since_time:` is inclusive, `until_time:` exclusive, both in epoch seconds ("on or after", "before":
github.com/igorbrigadir/twitter-advanced-search); `since:` and `until:` would cut at midnight UTC.
So a run's searches hold exactly the hours before its cutoff, and a tweet at the cutoff is the next
run's. The same list says that `-filter:retweets` leaves out quote tweets as well.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cashtag.settings import Settings


def cashtag(settings: Settings, ticker: str, cutoff: datetime) -> str:
    """Search for a ticker's cashtag."""
    return _within(settings, f"${ticker}", cutoff)


def keywords(settings: Settings, ticker: str, cutoff: datetime) -> str | None:
    """Search for any of the first keywords of a watched stock; None where it has none.

    One search for all of them, of as many pages as there are keywords, costs what one page for
    each would cost, and no page repeats a tweet that names two of them.
    """
    stock = settings.watchlist.stocks.get(ticker)
    words = stock.keywords[: settings.scrape.watchlist_keyword_searches] if stock else []
    spelled = [_spelled(word) for word in words]
    if not spelled:
        return None
    return _within(settings, f"({' OR '.join(spelled)})", cutoff)


def canary(settings: Settings, cutoff: datetime) -> str:
    """Search for what somebody always writes about."""
    return _within(settings, settings.live.x.canary, cutoff)


def _spelled(word: str) -> str:
    """A keyword as a search takes it: a phrase, or a word that could be an operator, in quotes."""
    bare = word.replace('"', " ").strip()
    return bare if bare.isalnum() and bare not in ("OR", "AND", "NOT") else f'"{bare}"'


def _within(settings: Settings, what: str, cutoff: datetime) -> str:
    asked = settings.scrape
    since = cutoff - timedelta(hours=asked.lookback_hours)
    return (
        f"{what} lang:{asked.language} -filter:retweets"
        f" since_time:{int(since.timestamp())} until_time:{int(cutoff.timestamp())}"
    )
