/* The two tabs, and the filters of the second. */
"use strict";

(() => {
  const { el, fill, byId } = cashtag;
  const TABS = ["overview", "reference"];

  function show() {
    const { view } = cashtag.state;
    document.documentElement.dataset.view = view;
    for (const name of TABS) {
      const tab = byId("tab-" + name);
      tab.setAttribute("aria-selected", String(name === view));
      tab.tabIndex = name === view ? 0 : -1;
      byId("view-" + name).hidden = name !== view;
    }
    for (const node of document.querySelectorAll("[data-of]")) node.hidden = node.dataset.of !== view;
  }

  function tabs() {
    const go = (name) => {
      cashtag.choose({ view: name });
      byId("tab-" + name).focus();
    };
    for (const name of TABS) {
      byId("tab-" + name).addEventListener("click", () => go(name));
      byId("tab-" + name).addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (step) go(TABS[(TABS.indexOf(name) + step + TABS.length) % TABS.length]);
      });
    }
  }

  const options = (node, found, chosen) => fill(node, found.map(([value, text]) => el("option", { value, selected: value === (chosen ?? "") }, text)));

  function filters() {
    const { facts, state } = cashtag;
    const [first, last] = [facts.sessions[0], facts.sessions.at(-1)];
    for (const name of ["from", "to"]) {
      byId(name).min = first;
      byId(name).max = last;
      byId(name).addEventListener("change", (event) => {
        const { value } = event.target;
        const [from, to] = cashtag.period();
        if (!value) return cashtag.choose({ [name]: null });
        // The other end gives way, so that no day is chosen before the first.
        const other = name === "from" ? { to: value > to ? value : state.to } : { from: value < from ? value : state.from };
        return cashtag.choose({ [name]: value, ...other });
      });
    }
    byId("only").addEventListener("change", (event) => cashtag.choose({ only: event.target.value || null }));
    byId("label").addEventListener("change", (event) => cashtag.choose({ label: event.target.value || null }));
    byId("clear").addEventListener("click", () => cashtag.choose({ only: null, label: null, from: null, to: null }));
    byId("export-reference").addEventListener("click", () => cashtag.saveReference());
    const talked = facts.talked.map((t) => [facts.tickers[t], facts.tickers[t]]);
    const labels = cashtag.LABELS.slice(0, 3).map((name) => [name, name]);
    cashtag.follow(["range", "from", "to", "only", "label"], () => {
      [byId("from").value, byId("to").value] = cashtag.period();
      options(byId("only"), [["", "all tickers"], ...talked], state.only);
      options(byId("label"), [["", "all sentiments"], ...labels], state.label);
      byId("clear").disabled = !(state.from || state.to || state.only || state.label);
    }, "reference");
  }

  function start() {
    tabs();
    filters();
    cashtag.follow(["view"], show);
  }

  cashtag.startViews = start;
})();
