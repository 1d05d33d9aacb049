/* Why something was traded or not: every gate with what it saw and what it allows. */
"use strict";

(() => {
  const { el, fill, byId, chip, SIGNAL } = cashtag;
  const WAYS = { BUY: 1, SELL: -1 };
  const SIGNS = { pass: "✓", block: "✕", error: "!" };
  let wanted = "all";
  let found = [];

  const stopped = (subject) => subject.gates.filter(([, , , verdict]) => verdict !== "pass");

  function gate([name, value, limit, verdict, reason]) {
    return el("tr", { cls: verdict },
      el("th", { scope: "row" }, el("span", { cls: "verdict " + verdict }, SIGNS[verdict] ?? "?"), " ", name),
      el("td", { cls: "num" }, value ?? cashtag.NONE), el("td", { cls: "num" }, limit ?? cashtag.NONE), el("td", {}, reason));
  }

  function line(subject) {
    const blocks = stopped(subject);
    const [first] = blocks;
    const way = SIGNAL[WAYS[subject.direction]];
    const dots = el("span", { cls: "dots", "aria-hidden": "true" }, subject.gates.map(([, , , verdict]) => el("i", { cls: verdict })));
    const verdict = first
      ? [el("strong", { cls: "verdict block" }, `✕ ${first[0]}`), " ", el("span", { cls: "quiet" }, first[4] + (blocks.length > 1 ? ` (and ${blocks.length - 1} more)` : ""))]
      : subject.gates.length === 1
        ? [el("strong", { cls: "verdict pass" }, `✓ ${subject.gates[0][0]}`), " ", el("span", { cls: "quiet" }, subject.gates[0][4])]
        : [el("strong", { cls: "verdict pass" }, "✓ passed"), " ", el("span", { cls: "quiet" }, `all ${subject.gates.length} gates`)];
    return el("details", { cls: "decision" },
      el("summary", {}, el("span", { cls: "subject" }, way ? chip(way) : null, el("strong", {}, subject.ticker),
        el("span", { cls: "quiet" }, `${subject.account} · ${subject.leg}${subject.phase === "execute" ? " · execute" : ""}`), dots),
      el("span", { cls: "why" }, verdict)),
      el("div", { cls: "scroll", role: "region", "aria-label": `Gates of ${subject.ticker}`, tabindex: "0" },
        el("table", {}, el("thead", {}, el("tr", {}, ["Gate", "Value", "Limit", "Reason"].map((text, i) => el("th", { scope: "col", cls: i === 1 || i === 2 ? "num" : "" }, text)))),
          el("tbody", {}, subject.gates.map(gate)))));
  }

  function draw() {
    const blocked = found.filter((s) => stopped(s).length).length;
    byId("decisions-hint").textContent = found.length ? `${found.length - blocked} passed, ${blocked} blocked` : "";
    byId("decisions-bar").hidden = !found.length;
    fill(byId("decisions-bar"), cashtag.segments("Which decisions", [["all", `all ${found.length}`], ["block", `blocked ${blocked}`], ["pass", `passed ${found.length - blocked}`]], wanted, (value) => {
      wanted = value;
      draw();
      byId("decisions-bar").querySelector('[aria-pressed="true"]').focus();
    }));
    const shown = found.filter((s) => wanted === "all" || (wanted === "block") === stopped(s).length > 0);
    fill(byId("decisions"), shown.length ? shown.map(line) : cashtag.empty(found.length ? "None of these." : "Nothing was up for a decision: no signal fired, or no plan was made."));
  }

  async function refresh() {
    const { facts, state } = cashtag;
    const date = facts.sessions[state.session];
    const day = await cashtag.shard("days/" + date, facts.files.days[state.session]);
    if (date !== facts.sessions[state.session]) return;
    found = [...(day?.decisions ?? [])].sort((a, b) => (a.ticker < b.ticker ? -1 : a.ticker > b.ticker ? 1 : 0));
    draw();
  }

  cashtag.startDecisions = () => cashtag.follow(["session"], () => refresh().catch(cashtag.trouble), "overview");
})();
