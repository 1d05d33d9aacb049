/* The session in figures, each with its course over the range. */
"use strict";

(() => {
  const { el, fill, byId, known, signed, count, dollars, percent, tone } = cashtag;

  /** A line of a few dozen values, gaps left open; decoration, so hidden from readers. */
  function spark(values, zero) {
    const found = values.filter(known);
    if (found.length < 2) return el("div", { cls: "spark" });
    let [low, high] = [Math.min(...found), Math.max(...found)];
    if (zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    if (low === high) [low, high] = [low - 1, high + 1];
    const x = (i) => (values.length < 2 ? 0 : (100 * i) / (values.length - 1)).toFixed(2);
    const y = (v) => (29 - (27 * (v - low)) / (high - low)).toFixed(2);
    let path = "";
    values.forEach((v, i) => {
      if (known(v)) path += `${i && known(values[i - 1]) ? "L" : "M"}${x(i)} ${y(v)}`;
    });
    const base = zero && low < 0 && high > 0 ? el("line", { cls: "base", x1: 0, x2: 100, y1: y(0), y2: y(0) }) : null;
    return el("svg", { cls: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" },
      base, el("path", { d: path }));
  }

  function card(title, value, note, { cls = "", values = null, zero = false } = {}) {
    return el("article", { cls: "card figure" },
      el("h3", {}, title), el("p", { cls: "value " + cls }, value), el("p", { cls: "note" }, note),
      values ? spark(values, zero) : null);
  }

  /** Equity of all accounts together per session of the page; null before the first. */
  function equity(s) {
    const lines = Object.values(cashtag.facts.equity);
    const rows = lines.map((line) => line.findLast(([at]) => at <= s)).filter(Boolean);
    if (!rows.length) return null;
    const held = rows.map(([at, now, before]) => [now, at === s ? before : now]);
    const at = Math.max(...rows.map((row) => row[0]));
    return { at, now: sum(held, 0), before: sum(held, 1), accounts: lines.length };
  }

  const sum = (rows, at) => rows.reduce((total, row) => total + (row[at] ?? 0), 0);

  function draw() {
    const { session } = cashtag.state;
    const span = cashtag.span();
    const days = span.map((s) => cashtag.market(s));
    const now = cashtag.market(session);
    const before = session > 0 ? cashtag.market(session - 1) : null;
    const change = known(now.mood) && before && known(before.mood) ? now.mood - before.mood : null;
    const money = equity(session);
    const gain = money && money.before ? money.now - money.before : null;
    fill(byId("cards"),
      card("Market mood", signed(now.mood), known(change)
        ? [el("span", { cls: tone(change) }, signed(change)), " vs previous session"]
        : ["no previous session"], { cls: tone(now.mood), values: days.map((d) => d.mood), zero: true }),
      card("Tweets scored", count(now.tweets), `${count(now.tickers)} ticker${now.tickers === 1 ? "" : "s"}`,
        { values: days.map((d) => d.tweets) }),
      card("Breadth", `${now.positive} / ${now.tickers}`, "tickers are positive",
        { values: days.map((d) => (d.tickers ? d.positive / d.tickers : null)) }),
      card("Biggest move", now.move ? now.move.ticker : cashtag.NONE, now.move
        ? [el("span", { cls: tone(now.move.change) }, signed(now.move.change)), " in one session"]
        : "no change can be told", { values: days.map((d) => d.move?.change ?? null), zero: true }),
      card(money?.accounts > 1 ? `Equity, ${money.accounts} accounts` : "Equity", money ? dollars(money.now, 0) : cashtag.NONE, money
        ? money.at < session
          ? `after the close of ${cashtag.facts.sessions[money.at].slice(5)}`
          : [el("span", { cls: tone(gain) }, known(gain) ? signed(gain, 0).replace(/^([+−]?)/, "$1$") : ""), " that session"]
        : "no account has traded", { values: span.map((s) => equity(s)?.now ?? null) }),
      card("Coverage", percent(now.coverage), now.partial
        ? el("span", { cls: "warn" }, "partial: no trading")
        : !known(now.coverage) ? "nothing was collected"
          : now.coverage < 1 ? `partial below ${percent(cashtag.facts.limits.partialBelow)}` : "all runs complete", { values: days.map((d) => d.coverage) }));
  }

  Object.assign(cashtag, { spark, card, drawCards: draw });
})();
