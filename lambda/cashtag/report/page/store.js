/* What is known and what is chosen: the summary's columns by ticker and session, and the view in the address. */
"use strict";

(() => {
  const listeners = [];
  const VIEWS = ["overview", "reference"];
  const LABELS = ["positive", "neutral", "negative", "unscored"];
  // The overview looks at a ticker and a session; the reference dashboard filters by only, label, from and to.
  const state = { view: "overview", ticker: null, session: 0, range: "45", only: null, label: null, from: null, to: null };

  /** Index the summary's columns; `at(t, s)` is the row of a ticker and session, or -1. */
  function index(summary) {
    const { sessions, tickers, cells } = summary;
    const place = new Int32Array(sessions.length * tickers.length).fill(-1);
    const rows = cells.t?.length ?? 0;
    for (let row = 0; row < rows; row++) place[cells.t[row] * sessions.length + cells.s[row]] = row;
    const at = (t, s) => (t < 0 || s < 0 || s >= sessions.length ? -1 : place[t * sessions.length + s]);
    const get = (name, t, s) => {
      const row = at(t, s);
      return row < 0 ? null : cells[name][row];
    };
    const ofTicker = new Map(tickers.map((ticker, t) => [ticker, t]));
    const polarity = (t, s) => get("polarity", t, s);
    // SPY and the like have prices and no tweets: they are no rows of the heatmap.
    const talked = tickers.map((_, t) => t).filter((t) => sessions.some((_, s) => get("n", t, s) > 0));
    return { ...summary, get, at, ofTicker, polarity, talked };
  }

  /** Indexes of the sessions in range: the last ones, and further back when an earlier one is chosen. */
  function span() {
    const n = cashtag.facts.sessions.length;
    const wanted = state.range === "all" ? n : Math.min(n, Number(state.range));
    const first = Math.min(n - wanted, state.session);
    return Array.from({ length: n - first }, (_, i) => first + i);
  }

  /** Change the view; every part that listens draws again. */
  function choose(changes, options = {}) {
    const changed = Object.keys(changes).filter((key) => state[key] !== changes[key]);
    if (!changed.length && !options.force) return;
    Object.assign(state, changes);
    if (!options.silent) remember();
    for (const listener of listeners) listener(new Set(changed));
  }

  /** Call `draw` whenever one of the named choices changed, and once at the start; a part of a view waits until that is shown. */
  function follow(names, draw, view = null) {
    let stale = true;
    listeners.push((changed) => {
      stale ||= !changed.size || names.some((name) => changed.has(name));
      if (!stale || (view && view !== state.view)) return;
      stale = false;
      draw();
    });
  }

  function remember() {
    const { sessions } = cashtag.facts;
    const parts = new URLSearchParams();
    if (state.view === "overview") {
      if (state.ticker) parts.set("ticker", state.ticker);
      parts.set("session", sessions[state.session]);
    }
    parts.set("range", state.range);
    if (state.view === "reference") {
      for (const name of ["from", "to", "only", "label"]) if (state[name]) parts.set(name, state[name]);
    }
    const address = "#" + (state.view === "overview" ? "" : state.view + "&") + parts.toString();
    if (location.hash !== address) history.replaceState(null, "", address);
  }

  /** Read the view from the address; what the page does not hold is ignored. */
  function recall() {
    const { sessions, ofTicker } = cashtag.facts;
    const parts = new URLSearchParams(location.hash.slice(1));
    const found = { view: VIEWS.find((name) => parts.has(name)) ?? VIEWS[0] };
    if (ofTicker.has(parts.get("ticker"))) found.ticker = parts.get("ticker");
    const s = sessions.indexOf(parts.get("session"));
    if (s >= 0) found.session = s;
    if (cashtag.ranges().some(([value]) => value === parts.get("range"))) found.range = parts.get("range");
    if (found.view === "reference") {
      const day = (name) => (/^\d{4}-\d\d-\d\d$/.test(parts.get(name)) ? parts.get(name) : null);
      found.only = ofTicker.has(parts.get("only")) ? parts.get("only") : null;
      found.label = LABELS.includes(parts.get("label")) ? parts.get("label") : null;
      [found.from, found.to] = [day("from"), day("to")];
    }
    return found;
  }

  /** The ranges on offer, as [value, text]: those shorter than what there is, and all. */
  function ranges() {
    const { sessions, ranges: lengths } = cashtag.facts;
    const shorter = lengths.filter((length) => length < sessions.length);
    return [
      ...shorter.map((length) => [String(length), `${length} sessions`]),
      ["all", `all ${sessions.length} session${sessions.length === 1 ? "" : "s"}`],
    ];
  }

  /** Keep a preference of this browser where it allows that; `file://` may not. */
  const preferences = {
    get(name) {
      try {
        return localStorage.getItem("cashtag." + name);
      } catch {
        return null;
      }
    },
    set(name, value) {
      try {
        localStorage.setItem("cashtag." + name, value);
      } catch {
        /* the choice lasts as long as the page */
      }
    },
  };

  /** Everything about one cell that a reader may ask for, by name. */
  function cell(t, s) {
    const row = cashtag.facts.at(t, s);
    if (row < 0) return null;
    const { cells } = cashtag.facts;
    return Object.fromEntries(Object.keys(cells).map((name) => [name, cells[name][row]]));
  }

  /** Mean polarity of a session over its tweets, and what else the cards say of it. */
  function market(s) {
    const { talked, get, tickers } = cashtag.facts;
    const sum = { tweets: 0, weighted: 0, tickers: 0, positive: 0, coverage: null, partial: false, move: null };
    for (const t of talked) {
      const n = get("n", t, s);
      const polarity = get("polarity", t, s);
      if (!n || !cashtag.known(polarity)) continue;
      sum.tweets += n;
      sum.weighted += n * polarity;
      sum.tickers += 1;
      sum.positive += polarity > 0 ? 1 : 0;
      const coverage = get("coverage", t, s);
      if (cashtag.known(coverage)) sum.coverage = Math.min(coverage, sum.coverage ?? 1);
      sum.partial = sum.partial || get("partial", t, s) === 1;
      const change = get("change", t, s);
      if (cashtag.known(change) && (!sum.move || Math.abs(change) > Math.abs(sum.move.change))) {
        sum.move = { ticker: tickers[t], change };
      }
    }
    sum.mood = sum.tweets ? sum.weighted / sum.tweets : null;
    return sum;
  }

  Object.assign(cashtag, { LABELS, state, index, span, choose, follow, recall, ranges, preferences, cell, market });
})();
