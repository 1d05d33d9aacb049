"""A story of one ticker's session as a person reads it: top to bottom, from tweets to money."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cashtag.operate.explain import TWEETS_SHOWN, Story, reasons

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table


def show(story: Story, console: Console) -> None:
    """Print the story; tweets are text, never markup."""
    for part in _parts(story):
        console.print(part)


def _parts(story: Story) -> Iterator[RenderableType]:
    from rich.rule import Rule
    from rich.text import Text

    label = " [SYNTHETIC]" if any(t["source"] == "synthetic" for t in story.tweets) else ""
    yield Rule(Text(f"${story.ticker} in the session of {story.session}{label}"), align="left")
    yield Text("\n1 · What people said", style="bold")
    yield from _said(story)
    yield Text("\n2 · What it adds up to", style="bold")
    yield from _sums(story)
    yield Text("\n3 · The price, known before the session", style="bold")
    yield from _price(story)
    yield Text("\n4 · The signals", style="bold")
    yield from _signals(story)
    yield Text("\n5 · The gates", style="bold")
    yield from _gates(story)
    yield Text("\n6 · The order, and what became of it", style="bold")
    yield from _orders(story)


def _said(story: Story) -> Iterator[RenderableType]:
    from rich.text import Text

    if not story.tweets:
        yield Text("   no scored tweets in the window of this session")
        return
    table = _table("share", "polarity", "influence", "authentic", "echo", "tags", "tweet")
    for tweet in story.tweets[:TWEETS_SHOWN]:
        marks = [*tweet["flags"], *(["repeat"] if tweet["repeat"] else [])]
        head = f"@{tweet['author']} {tweet['created_at']:%m-%d %H:%M}Z"
        note = f"  ({', '.join(marks)})" if marks else ""
        table.add_row(
            f"{100 * (tweet['weight_share'] or 0):.0f} %",
            f"{tweet['polarity']:+.2f} {tweet['sentiment']}",
            f"{tweet['influence']:.2f}",
            f"{tweet['authenticity']:.2f}",
            f"{tweet['engagement_factor']:.2f}",
            str(len(tweet["cashtags"])),
            Text(f"{head}{note}: {_line(tweet['text'])}", overflow="fold"),
        )
    yield table
    rest = len(story.tweets) - TWEETS_SHOWN
    more = f" … and {rest} more with smaller weights." if rest > 0 else ""
    yield Text(
        "   weight = influence x authentic x echo x 2^(-age/half-life) / tags"
        f" (repeats and crowding authors count less).{more}"
    )


def _sums(story: Story) -> Iterator[RenderableType]:
    from rich.text import Text

    s = story.sentiment
    if s is None:
        yield Text("   nothing: no tweets")
        return
    lines = [
        f"{s['n_tweets']} tweets by {s['n_authors']} authors weigh as much as "
        f"{_n(s['n_effective'])} equal ones; {_pct(s['duplicate_share'])} are repeats, "
        f"{_pct(s['flagged_share'])} are flagged.",
        f"Polarity {_signed(s['polarity'])} ± {_n(s['se'])} "
        f"(unweighted {_signed(s['polarity_plain'])}; {_pct(s['share_positive'])} positive, "
        f"{_pct(s['share_negative'])} negative), scored by {s['model']}.",
    ]
    if s["polarity_change"] is None:
        lines.append(
            f"Change against {s['previous_session']}: unknown (before: "
            f"{_n(s['previous_n_effective'])} effective tweets; both sides need "
            f"{story.settings.for_environment(story.settings.signals.min_tweets):g})."
        )
    else:
        lines.append(
            f"Change against {s['previous_session']}: {_signed(s['previous_polarity'])} → "
            f"{_signed(s['polarity'])} = {_signed(s['polarity_change'])} ± {_n(s['change_se'])}."
        )
    if s["partial"]:
        lines.append(f"The session is PARTIAL (coverage {_pct(s['coverage'])}): it never trades.")
    yield Text("\n".join(f"   {line}" for line in lines))


def _price(story: Story) -> Iterator[RenderableType]:
    from rich.text import Text

    f = story.features
    if f is None:
        yield Text("   no bars: nothing is known of the price")
        return
    lines = [
        f"Last bar {f['last_session']}: close {_n(f['close'])} ({_n(f['change_percent'])} %), "
        f"SMA-20 {_n(f['sma20'])}, volume {_n(f['volume_ratio'])} x its mean, "
        f"ATR-14 {_n(f['atr14'])}.",
        f"Trend {f['trend_state']}, breakout {'yes' if f['breakout'] else 'no'}, "
        f"cross {f['cross'] or 'none'}; market regime allows x {_n(f['regime_multiplier'])}.",
    ]
    if f["cross_text"]:
        lines.append(f["cross_text"])
    yield Text("\n".join(f"   {line}" for line in lines))


def _signals(story: Story) -> Iterator[RenderableType]:
    from rich.text import Text

    for signal in story.signals:
        style = {"BUY": "bold green", "SELL": "bold red"}.get(signal["direction"], "bold")
        text = Text("   ")
        text.append(f"{signal['kind']}: {signal['direction']}", style=style)
        if signal["confidence"] is not None:
            text.append(f" with confidence {signal['confidence']:.3f}")
        text.append(f", as of {signal['as_of']:%Y-%m-%d %H:%M}Z")
        for reason in reasons(signal):
            text.append(f"\n     - {reason}")
        yield text


def _gates(story: Story) -> Iterator[RenderableType]:
    from rich.text import Text

    if not story.decisions:
        yield Text("   none spoke: no account had anything to decide here")
        return
    table = _table("phase", "account", "gate", "verdict", "saw", "limit", "reason")
    for row in story.decisions:
        style = {"block": "red", "error": "bold red"}.get(row["verdict"], "")
        table.add_row(
            row["phase"], row["account"], row["gate"], Text(row["verdict"], style=style),
            row["value"] or "", row["limit"] or "", Text(row["reason"], overflow="fold"),
        )  # fmt: skip
    yield table


def _orders(story: Story) -> Iterator[RenderableType]:
    from rich.text import Text

    if not story.trades:
        yield Text("   no order")
    for t in story.trades:
        fill = (
            f"filled {t['filled_quantity']:g} at {_n(t['filled_price'])}"
            if t["filled_price"] is not None
            else f"{t['status']}"
        )
        gain = f", realised {t['realised']:+,.2f} $" if t["realised"] is not None else ""
        yield Text(
            f"   [{t['mode'].upper()}] {t['direction']} {t['quantity']:g} {t['symbol']} "
            f"({t['leg']}, {t['reason']}): {fill}{gain}"
        )
    for p in story.positions:
        yield Text(
            f"   after the close: {p['quantity']:g} {p['symbol']} at {_n(p['average_price'])}, "
            f"worth {p['market_value']:,.2f} $, stop {_n(p['stop'])}, target {_n(p['target'])}"
        )


def _table(*names: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _line(text: str) -> str:
    """Text without what could steer a terminal; joiners hold an emoji together."""
    return "".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in text)


def _n(value: Any) -> str:
    return "unknown" if value is None else f"{value:,.2f}"


def _signed(value: Any) -> str:
    return "unknown" if value is None else f"{value:+.2f}"


def _pct(value: Any) -> str:
    return "unknown" if value is None else f"{100 * value:.0f} %"
