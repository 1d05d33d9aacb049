"""A person at the second tab: what its seven visuals count, what filters leave, what a click opens."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
from page_reader import (
    PHONE,
    contrast,
    download,
    fixture,
    text,
    unreadable,
)

from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract

pytestmark = pytest.mark.browser

ALL = "#reference&range=all"
Row = dict[str, Any]


@pytest.fixture(scope="module")
def posts(pages: Callable[[str], str]) -> list[Row]:
    """Every row of the table tweets of the lake behind the page `market`."""
    root = Path(unquote(urlparse(pages("market")).path)).parents[1]
    agreed = contract("tweets")
    prefix = layout.enriched("tweets", fixture.LAST).split("dt=")[0]
    return [
        row
        for path in sorted((root / "enriched" / prefix).rglob("*.parquet"))
        for row in parquet.read(agreed, path.read_bytes()).to_pylist()
    ]


def number(shown: str) -> int:
    return int(shown.replace(",", ""))


def labels(page: Any, selector: str) -> list[str]:
    found = page.eval_on_selector_all(f"{selector} [data-at]", "all => all.map(n => n.ariaLabel)")
    assert isinstance(found, list)
    return found


def refilter(page: Any, **choices: str) -> None:
    """Choose filters as a person does, and wait until everything is drawn again."""
    for name, value in choices.items():
        if name in {"from", "to"}:
            page.fill(f"#{name}", value)
            page.dispatch_event(f"#{name}", "change")
        else:
            page.select_option(f"#{name}", value)
        page.wait_for_function(
            "document.querySelector('#view-reference').dataset.shown === location.hash"
        )


# ---------------------------------------------------------------- the seven visuals


def expected(rows: list[Row]) -> dict[str, Any]:
    """The seven visuals by plain counting; every post of this lake is about one ticker."""
    per = defaultdict(list)
    for row in rows:
        per[row["ticker"]].append(row)
    users: Counter[str] = Counter()
    tops = {}
    for ticker, its in per.items():
        sums: Counter[str] = Counter()
        many: Counter[str] = Counter()
        for row in its:
            sums[row["author"]] += row["engagement"]
            many[row["author"]] += 1
            users[row["author"]] += row["engagement"]
        tops[ticker] = min(sums, key=lambda a: (-sums[a], -many[a], a))
        tops[ticker] = (tops[ticker], sums[tops[ticker]])
    return {
        "tiles": {t: (len(r), sum(x["engagement"] for x in r)) for t, r in per.items()},
        "mix": {t: Counter(x["sentiment"] for x in r) for t, r in per.items()},
        "hours": {t: Counter(x["hour_ny"] for x in r) for t, r in per.items()},
        "tops": tops,
        "totals": {n: sum(r[n] for r in rows) for n in ("likes", "retweets", "replies")},
        "donut": Counter(r["sentiment"] for r in rows),
        "authors": sorted(users.values(), reverse=True)[:15],
    }


def shown(page: Any) -> dict[str, Any]:
    """The seven visuals as a screen reader reads them."""
    tiles, mix = {}, {}
    for label in labels(page, "#treemap"):
        m = re.fullmatch(r"\$(\S+): ([\d,]+) tweets?, engagement ([\d,]+)", label)
        assert m is not None, label
        tiles[m[1]] = (number(m[2]), number(m[3]))
    for label in labels(page, "#mix"):
        parts = dict(re.findall(r"([\d,]+) (positive|neutral|negative)", label))
        ticker = label.split(":")[0].removeprefix("$")
        mix[ticker] = Counter({name: number(n) for n, name in _pairs(label)})
        assert parts
    hours: dict[str, Counter[int]] = defaultdict(Counter)
    for label in page.eval_on_selector_all("#hours .cell", "all => all.map(n => n.ariaLabel)"):
        m = re.fullmatch(r"\$(\S+), (\d\d):00 to \d\d:59 New York: ([\d,]+) tweets?", label)
        assert m is not None, label
        if number(m[3]):
            hours[m[1]][int(m[2])] = number(m[3])
    table = page.eval_on_selector_all(
        "#top-users tbody tr", "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
    )
    return {
        "tiles": tiles,
        "mix": mix,
        "hours": dict(hours),
        "tops": {t.removeprefix("$"): (author, number(n)) for t, author, n in table},
        "totals": {
            name: number(text(page, f"#total-{name}")) for name in ("likes", "retweets", "replies")
        },
        "donut": Counter(
            {label.split(":")[0]: number(label.split()[1]) for label in labels(page, "#donut")}
        ),
        "authors": [number(label.split(": ")[1].split()[0]) for label in labels(page, "#authors")],
    }


def _pairs(label: str) -> list[tuple[str, str]]:
    return [
        (n, name) for n, name in re.findall(r"([\d,]+) (positive|neutral|negative)", label)
        if number(n)
    ]  # fmt: skip


def test_the_seven_visuals_count_every_post_once_per_ticker(visit: Any, posts: list[Row]) -> None:
    page = visit(hash=ALL)

    assert len(posts) > 2000
    assert shown(page) == expected(posts)
    assert text(page, ".ring-total").endswith(f"{len(posts):,}")


def test_filters_of_days_ticker_and_sentiment_leave_what_they_say(
    visit: Any, posts: list[Row]
) -> None:
    page = visit(hash=ALL)

    refilter(page, **{"from": "2026-05-15", "to": "2026-06-10"})
    within = [r for r in posts if "2026-05-15" <= str(r["session"]) <= "2026-06-10"]
    assert 0 < len(within) < len(posts)
    assert shown(page) == expected(within)

    refilter(page, only="BA")
    assert shown(page) == expected([r for r in within if r["ticker"] == "BA"])

    refilter(page, label="negative")
    left = [r for r in within if r["ticker"] == "BA" and r["sentiment"] == "negative"]
    assert shown(page) == expected(left)

    page.click("#clear")
    page.wait_for_function("document.querySelectorAll('#treemap .tile').length === 8")
    assert shown(page) == expected(posts)


def test_the_range_is_that_of_the_overview(visit: Any, posts: list[Row]) -> None:
    page = visit(hash="#range=15")
    page.click("#tab-reference")
    page.wait_for_selector("#view-reference[data-shown]")
    last = sorted({r["session"] for r in posts})[-15:]

    assert shown(page) == expected([r for r in posts if r["session"] in last])
    assert page.input_value("#from") == str(last[0])


def test_a_first_day_after_the_last_takes_the_last_with_it(visit: Any) -> None:
    page = visit(hash=ALL)
    refilter(page, to="2026-05-20")
    refilter(page, **{"from": "2026-06-03"})

    assert page.input_value("#to") == "2026-06-03"
    assert "from=2026-06-03&to=2026-06-03" in page.evaluate("location.hash")
    assert page.locator("#range option:checked").inner_text() == "chosen days"
    refilter(page, range="15")
    assert page.evaluate("location.hash") == "#reference&range=15"
    assert page.locator("#range option:checked").inner_text() == "15 sessions"


def test_days_without_posts_say_so_in_every_visual(visit: Any) -> None:
    page = visit(hash="#reference&from=2019-01-01&to=2019-01-02")

    for part in ("treemap", "mix", "hours", "top-users", "donut", "authors"):
        assert "No tweets pass these filters" in text(page, f"#{part}"), part


# A month with posts about two tickers: p1 about A and B, p2 about A, p3 about B twice labelled.
SHARED = """() => {
  Object.assign(cashtag.state, { only: ONLY, label: LABEL, from: null, to: null, range: 'all' });
  const [session] = cashtag.facts.sessions.slice(-1);
  const month = { sessions: [session], sizes: [5], tickers: ['A', 'B'], authors: ['ann', 'bob'],
    t: [0, 1, 0, 0, 1], a: [0, 0, 1, 0, 0], h: [8, 8, 9, 10, 10], l: [0, 0, 1, 0, 2], again: [1, 4],
    likes: [10, 10, 1, 4, 4], retweets: null, replies: [0, 0, 0, 1, 1], engagement: [10, 10, 1, 5, 5] };
  const sums = cashtag.tally([month]);
  return { n: sums.total.n, likes: sums.total.likes, labels: sums.total.labels,
    users: sums.users.map(u => [u.author, u.n, u.engagement]),
    tickers: sums.tickers.map(t => [t.ticker, t.n, t.engagement, t.top.author]) };
}"""


def test_a_post_about_two_tickers_stands_in_both_and_counts_once_in_totals(visit: Any) -> None:
    page = visit(hash=ALL)

    def tally(only: str = "null", label: str = "null") -> Any:
        return page.evaluate(SHARED.replace("ONLY", only).replace("LABEL", label))

    assert tally() == {
        "n": 3,
        "likes": 15,  # 10 + 1 + 4
        "labels": [2, 1, 1, 0],  # the third post is positive about A and negative about B
        "users": [["ann", 2, 15], ["bob", 1, 1]],
        "tickers": [["A", 3, 16, "ann"], ["B", 2, 15, "ann"]],
    }
    assert tally(only="'B'")["likes"] == 14
    assert tally(label="'negative'") == {
        "n": 1, "likes": 4, "labels": [0, 0, 1, 0], "users": [["ann", 1, 5]],
        "tickers": [["B", 1, 5, "ann"]],
    }  # fmt: skip


def test_a_source_without_counts_has_no_totals_and_its_users_are_told_by_tweets(visit: Any) -> None:
    page = visit("uncounted", hash=ALL)

    for name in ("likes", "retweets", "replies"):
        assert text(page, f"#total-{name}") == "–"
    assert "counts no engagement" in text(page, "#authors-hint")
    assert all("not counted" in label for label in labels(page, "#treemap"))
    assert all(label.endswith(" tweets") for label in labels(page, "#authors"))


def test_areas_of_the_treemap_are_proportional_and_fill_the_room(visit: Any) -> None:
    page = visit(hash=ALL)
    sizes = [50, 30, 10, 5, 3, 1, 1]

    boxes = page.evaluate("sizes => cashtag.squarify(sizes, 200, 100)", sizes)

    for size, (_, _, w, h) in zip(sizes, boxes, strict=True):
        assert w * h == pytest.approx(200 * size)
        assert 1 / 5 < w / h < 5  # no slivers
    assert max(x + w for x, _, w, _ in boxes) == pytest.approx(200)
    assert max(y + h for _, y, _, h in boxes) == pytest.approx(100)


# ---------------------------------------------------------------- the address and the tabs


def test_the_tab_has_an_address_and_the_address_opens_the_tab(visit: Any) -> None:
    page = visit()
    page.click("#tab-reference")
    page.wait_for_selector("#view-reference[data-shown]")
    refilter(page, only="AMD", label="positive")

    shared = page.evaluate("location.hash")
    other = visit(hash=shared)

    assert shared == "#reference&range=45&only=AMD&label=positive"
    assert shown(other) == shown(page)
    assert other.input_value("#only") == "AMD"
    assert not other.is_visible("#heat")
    assert other.evaluate("scrollY") == 0


def test_the_bare_address_is_enough(visit: Any) -> None:
    page = visit(hash="#reference")

    assert page.get_attribute("#tab-reference", "aria-selected") == "true"
    assert page.is_visible("#treemap .tile")


def test_what_an_address_names_and_the_page_lacks_is_ignored(visit: Any, posts: list[Row]) -> None:
    page = visit(hash="#reference&range=all&only=NOPE&label=angry&from=yesterday")

    assert shown(page) == expected(posts)


def test_arrows_change_the_tab_and_only_the_chosen_one_is_a_stop(visit: Any) -> None:
    page = visit()
    page.focus("#tab-overview")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#view-reference[data-shown]")

    assert page.evaluate("document.activeElement.id") == "tab-reference"
    assert page.locator("[role=tab][tabindex='0']").count() == 1
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#heat")
    assert page.evaluate("location.hash").startswith("#ticker=")


def test_charts_of_the_overview_fit_after_another_theme_was_chosen_beside_them(visit: Any) -> None:
    page = visit(charts=True)
    page.wait_for_selector("#price[data-drawn=yes]")
    page.click("#tab-reference")
    page.wait_for_selector("#view-reference[data-shown]")
    page.select_option("#theme", "dark")
    page.click("#tab-overview")

    page.wait_for_function(
        "() => { const n = document.querySelector('#price'); const s = n.querySelector('.main-svg');"
        " return s && Math.abs(s.getBoundingClientRect().width - n.clientWidth) < 2; }"
    )
    assert page.locator("#heat [role=gridcell]").count() == 8 * 45


def test_the_tab_loads_no_month_outside_its_days_and_the_overview_none(visit: Any) -> None:
    page = visit()
    loaded = "[...cashtag.loaded.keys()].filter(k => k.startsWith('posts/')).sort()"
    assert page.evaluate(loaded) == []

    page.evaluate("location.hash = '#reference&from=2026-06-01&to=2026-06-30'")
    page.wait_for_selector("#view-reference[data-shown]")

    assert page.evaluate(loaded) == ["posts/2026-06"]


def test_synthetic_data_is_called_so_on_this_tab_too(visit: Any) -> None:
    page = visit(hash=ALL)

    assert "SYNTHETIC" in text(page, "#badges")
    assert "SYNTHETIC" in text(page, "#provenance")


# ---------------------------------------------------------------- reading the tweets behind a figure


def posts_of(page: Any) -> list[str]:
    page.wait_for_selector("#drill[data-shown]")
    found = page.eval_on_selector_all("#drill .post", "all => all.map(n => n.innerText)")
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("size", [(1512, 900), (760, 900), (390, 844)])
def test_no_word_of_a_tile_is_cut(visit: Any, size: tuple[int, int]) -> None:
    page = visit(hash=ALL, viewport={"width": size[0], "height": size[1]})
    page.wait_for_selector("#treemap .tile")
    cut = page.evaluate(
        """() => [...document.querySelectorAll('#treemap .tile span')].filter(word => {
          const [own, tile] = [word, word.closest('.tile')].map(n => n.getBoundingClientRect());
          return own.right > tile.right || own.bottom > tile.bottom;
        }).map(word => word.textContent)"""
    )
    assert cut == []
    assert page.locator("#treemap .tile span").count() >= 2


def test_a_tile_opens_the_tickers_tweets_the_most_engaged_first(
    visit: Any, posts: list[Row]
) -> None:
    page = visit(hash=ALL)
    tile = page.locator("#treemap .tile").first
    ticker = tile.get_attribute("aria-label").split(":")[0].removeprefix("$")
    its = sorted((r for r in posts if r["ticker"] == ticker), key=lambda r: -r["engagement"])

    tile.click()

    found = posts_of(page)
    assert len(found) == 20
    assert text(page, "#drill-hint").startswith(f"{len(its)} tweets")
    assert its[0]["text"] in found[0]
    assert f"@{its[0]['author']}" in found[0]
    page.click("#drill-posts button.small")
    page.wait_for_selector("#drill[data-shown='40']")
    assert page.locator("#drill .post").count() == 40


def test_escape_closes_and_the_focus_returns_to_the_mark(visit: Any) -> None:
    page = visit(hash=ALL)
    page.locator("#mix .stack-bar").nth(0).focus()
    page.keyboard.press("ArrowRight")
    held = page.evaluate("document.activeElement.ariaLabel")
    page.keyboard.press("Enter")
    posts_of(page)
    assert page.evaluate("document.activeElement.id") == "drill-title"

    page.keyboard.press("Escape")

    assert not page.is_visible("#drill")
    assert page.evaluate("document.activeElement.ariaLabel") == held


def test_a_part_of_a_bar_opens_its_sentiment_and_the_panel_can_change_it(
    visit: Any, posts: list[Row]
) -> None:
    page = visit(hash=ALL)
    page.locator("#mix .stack-bar").first.locator("i.negative").click()
    posts_of(page)
    ticker = text(page, "#drill-title").split(" · ")[0].removeprefix("$")
    mine = Counter(r["sentiment"] for r in posts if r["ticker"] == ticker)

    assert "negative" in text(page, "#drill-title")
    assert text(page, "#drill-hint").startswith(f"{mine['negative']} tweets")
    page.locator("#drill-bar button", has_text="positive").click()
    assert text(page, "#drill-hint").startswith(f"{mine['positive']} tweets")


def test_an_hour_a_user_a_share_and_a_total_open_their_tweets(visit: Any, posts: list[Row]) -> None:
    page = visit(hash=ALL)

    def opened(locator: Any) -> str:
        locator.click()
        posts_of(page)
        hint = text(page, "#drill-hint")
        page.click("#drill-close")
        return hint.split(" tweet")[0]

    cell = page.locator("#hours .cell.seq:not([aria-label$=' 0 tweets'])").nth(30)
    want = cell.get_attribute("aria-label").split(": ")[1].split()[0]
    assert opened(cell) == want
    user = labels(page, "#authors")[0].split(":")[0]
    many = sum(r["author"] == user for r in posts)
    assert opened(page.locator("#authors .lying-bar").first) == f"{many}"
    neutral = sum(r["sentiment"] == "neutral" for r in posts)
    assert opened(page.locator("#donut button", has_text="neutral")) == f"{neutral:,}"
    page.locator("#total-likes button").click()
    assert f"♥ {max(r['likes'] for r in posts):,}" in posts_of(page)[0]
    page.click("#drill-close")
    row = page.locator("#top-users tbody tr").first
    ticker, author, _ = row.evaluate("r => [...r.cells].map(c => c.textContent)")
    mine = sum(r["author"] == author and f"${r['ticker']}" == ticker for r in posts)
    assert opened(row.get_by_role("button")) == f"{mine}"


def test_the_panel_filters_the_page_and_leads_to_the_overview(visit: Any) -> None:
    page = visit(hash=ALL)
    page.locator("#treemap .tile").nth(2).click()
    posts_of(page)
    ticker = text(page, "#drill-title").removeprefix("$")
    page.locator("#drill-bar button", has_text="Filter by").click()
    page.wait_for_function("document.querySelectorAll('#treemap .tile').length === 1")
    assert page.input_value("#only") == ticker

    page.locator("#treemap .tile").click()
    page.locator("#drill-bar button", has_text="overview").click()

    assert page.is_visible("#heat")
    assert page.input_value("#ticker") == ticker


def test_a_post_that_the_page_only_counts_says_so(visit: Any) -> None:
    page = visit(hash=ALL)
    page.evaluate("cashtag.facts.files.tweets.fill(null)")
    page.locator("#treemap .tile").first.click()

    assert "this one is counted only" in posts_of(page)[0]


def test_hostile_names_and_texts_stay_text(visit: Any) -> None:
    page = visit("hostile", hash=ALL)
    name = fixture.HOSTILE[1]
    assert any(label.startswith(name) for label in labels(page, "#authors"))

    page.locator("#authors .lying-bar").first.hover()
    page.locator("#treemap .tile").first.click()
    found = posts_of(page)

    assert page.evaluate("window.pwned") is None
    assert any(fixture.HOSTILE[0] in post for post in found)
    assert any("@" + name in post for post in found)
    planted = "#view-reference, #drill, #tip"
    for part in planted.split(", "):
        assert page.locator(f"{part} img, {part} script, {part} [onerror]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "(() => { const n = document.querySelector('#drill-posts'); return n.scrollWidth <= n.clientWidth; })()"
    )


def test_what_is_counted_is_exported_per_ticker(visit: Any, posts: list[Row]) -> None:
    page = visit(hash=ALL)
    rows = download(page, lambda: page.click("#export-reference"))

    assert rows[0][:3] == ["ticker", "tweets", "positive"]
    counted = Counter(r["ticker"] for r in posts)
    assert {row[0]: int(row[1]) for row in rows[1:]} == counted


# ---------------------------------------------------------------- everybody


def test_each_visual_is_one_stop_that_arrows_walk(visit: Any) -> None:
    page = visit(hash=ALL)
    for part in ("treemap", "mix", "donut", "authors"):
        assert page.locator(f"#{part} [data-at][tabindex='0']").count() == 1, part
        assert page.locator(f"#{part} [role=group]").count() or page.get_attribute(
            f"#{part}", "role"
        )
    page.locator("#treemap .tile").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.at") == "1"
    assert page.is_visible("#tip")
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.dataset.at") == "7"
    page.keyboard.press("Escape")
    assert not page.is_visible("#tip")
    assert page.locator("#hours [role=gridcell][tabindex='0']").count() == 1


def test_every_control_of_the_tab_has_a_name(visit: Any) -> None:
    page = visit(hash=ALL)
    page.locator("#treemap .tile").first.click()
    posts_of(page)
    nameless = page.eval_on_selector_all(
        "button, select, input, a, dialog, [role=grid], [role=region], [role=group], [role=tabpanel]",
        """all => all.filter(n => !(n.ariaLabel || n.textContent.trim() || n.labels?.length
             || n.getAttribute('aria-labelledby'))).map(n => n.outerHTML.slice(0, 80))""",
    )

    assert nameless == []


def test_text_is_readable_in_every_theme_and_palette(visit: Any) -> None:
    page = visit(hash=ALL)
    assert unreadable(page) == {}


def test_marks_stand_out_from_the_card_in_both_themes(visit: Any) -> None:
    for scheme in ("light", "dark"):
        page = visit(hash=ALL, color_scheme=scheme)
        look = "n => getComputedStyle(n).backgroundColor"
        card = page.eval_on_selector(".reference .card", look)
        for kind in ("positive", "neutral", "negative"):
            mark = page.eval_on_selector(f"#mix i.{kind}", look)
            assert contrast(page, mark, card) >= 3, (scheme, kind)  # WCAG 2.2, 1.4.11


def test_a_phone_shows_one_visual_under_the_other_and_the_panel_as_a_sheet(visit: Any) -> None:
    page = visit(hash=ALL, **PHONE)

    assert page.evaluate("document.documentElement.scrollWidth") == 390
    lefts = page.eval_on_selector_all(
        "#treemap, #mix, #donut, #hours, #authors, #top-users",
        "all => all.map(n => Math.round(n.getBoundingClientRect().left))",
    )
    assert len(set(lefts)) == 1
    cell = page.locator("#hours .cell").first.bounding_box()
    assert cell["width"] >= 24
    assert cell["height"] >= 24
    page.locator("#treemap .tile").first.tap()
    posts_of(page)
    sheet = page.locator("#drill").bounding_box()
    assert sheet["width"] == 390
    assert sheet["y"] + sheet["height"] == pytest.approx(844, abs=1)


def test_one_ticker_in_one_session_is_a_tab_too(visit: Any) -> None:
    page = visit("one", hash="#reference")

    assert page.locator("#treemap .tile").count() == 1
    assert page.locator("#hours .cell").count() == 24
