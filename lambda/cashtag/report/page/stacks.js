/* Bars: upright ones stacked of parts, and lying ones of one figure; each bar a button. */
"use strict";

(() => {
  const { el, fill, byId, brief } = cashtag;

  /** Round steps of an axis from 0: the fewest of 1, 2 or 5 times a power of ten that reach `most`. */
  function steps(most, wanted) {
    const rough = Math.max(most, 1) / wanted;
    const ten = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max(1, [1, 2, 5, 10].find((by) => by * ten >= rough) * ten);
    return Array.from({ length: Math.ceil(Math.max(most, 1) / step) + 1 }, (_, i) => i * step);
  }

  const short = (value) => (value >= 1e6 ? `${value / 1e6}M` : value >= 1e3 ? `${value / 1e3}K` : String(value));

  /** rows: {label, parts: [n…], text}; kinds: [name…] of the parts, lowest first; open(row, kind or null). */
  function stacks(id, { rows, kinds, label, open }) {
    const node = byId(id);
    if (!rows.length) return fill(node, cashtag.empty("No tweets pass these filters."));
    const most = Math.max(...rows.map((row) => row.parts.reduce((a, b) => a + b, 0)));
    const scale = steps(most, 4);
    const top = scale.at(-1);
    const used = kinds.filter((_, k) => rows.some((row) => row.parts[k] > 0));
    const bars = el("div", { cls: "stacks-bars", role: "group", "aria-label": label });
    fill(node,
      el("div", { cls: "stacks-axis", "aria-hidden": "true" }, scale.map((value) => el("span", { "--y": (100 * value) / top + "%" }, short(value)))),
      el("div", { cls: "stacks-scroll" },
        el("div", { cls: "stacks-lines", "aria-hidden": "true" }, scale.map((value) => el("i", { "--y": (100 * value) / top + "%" }))), bars),
      el("p", { cls: "key" }, used.map((kind) => el("span", {}, el("i", { cls: "swatch " + kind }), kind))));
    return cashtag.refill(bars, rows.map((row, at) => el("button", {
      type: "button", cls: "stack-bar", "data-at": String(at), "aria-label": row.text,
      onclick: (event) => open(row, event.target.dataset.kind ?? null),
    }, el("span", { cls: "column" }, kinds.map((kind, k) => (row.parts[k] ? el("i", { cls: kind, "data-kind": kind, "--h": (100 * row.parts[k]) / top + "%" }) : null))),
    el("span", { cls: "under" }, el("span", {}, row.label)))), (at) => [el("p", {}, rows[at].text)]);
  }

  /** rows: {label, size, text}; open(row). Labels are anybody's text. */
  function lying(id, { rows, label, open }) {
    const node = byId(id);
    if (!rows.length) return fill(node, cashtag.empty("No tweets pass these filters."));
    const scale = steps(Math.max(...rows.map((row) => row.size)), 4);
    const top = scale.at(-1);
    const bars = el("div", { cls: "lying-bars", role: "group", "aria-label": label });
    fill(node,
      el("div", { cls: "lying-lines", "aria-hidden": "true" }, scale.map((value) => el("i", { "--x": (100 * value) / top + "%" }))), bars,
      el("div", { cls: "lying-axis", "aria-hidden": "true" }, scale.map((value) => el("span", { "--x": (100 * value) / top + "%" }, short(value)))));
    return cashtag.refill(bars, rows.map((row, at) => el("button", {
      type: "button", cls: "lying-bar", "data-at": String(at), "aria-label": row.text, onclick: () => open(row),
    }, el("bdi", { cls: "who" }, row.label), el("span", { cls: "track" }, el("i", { "--w": ((100 * row.size) / top).toFixed(2) + "%" })))),
    (at) => [el("p", {}, el("bdi", {}, rows[at].label), ": ", brief(rows[at].size), " ", rows[at].unit)]);
  }

  Object.assign(cashtag, { stacks, lying, steps });
})();
