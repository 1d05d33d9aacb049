/* The tickers of a session, best first; every column sorts. */
"use strict";

(() => {
  const { el, byId, known, signed, figure, day } = cashtag;
  const state = {};
  const CROSS = { 1: ["pos", "▲ golden"], "-1": ["neg", "▼ death"] };
  const SIGNAL = { 1: ["pos", "▲ BUY"], "-1": ["neg", "▼ SELL"] };

  /** A coloured word with its arrow: colour is never alone. */
  const chip = ([cls, text]) => el("span", { cls: "chip " + cls }, text);

  /** A bar from the middle, left for bearish and right for bullish, with its figure. */
  function score(value, full) {
    if (!known(value)) return cashtag.NONE;
    const width = Math.min(50, (50 * Math.abs(value)) / full).toFixed(1) + "%";
    return el("span", { cls: "score" },
      el("span", { cls: "track", "aria-hidden": "true" }, el("i", { cls: value < 0 ? "down" : "up", "--w": width })),
      figure(value));
  }

  function columns(full) {
    const value = (name) => (row) => row[name] ?? null;
    return [
      { key: "ticker", label: "Ticker", value: value("ticker"), cell: (row) => el("button", {
        type: "button", cls: "plain ticker", title: cashtag.facts.names[row.ticker],
        "aria-pressed": String(row.ticker === cashtag.state.ticker) }, row.ticker) },
      { key: "polarity", label: "Score", csv: "score", num: true, value: value("polarity"), cell: (row) => score(row.polarity, full), title: "Weighted mean polarity, −1 to 1" },
      { key: "change", label: "Δ 1d", csv: "change", num: true, value: value("change"), cell: (row) => figure(row.change), title: "Change against the previous session; – when too few tweets can tell" },
      { key: "n", label: "Tweets", num: true, value: value("n"), cell: (row) => cashtag.brief(row.n) },
      { key: "volume", label: "Vol ×", csv: "volume_ratio", num: true, value: value("volume"), cell: (row) => (known(row.volume) ? row.volume.toFixed(1) + "×" : cashtag.NONE), title: "Shares traded against the mean of 20 sessions" },
      { key: "price", label: "Price %", csv: "price_percent", num: true, value: value("price"), cell: (row) => figure(row.price, 1), title: "Change of the last close known before the session" },
      { key: "cross", label: "Cross", value: value("crossText"), cell: (row) => (CROSS[row.cross] ? chip(CROSS[row.cross]) : ""), title: "SMA-5 against SMA-20" },
      { key: "signal", label: "Signal", value: value("signalText"), cell: (row) => (SIGNAL[row.signal] ? chip(SIGNAL[row.signal]) : el("span", { cls: "quiet" }, row.signal === 0 ? "hold" : "")) },
      { key: "rank", label: "Rank", num: true, rank: true, value: value("rank"), cell: (row) => row.rank ?? cashtag.NONE, title: "Watchlist score: setup, volume, sentiment, return" },
    ];
  }

  function rows() {
    const { talked, tickers } = cashtag.facts;
    const { session } = cashtag.state;
    return talked
      .map((t) => ({ ticker: tickers[t], ...cashtag.cell(t, session) }))
      .filter((row) => row.n > 0)
      .map((row) => ({
        ...row,
        crossText: { 1: "golden", "-1": "death" }[row.cross] ?? null,
        signalText: { 1: "BUY", "-1": "SELL", 0: "HOLD" }[row.signal] ?? null,
      }));
  }

  let shown = [];

  function draw() {
    const { facts, state: view } = cashtag;
    const found = rows();
    const full = cashtag.domain(found.map((row) => row.polarity));
    shown = columns(full);
    byId("board").style.setProperty("--need", Math.min(found.length, 12));
    byId("board-hint").textContent = day(facts.sessions[view.session]);
    cashtag.table(byId("board"), shown, {
      label: "Leaderboard", rows: found, state, sort: ["polarity", -1],
      empty: "No tweets were scored for this session.",
      selected: (row) => row.ticker === view.ticker,
      open: (row) => cashtag.choose({ ticker: row.ticker }),
    });
  }

  /** Save the leaderboard as it stands. */
  function save() {
    cashtag.exportTable(`cashtag-${cashtag.facts.sessions[cashtag.state.session]}.csv`, shown, state);
  }

  function start() {
    cashtag.follow(["ticker", "session"], draw, "overview");
  }

  /** The ticker that the page opens with: the most discussed of the session. */
  function loudest() {
    return rows().sort((a, b) => b.n - a.n || (a.ticker < b.ticker ? -1 : 1))[0]?.ticker ?? null;
  }

  Object.assign(cashtag, { chip, SIGNAL, startLeaderboard: start, saveLeaderboard: save, loudest });
})();
