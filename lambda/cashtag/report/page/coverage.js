/* What was collected for each session, run by run, and whether it was enough to act on. */
"use strict";

(() => {
  const { el, byId, known, count, percent, day } = cashtag;
  const state = {};

  function rows() {
    const { facts } = cashtag;
    const runs = new Map();
    for (const [dt, session, n] of facts.runs) runs.set(session, [...(runs.get(session) ?? []), [dt, n]]);
    return cashtag.span().map((s) => {
      const session = facts.sessions[s];
      return { s, session, ...cashtag.market(s), runs: runs.get(session) ?? [] };
    }).reverse();
  }

  function bar(share) {
    if (!known(share)) return el("span", { cls: "quiet" }, "unknown");
    const low = share < cashtag.facts.limits.partialBelow;
    return el("span", { cls: "meter wide" }, el("span", { cls: "track" + (low ? " low" : ""), "aria-hidden": "true" }, el("i", { "--w": percent(share, 1) })), el("span", { cls: "figure-of num" }, percent(share)));
  }

  const COLUMNS = [
    { key: "session", label: "Session", value: (r) => r.session, cell: (r) => el("button", { type: "button", cls: "plain ticker", onclick: () => cashtag.choose({ session: r.s }) }, day(r.session)) },
    { key: "coverage", label: "Coverage", num: true, value: (r) => r.coverage, cell: (r) => bar(r.coverage) },
    { key: "state", label: "State", value: (r) => (r.partial ? "partial" : r.tweets ? "complete" : "missing"), cell: (r) => el("span", { cls: "chip " + (r.partial ? "warn" : r.tweets ? "flat" : "warn") }, r.partial ? "partial" : r.tweets ? "complete" : "missing") },
    { key: "tweets", label: "Tweets scored", num: true, value: (r) => r.tweets, cell: (r) => count(r.tweets) },
    { key: "tickers", label: "Tickers", num: true, value: (r) => r.tickers },
    { key: "runs", label: "Runs: tweets collected", value: (r) => r.runs.map(([dt, n]) => `${dt} ${n}`).join("; "), cell: (r) => (r.runs.length ? r.runs.map(([dt, n]) => `${dt.slice(5)}: ${count(n)}`).join(" · ") : el("span", { cls: "quiet" }, "none")) },
  ];

  function draw() {
    const found = rows();
    const partial = found.filter((row) => row.partial).length;
    const missing = found.filter((row) => !row.tweets).length;
    const below = percent(cashtag.facts.limits.partialBelow);
    byId("coverage-hint").textContent = `${partial} partial, ${missing} missing of ${found.length} sessions; below ${below} a day is partial and never trades`;
    cashtag.table(byId("coverage"), COLUMNS, { label: "Coverage per session", rows: found, state, selected: (row) => row.s === cashtag.state.session });
  }

  cashtag.startCoverage = () => cashtag.follow(["range", "session"], draw, "overview");
})();
