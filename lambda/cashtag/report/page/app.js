/* Starts the page: reads the summary, fills the controls, draws each part. */
"use strict";

(() => {
  const { el, fill, byId, day } = cashtag;

  /** Say what went wrong, in the page. */
  function trouble(error) {
    say(error.message);
  }
  cashtag.trouble = trouble;

  function say(text) {
    byId("message").textContent = text;
    byId("message").hidden = false;
  }

  const options = (node, found, chosen) =>
    fill(node, found.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));

  function badges() {
    const { facts } = cashtag;
    fill(byId("badges"),
      facts.synthetic ? el("span", { cls: "badge loud", title: "Made by a generator: no real tweet, no real price" }, "SYNTHETIC data") : null,
      facts.models.length ? el("span", { cls: "badge", title: "The sentiment model behind every score" }, `model: ${facts.models.join(", ")}`) : null,
      el("span", { cls: "badge", title: "Trading mode" }, facts.mode),
      facts.profile === "sound" ? null : el("span", { cls: "badge" }, `profile: ${facts.profile}`));
    byId("provenance").textContent = [
      facts.synthetic ? "SYNTHETIC: tweets, prices and news on this page were made by a generator and tell nothing about the companies named." : "",
      facts.models.length ? `Sentiment by the model “${facts.models.join(", ")}”.` : "",
      `A session's signals read only what was posted before its cutoff, ${facts.limits.cutoff} UTC.`,
    ].filter(Boolean).join(" ");
  }

  function preferences() {
    const { facts, preferences: kept } = cashtag;
    const palette = kept.get("palette") ?? cashtag.PALETTES[0][0];
    const theme = kept.get("theme") ?? facts.theme;
    options(byId("palette"), cashtag.PALETTES, palette);
    byId("theme").value = theme;
    cashtag.setPalette(palette);
    cashtag.setTheme(theme);
    const keep = (name, apply) => byId(name).addEventListener("change", (event) => {
      kept.set(name, event.target.value);
      apply(event.target.value);
    });
    keep("palette", cashtag.setPalette);
    keep("theme", cashtag.setTheme);
    cashtag.onColors(cashtag.redrawPlots);
  }

  function controls() {
    const { facts, state } = cashtag;
    const names = facts.tickers.map((t) => [t, t]);
    byId("range").addEventListener("change", (event) => event.target.value && cashtag.choose({ range: event.target.value, from: null, to: null }));
    byId("ticker").addEventListener("change", (event) => cashtag.choose({ ticker: event.target.value }));
    byId("export").addEventListener("click", cashtag.saveLeaderboard);
    const step = (by) => () => cashtag.choose({ session: Math.max(0, Math.min(facts.sessions.length - 1, state.session + by)) });
    byId("earlier").addEventListener("click", step(-1));
    byId("later").addEventListener("click", step(1));
    byId("newest").addEventListener("click", () => {
      cashtag.choose({ session: facts.sessions.length - 1 });
      byId("earlier").focus();
    });
    cashtag.follow(["view", "range", "from", "to"], () => {
      const chosen = state.view === "reference" && (state.from || state.to);
      options(byId("range"), [...(chosen ? [["", "chosen days"]] : []), ...cashtag.ranges()], chosen ? "" : state.range);
    });
    cashtag.follow(["ticker", "session", "range"], () => {
      options(byId("ticker"), names, state.ticker);
      byId("session-label").textContent = day(facts.sessions[state.session]);
      byId("earlier").disabled = state.session === 0;
      byId("later").disabled = state.session === facts.sessions.length - 1;
      byId("newest").hidden = state.session === facts.sessions.length - 1;
      document.title = `Cashtag · ${facts.sessions[state.session]}`;
    });
    cashtag.follow(["session", "range"], cashtag.drawCards, "overview");
    byId("skip").addEventListener("click", (event) => {
      event.preventDefault();
      byId("main").focus();
    });
    addEventListener("hashchange", () => cashtag.choose(cashtag.recall()));
  }

  function begin() {
    const summary = cashtag.loaded.get("summary");
    if (!summary) return say("The page's summary is missing; build it again with `cashtag report`.");
    cashtag.facts = cashtag.index(summary);
    preferences();
    badges();
    if (!summary.sessions.length) {
      byId("session-label").textContent = "no session yet";
      document.querySelectorAll(".stepper button, .tabs button, #range, #ticker, #export").forEach((node) => { node.disabled = true; });
      return say("The lake holds no signals yet. Run `cashtag run`, and build the page again with `cashtag report`.");
    }
    const last = summary.sessions.length - 1;
    Object.assign(cashtag.state, { session: last, range: cashtag.ranges()[Math.min(1, cashtag.ranges().length - 1)][0] });
    cashtag.state.ticker = cashtag.loudest() ?? summary.tickers[0] ?? null;
    Object.assign(cashtag.state, cashtag.recall());
    byId("main").hidden = false;
    controls();
    for (const start of ["Views", "Heatmap", "Leaderboard", "Tweets", "Price", "Signals", "Decisions", "Portfolio", "Coverage", "Reference"]) cashtag["start" + start]();
    cashtag.choose({}, { force: true, silent: true });
    document.documentElement.dataset.ready = "yes";
    performance.mark("cashtag-ready");
    return undefined;
  }

  document.addEventListener("DOMContentLoaded", begin);
})();
