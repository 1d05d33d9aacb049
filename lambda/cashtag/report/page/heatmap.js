/* Sentiment by ticker and session: the page's map, from which every cell opens its tweets. */
"use strict";

(() => {
  const { el, fill, byId, known, signed, count, day, tone } = cashtag;
  const MANY = 40; // rows; beyond them the most discussed are shown first
  let order = "name";
  let everything = false;
  let drawn = null;

  function rows(span) {
    const { talked, tickers, get } = cashtag.facts;
    const total = (t) => span.reduce((n, s) => n + (get("n", t, s) ?? 0), 0);
    let found = talked.filter((t) => total(t) > 0);
    const spare = found.length > MANY && !everything;
    if (spare) {
      const kept = new Set([...found].sort((a, b) => total(b) - total(a)).slice(0, MANY));
      found = found.filter((t) => kept.has(t));
    }
    const { session } = cashtag.state;
    const polarity = (t) => get("polarity", t, session) ?? -2;
    if (order === "polarity") found.sort((a, b) => polarity(b) - polarity(a));
    else if (order === "n") found.sort((a, b) => total(b) - total(a));
    else found.sort((a, b) => (tickers[a] < tickers[b] ? -1 : 1));
    return { found, spare };
  }

  function draw() {
    const { facts, state } = cashtag;
    const span = cashtag.span();
    const { found, spare } = rows(span);
    if (!found.length) return fill(byId("heat"), cashtag.empty("No tweets were scored in these sessions."));
    const full = cashtag.domain(found.flatMap((t) => span.map((s) => facts.polarity(t, s))));
    drawn = { found, span };
    drawn.grid = cashtag.grid(byId("heat"), {
      label: "Sentiment by ticker and session", height: 440,
      rows: found.map((t) => ({ label: facts.tickers[t], title: facts.names[facts.tickers[t]] })),
      columns: span.map((s) => ({ label: facts.sessions[s].slice(5) })),
      selected: place(),
      cell: (r, c) => shade(found[r], span[c], full),
      tip: (r, c) => tip(found[r], span[c]),
      open: (r, c) => {
        cashtag.choose({ ticker: facts.tickers[found[r]], session: span[c] });
        cashtag.showTweets();
      },
    });
    if (spare) {
      byId("heat").append(el("button", { type: "button", cls: "small", onclick: () => { everything = true; draw(); } },
        `Show all ${facts.talked.length} tickers`));
    }
    legend(full);
    return null;
  }

  const place = () => [
    drawn.found.indexOf(cashtag.facts.ofTicker.get(cashtag.state.ticker)),
    drawn.span.indexOf(cashtag.state.session),
  ];

  function shade(t, s, full) {
    const { facts } = cashtag;
    const value = facts.polarity(t, s);
    const text = `${facts.tickers[t]}, ${day(facts.sessions[s])}: `;
    if (!known(value)) return { level: null, text: text + "no tweets" };
    const n = facts.get("n", t, s);
    const partial = facts.get("partial", t, s) === 1;
    const level = Math.sign(value) * cashtag.strength(value, full);
    return { level, partial, text: `${text}${signed(value)}, ${n} tweets${partial ? ", partial day" : ""}` };
  }

  function tip(t, s) {
    const { facts } = cashtag;
    const cell = cashtag.cell(t, s);
    const name = facts.names[facts.tickers[t]];
    const lines = [el("p", { cls: "tip-title" }, el("strong", {}, facts.tickers[t]), name ? " " + name : "", el("br"), day(facts.sessions[s]))];
    if (!cell || !known(cell.polarity)) return [...lines, el("p", {}, "no tweets")];
    const fact = (label, value, cls) => [el("dt", {}, label), el("dd", { cls: cls ?? "" }, value)];
    lines.push(el("dl", {},
      fact("sentiment", signed(cell.polarity), tone(cell.polarity)),
      fact("change", known(cell.change) ? signed(cell.change) : "too few to tell", tone(cell.change)),
      fact("tweets", `${count(cell.n)} (effective ${known(cell.effective) ? cell.effective.toFixed(1) : cashtag.NONE})`),
      fact("price before", known(cell.price) ? signed(cell.price, 1) + "%" : cashtag.NONE, tone(cell.price))));
    if (cell.partial === 1) lines.push(el("p", { cls: "warn" }, "partial: a run is missing or incomplete"));
    return lines;
  }

  /** The scale, and how missing, near zero and partial look. */
  function legend(full) {
    const steps = Array.from({ length: 21 }, (_, i) => (i - 10) / 10);
    const sample = (kind, text) => el("span", { cls: "sample" }, el("i", { cls: "cell " + kind }), text);
    fill(byId("legend"),
      el("span", { cls: "scale" }, el("span", {}, `bearish ${signed(-full, 1)}`),
        el("span", { cls: "ramp", "aria-hidden": "true" }, steps.map((step) => el("i", {
          cls: "cell " + (step > 0 ? "up" : step < 0 ? "down" : "zero"),
          "--p": (100 * cashtag.strength(step, 1)).toFixed(1) + "%",
        }))), el("span", {}, `${signed(full, 1)} bullish`)),
      sample("zero", "near zero"), sample("missing", "no tweets"), sample("zero partial", "partial day"));
  }

  function start() {
    const choice = byId("heat-order");
    choice.addEventListener("change", () => {
      order = choice.value;
      draw();
    });
    cashtag.follow(["ticker", "session", "range"], () => {
      const same = drawn?.grid && order !== "polarity" && cashtag.span().join() === drawn.span.join();
      if (same && place()[0] >= 0) drawn.grid.select(...place());
      else draw();
    }, "overview");
  }

  cashtag.startHeatmap = start;
})();
