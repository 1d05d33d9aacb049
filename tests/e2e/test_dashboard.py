"""A person at the dashboard: a real Chromium opens the page from disk and clicks through it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from page_reader import (
    DESKTOP,
    PHONE,
    contrast,
    download,
    fixture,
    text,
    unreadable,
    wait_shown,
)

LAST = "2026-07-02"

pytestmark = pytest.mark.browser


def go_to_day(page: Any, condition: str) -> None:
    """Open the newest session whose day's facts fulfil a condition, as a shared address would."""
    session = page.evaluate(
        f"""async () => {{
          const {{ sessions, files }} = cashtag.facts;
          for (let s = sessions.length - 1; s >= 0; s--) {{
            const day = await cashtag.shard('days/' + sessions[s], files.days[s]);
            if (({condition})(day)) return sessions[s];
          }}
        }}"""
    )
    page.evaluate("session => { location.hash = '#session=' + session; }", session)
    page.wait_for_function("s => cashtag.facts.sessions[cashtag.state.session] === s", arg=session)


NEWS_OF_DAY = """() => {
  const session = cashtag.facts.sessions[cashtag.state.session];
  return Object.keys(cashtag.loaded.get('days/' + session).news)[0];
}"""


# ---------------------------------------------------------------- what stands there


def test_the_header_names_the_session_the_model_and_that_the_data_is_synthetic(visit: Any) -> None:
    page = visit()

    assert text(page, "#session-label") == "Thu 2 Jul 2026"
    assert "SYNTHETIC" in text(page, "#badges")
    assert "lexicon" in text(page, "#badges")
    assert "SYNTHETIC" in text(page, "#provenance")
    assert "not investment advice" in text(page, "footer")


def test_real_data_is_not_called_synthetic(visit: Any) -> None:
    page = visit("real")

    assert "SYNTHETIC" not in text(page, "body")


def test_the_cards_add_up_the_session(visit: Any) -> None:
    page = visit()

    cards = page.eval_on_selector_all(
        "#cards .figure", "all => all.map(c => [...c.children].map(n => n.textContent))"
    )
    tweets = page.eval_on_selector_all(
        "#board tbody tr", "rows => rows.reduce((n, r) => n + Number(r.cells[3].innerText), 0)"
    )
    assert cards[1][:2] == ["Tweets scored", str(tweets)]
    assert [card[0].split(",")[0] for card in cards] == [
        "Market mood", "Tweets scored", "Breadth", "Biggest move", "Equity", "Coverage",
    ]  # fmt: skip


def test_the_heatmap_has_a_row_per_ticker_and_a_column_per_session(visit: Any) -> None:
    page = visit()

    assert page.locator("#heat [role=rowheader]").count() == 8
    assert page.locator("#heat [role=gridcell]").count() == 8 * 45


def test_missing_near_zero_and_partial_look_different_from_each_other_and_from_the_card(
    visit: Any,
) -> None:
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme)
        looks = page.evaluate(
            """() => {
              const look = (kind) => getComputedStyle(document.querySelector('#legend .' + kind));
              const card = getComputedStyle(document.querySelector('.card')).backgroundColor;
              return [card, look('zero').backgroundColor, look('missing').backgroundColor,
                getComputedStyle(document.querySelector('#legend .partial'), '::after').backgroundImage];
            }"""
        )
        card, zero, missing, hatch = looks
        assert zero != card
        assert missing == "rgba(0, 0, 0, 0)"  # no fill at all, only a dot
        assert "repeating-linear-gradient" in hatch
        assert contrast(page, zero, card) > 1.2
    assert page.locator("#heat .cell.partial").count() > 0
    assert page.locator("#heat .cell.missing").count() > 0


# ---------------------------------------------------------------- clicking


def test_a_cell_opens_its_tweets_and_the_address_can_be_shared(visit: Any) -> None:
    page = visit()
    cell = page.locator("#heat [role=gridcell]", has_text="").nth(3 * 45 + 20)
    label = cell.get_attribute("aria-label")
    found = re.match(r"(\w+), .*?: [+−]?[\d.]+, (\d+) tweets", label)
    assert found is not None, label

    cell.click()
    wait_shown(page, found[1])

    assert text(page, "#tweets-hint").startswith(found[1])
    assert page.locator("#tweets .post").count() == int(found[2])
    assert page.input_value("#ticker") == found[1]
    shared = page.evaluate("location.hash")
    other = visit(hash=shared)
    assert text(other, "#tweets-hint") == text(page, "#tweets-hint")
    assert text(other, "#session-label") == text(page, "#session-label")
    assert other.evaluate("location.hash") == shared


def test_the_grid_is_walked_by_keyboard_and_enter_opens(visit: Any) -> None:
    page = visit(hash=f"#ticker=AMD&session={LAST}")
    page.focus("#heat-order")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "gridcell"
    start = page.evaluate("document.activeElement.ariaLabel")
    assert start.startswith("AMD, Thu 2 Jul 2026")

    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.ariaLabel").startswith("AAPL, Wed 1 Jul 2026")
    assert page.is_visible("#tip")
    page.keyboard.press("Enter")
    wait_shown(page, "AAPL")

    assert "session=2026-07-01" in page.evaluate("location.hash")
    assert page.evaluate("document.activeElement.id") == "tweets-title"
    assert page.locator("#heat [role=gridcell][tabindex='0']").count() == 1  # one stop for Tab


def test_home_and_end_reach_the_ends_of_a_row(visit: Any) -> None:
    page = visit()
    page.locator("#heat [role=gridcell]").nth(5).focus()
    page.keyboard.press("End")
    assert LAST[5:] in page.evaluate("document.querySelector('#heat .grid-label.on').innerText")
    assert "2 Jul 2026" in page.evaluate("document.activeElement.ariaLabel")
    page.keyboard.press("Home")
    assert "29 Apr 2026" in page.evaluate("document.activeElement.ariaLabel")


def test_another_ticker_changes_the_chart_and_the_tweets(visit: Any) -> None:
    page = visit(charts=True)
    page.wait_for_selector("#price[data-drawn=yes]")

    page.select_option("#ticker", "BA")
    wait_shown(page, "BA")

    assert text(page, "#price-title") == "BA"
    assert text(page, "#tweets-hint").startswith("BA")
    assert page.locator("#heat [role=rowheader].on").inner_text() == "BA"
    assert page.locator("#board tr.chosen").inner_text().startswith("BA")


def test_the_chart_shows_averages_crosses_and_our_trades(visit: Any) -> None:
    page = visit(charts=True)
    page.select_option("#range", "all")
    traded = page.eval_on_selector_all(
        "#trades tbody tr", "rows => rows.map(r => [r.cells[1].innerText, r.cells[2].innerText])"
    )
    side, ticker = traded[0]
    page.select_option("#ticker", ticker)
    page.wait_for_function(
        "t => document.querySelector('#price-title').textContent === t", arg=ticker
    )
    page.wait_for_function(
        "() => document.querySelector('#price').data?.some(t => t.name === 'Close')"
    )

    traces = page.evaluate(
        "Object.fromEntries(document.querySelector('#price').data.map(t => [t.name, t.x.length]))"
    )
    assert traces["Our " + side.split()[-1].lower()] > 0
    assert traces["Golden cross"] + traces["Death cross"] > 0
    assert traces["Close"] == traces["SMA-20"] == traces["Sentiment"] == traces["Tweets"] == 60


def test_a_column_sorts_both_ways_and_says_so(visit: Any) -> None:
    page = visit()
    head = page.locator("#board thead th", has_text="Tweets")
    values = "rows => rows.map(r => Number(r.cells[3].innerText))"

    head.get_by_role("button").click()
    down = page.eval_on_selector_all("#board tbody tr", values)
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    up = page.eval_on_selector_all("#board tbody tr", values)

    assert down == sorted(down, reverse=True)
    assert up == sorted(up)
    assert head.get_attribute("aria-sort") == "ascending"


def test_the_board_is_used_by_keyboard_and_keeps_the_focus(visit: Any) -> None:
    page = visit()
    page.locator("#board tbody tr").nth(2).get_by_role("button").focus()
    ticker = page.evaluate("document.activeElement.innerText")

    page.keyboard.press("Enter")
    wait_shown(page, ticker)

    assert page.evaluate("document.activeElement.innerText") == ticker
    assert page.input_value("#ticker") == ticker


def test_the_session_steps_back_and_to_the_newest_again(visit: Any) -> None:
    page = visit()
    page.click("#earlier")
    assert text(page, "#session-label") == "Wed 1 Jul 2026"
    assert text(page, "#board-hint") == "Wed 1 Jul 2026"
    page.click("#newest")
    assert text(page, "#session-label") == "Thu 2 Jul 2026"
    assert page.is_disabled("#later")


def test_the_range_changes_the_columns(visit: Any) -> None:
    page = visit()
    for value, columns in (("15", 15), ("45", 45), ("all", 60)):
        page.select_option("#range", value)
        assert page.locator("#heat [role=gridcell]").count() == 8 * columns
    assert page.locator("#range option").count() == 3  # no 120 of 60


def test_tweets_are_filtered_by_sentiment(visit: Any) -> None:
    page = visit()
    button = page.locator("#tweets-bar button", has_text="○")
    shown = int(button.inner_text().split()[1])

    button.click()

    assert page.locator("#tweets .post").count() == shown
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_theme_and_palette_change_the_colours_and_are_remembered(visit: Any) -> None:
    page = visit()
    body = "getComputedStyle(document.body).backgroundColor"
    cell = "getComputedStyle(document.querySelector('#heat .cell.up')).backgroundColor"
    light, blue = page.evaluate(body), page.evaluate(cell)

    page.select_option("#theme", "dark")
    page.select_option("#palette", "green-red")

    assert page.evaluate(body) != light
    assert page.evaluate(cell) != blue
    page.reload()
    page.wait_for_selector("html[data-ready=yes]")
    assert page.get_attribute("html", "data-theme") == "dark"
    assert page.get_attribute("html", "data-palette") == "green-red"


def test_auto_theme_follows_the_reader_and_the_default_palette_is_safe(visit: Any) -> None:
    page = visit(color_scheme="dark")

    assert page.get_attribute("html", "data-theme") == "dark"
    assert page.get_attribute("html", "data-palette") == "blue-orange"
    page.emulate_media(color_scheme="light")
    page.wait_for_selector("html[data-theme=light]")


def test_decisions_say_which_gate_blocked_and_show_all_gates(visit: Any) -> None:
    page = visit()
    go_to_day(page, "day => day.decisions.some(d => d.gates.some(g => g[3] === 'block'))")
    page.wait_for_selector("#decisions .why .verdict.block")
    page.locator("#decisions-bar button", has_text="blocked").click()
    first = page.locator("#decisions details").first

    assert "✕" in first.inner_text()
    first.locator("summary").click()

    assert first.locator("tbody tr").count() == 6
    assert first.locator("tbody tr.block td").last.inner_text()  # the reason, in words


def test_signals_carry_their_reasons(visit: Any) -> None:
    page = visit()
    page.locator("#signals details summary").click()

    assert "standard errors" in text(page, "#signals") or "Nothing fired" in text(page, "#signals")
    assert page.locator("#signals tbody tr").count() > 0


def test_coverage_names_the_partial_session(visit: Any) -> None:
    page = visit()

    assert text(page, "#coverage-hint").startswith("1 partial, 0 missing of 45")
    assert page.locator("#coverage tr", has_text="partial").count() == 1


# ---------------------------------------------------------------- files


def test_the_leaderboard_is_exported_as_it_is_sorted(visit: Any) -> None:
    page = visit()
    rows = download(page, lambda: page.click("#export"))

    assert rows[0][:3] == ["Ticker", "score", "change"]
    shown = page.eval_on_selector_all(
        "#board tbody tr", "all => all.map(r => r.cells[0].innerText)"
    )
    assert [row[0] for row in rows[1:]] == shown
    assert any(row[1].startswith("-") for row in rows[1:])  # negative numbers stay numbers
    assert all(float(row[1]) <= 1 for row in rows[1:])


def test_an_exported_tweet_cannot_start_a_formula(visit: Any) -> None:
    page = visit("hostile")
    rows = download(page, lambda: page.click("#tweets-export"))

    texts = [row[rows[0].index("text")] for row in rows[1:]]
    assert "'=cmd|' /C calc'!A0" in texts
    assert not any(t.startswith(("=", "+", "-", "@")) for t in texts)
    assert fixture.HOSTILE[0] in texts


# ---------------------------------------------------------------- hostile tweets


def test_hostile_tweets_stay_text(visit: Any) -> None:
    page = visit("hostile")

    assert page.evaluate("window.pwned") is None
    shown = page.eval_on_selector_all("#tweets .text", "all => all.map(p => p.textContent)")
    for hostile in fixture.HOSTILE:
        assert hostile in shown
    assert (
        page.locator("#tweets script, #tweets img, #tweets iframe, #tweets [onerror]").count() == 0
    )
    assert page.eval_on_selector_all(
        "#tweets .text", "all => all.every(p => p.childElementCount === 0)"
    )


def test_marks_that_reverse_text_stay_inside_their_tweet(visit: Any) -> None:
    page = visit("hostile")

    styles = page.eval_on_selector_all(
        "#tweets .text", "all => all.map(p => [p.dir, getComputedStyle(p).unicodeBidi])"
    )
    assert all(style == ["auto", "isolate"] for style in styles)


def test_a_word_of_ten_thousand_letters_does_not_widen_the_page(visit: Any) -> None:
    for size in (DESKTOP, PHONE):
        page = visit("hostile", **size)
        page.locator("#tweets button", has_text="show all").first.click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(
            "(() => { const t = document.querySelector('#tweets'); return t.scrollWidth <= t.clientWidth; })()"
        )


def test_only_addresses_of_x_become_links(visit: Any) -> None:
    page = visit("hostile")
    links = page.eval_on_selector_all("#tweets a", "all => all.map(a => [a.href, a.rel])")

    assert links
    for address, rel in links:
        assert address.startswith("https://x.com/")
        assert rel == "noopener noreferrer"
    assert page.locator("#tweets .post").count() > len(links)  # one says javascript:


def test_a_headline_with_markup_stays_text(visit: Any) -> None:
    page = visit()
    go_to_day(page, "day => Object.keys(day.news).length > 0")
    page.evaluate("ticker => cashtag.choose({ ticker })", page.evaluate(NEWS_OF_DAY))
    page.wait_for_selector("#headline:not([hidden])")

    assert "<b>shares</b>" in text(page, "#headline")


def test_an_inline_script_would_not_run(browser: Any, pages: Callable[[str], str]) -> None:
    page = browser.new_context().new_page()
    page.goto(pages("one"))
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.pwned = 1';"
        " document.body.append(s); }"
    )

    assert page.evaluate("window.pwned") is None
    page.context.close()


# ---------------------------------------------------------------- everybody


def test_a_phone_gets_wide_cells_beside_names_that_stay(visit: Any) -> None:
    page = visit(**PHONE)

    assert page.evaluate("document.documentElement.scrollWidth") == 390
    cell = page.locator("#heat .cell").first.bounding_box()
    assert cell["width"] >= 22
    assert cell["height"] >= 22
    tops = page.eval_on_selector_all("#cards .figure", "all => all.map(c => c.offsetTop)")
    assert tops[0] == tops[1] < tops[2]  # two a row
    name = "document.querySelector('#heat [role=rowheader]').getBoundingClientRect().left"
    before = page.evaluate(name)
    page.evaluate("document.querySelector('#heat .grid-scroll').scrollLeft = 300")
    assert page.evaluate(name) == before
    page.locator("#heat [role=gridcell]").nth(44).tap()
    wait_shown(page, "AAPL")
    page.wait_for_function(
        "() => document.querySelector('#tweets-card').getBoundingClientRect().top < innerHeight"
    )


def test_text_is_readable_in_every_theme_and_palette(visit: Any) -> None:
    page = visit()
    page.locator("#decisions details").first.evaluate("d => { d.open = true; }")
    assert unreadable(page) == {}


def test_every_control_has_a_name(visit: Any) -> None:
    page = visit()
    nameless = page.eval_on_selector_all(
        "button, select, a, [role=grid], [role=region]",
        """all => all.filter(n => !(n.ariaLabel || n.textContent.trim() || n.labels?.length))
             .map(n => n.outerHTML.slice(0, 80))""",
    )

    assert nameless == []


def test_the_keyboard_reaches_the_page_in_order_and_sees_where_it_is(visit: Any) -> None:
    page = visit()
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", seen

    assert seen[0] == "skip"
    assert seen[1:9] == [
        "tab-overview", "earlier", "range", "ticker", "theme", "palette", "export", "heat-order",
    ]  # fmt: skip
    assert "cell" in seen[9]


def test_an_empty_lake_says_what_to_do(visit: Any) -> None:
    page = visit("empty")

    assert "cashtag run" in text(page, "#message")
    assert page.is_disabled("#export")
    assert not page.is_visible("main")


def test_one_ticker_in_one_session_without_trades_is_a_page_too(visit: Any) -> None:
    page = visit("one", charts=True)

    assert page.locator("#heat [role=gridcell]").count() == 1
    assert page.locator("#tweets .post").count() == 3
    assert "no account has traded" in text(page, "#cards")
    page.locator("#equity").scroll_into_view_if_needed()
    page.wait_for_selector("#equity .empty")
    assert "No orders" in text(page, "#trades")
    assert "Nothing was up for a decision" in text(page, "#decisions")


def test_a_ticker_without_tweets_has_a_chart_and_the_grid_stays_reachable(visit: Any) -> None:
    page = visit(hash="#ticker=SPY", charts=True)
    page.wait_for_selector("#price[data-drawn=yes]")

    assert text(page, "#price-title") == "SPY"
    assert "No tweets of this ticker" in text(page, "#tweets")
    assert page.locator("#heat [role=gridcell][tabindex='0']").count() == 1


def test_an_address_that_names_what_is_not_there_opens_the_newest_session(visit: Any) -> None:
    page = visit(hash="#ticker=NOPE&session=1999-01-01&range=7")

    assert text(page, "#session-label") == "Thu 2 Jul 2026"
    assert date.fromisoformat(LAST).strftime("%b") in text(page, "#session-label")
