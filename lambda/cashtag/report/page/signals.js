/* What the session's signals say, and why. */
"use strict";

(() => {
  const { el, fill, byId, percent, signed, day, chip, SIGNAL } = cashtag;
  const WAYS = { BUY: 1, SELL: -1, HOLD: 0 };

  /** How sure, as a bar and a figure. */
  function meter(share) {
    if (!cashtag.known(share)) return el("span", { cls: "quiet" }, "no confidence");
    return el("span", { cls: "meter" }, el("span", { cls: "track", "aria-hidden": "true" }, el("i", { "--w": percent(share, 1) })), `${percent(share)} sure`);
  }

  const open = (ticker) => el("button", { type: "button", cls: "plain ticker", onclick: () => cashtag.choose({ ticker }) }, ticker);

  function fired(signal) {
    return el("article", { cls: "signal" },
      el("div", { cls: "signal-head" }, chip(SIGNAL[WAYS[signal.direction]]), open(signal.ticker),
        el("span", { cls: "quiet" }, signal.kind === "OPTION" ? `option · ${signal.instrument.toLowerCase()}` : "stock"), meter(signal.confidence)),
      el("ul", {}, signal.reasons.map((reason) => el("li", {}, reason))));
  }

  function holds(found) {
    const columns = [
      { key: "ticker", label: "Ticker", value: (r) => r.ticker, cell: (r) => open(r.ticker) },
      { key: "kind", label: "Kind", value: (r) => r.kind.toLowerCase() },
      { key: "change", label: "Δ 1d", num: true, value: (r) => r.change, cell: (r) => el("span", { cls: "num" }, signed(r.change)) },
      { key: "why", label: "Why not", value: (r) => r.reasons.join(" "), cls: "words" },
    ];
    const body = el("div");
    cashtag.table(body, columns, { label: "Tickers on hold", rows: found, sort: ["ticker", 1] });
    return el("details", { cls: "more" }, el("summary", {}, `${found.length} on hold, with reasons`), body);
  }

  async function draw() {
    const { facts, state } = cashtag;
    const date = facts.sessions[state.session];
    const found = await cashtag.shard("days/" + date, facts.files.days[state.session]);
    if (date !== facts.sessions[state.session]) return;
    const all = found?.signals ?? [];
    const firing = all.filter((s) => s.direction !== "HOLD").sort((a, b) => (b.confidence ?? 0) - (a.confidence ?? 0));
    const rest = all.filter((s) => s.direction === "HOLD");
    byId("signals-hint").textContent = `${day(date)} · ${firing.length} of ${all.length} fire`;
    fill(byId("signals"),
      all.length && !firing.length ? cashtag.empty("Nothing fired: no change was large and sure enough.") : null,
      all.length ? null : cashtag.empty("There are no signals for this session."),
      firing.map(fired), rest.length ? holds(rest) : null);
  }

  cashtag.startSignals = () => cashtag.follow(["session"], () => draw().catch(cashtag.trouble), "overview");
})();
