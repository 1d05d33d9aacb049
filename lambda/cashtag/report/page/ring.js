/* A ring of shares with its total in the middle; the legend's entries are its buttons. */
"use strict";

(() => {
  const { el, fill, byId, count, percent } = cashtag;
  const [OUTER, INNER] = [48, 39];

  /** The path of a slice between two shares of the turn, clockwise from the top. */
  function slice(from, to) {
    const end = to - from > 0.99999 ? from + 0.99999 : to;
    const at = (share, radius) => {
      const turn = 2 * Math.PI * share - Math.PI / 2;
      return `${(50 + radius * Math.cos(turn)).toFixed(3)} ${(50 + radius * Math.sin(turn)).toFixed(3)}`;
    };
    const large = end - from > 0.5 ? 1 : 0;
    return `M${at(from, OUTER)}A${OUTER} ${OUTER} 0 ${large} 1 ${at(end, OUTER)}L${at(end, INNER)}A${INNER} ${INNER} 0 ${large} 0 ${at(from, INNER)}Z`;
  }

  /** 30,283 as 30.28K. */
  const total = (value) => (value < 1e4 ? count(value) : value < 1e6 ? (value / 1e3).toFixed(2) + "K" : (value / 1e6).toFixed(2) + "M");

  /** parts: {name, n} in turn; sum: what stands in the middle; open(name). */
  function ring(id, { parts, sum, label, title, open }) {
    const node = byId(id);
    const all = parts.reduce((n, part) => n + part.n, 0);
    if (!all) return fill(node, cashtag.empty("No tweets pass these filters."));
    const shown = parts.filter((part) => part.n > 0);
    let turned = 0;
    const slices = shown.map((part) => {
      const path = el("path", { cls: "slice " + part.name, d: slice(turned, turned + part.n / all), onclick: () => open(part.name) });
      turned += part.n / all;
      return path;
    });
    const legend = el("div", { cls: "ring-key", role: "group", "aria-label": label });
    fill(node,
      el("div", { cls: "ring-figure" }, el("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, slices), el("p", { cls: "ring-total" }, el("span", { cls: "hidden" }, "Total tweets "), total(sum))),
      el("div", {}, el("h3", {}, title), legend));
    return cashtag.refill(legend, shown.map((part, at) => el("button", {
      type: "button", cls: "plain", "data-at": String(at), "aria-label": `${part.name}: ${count(part.n)} tweets, ${percent(part.n / all, 1)}`, onclick: () => open(part.name),
    }, el("i", { cls: "swatch " + part.name }), part.name, el("span", { cls: "num quiet" }, percent(part.n / all, part.n / all < 0.1 ? 1 : 0)))),
    (at) => [el("p", {}, `${shown[at].name}: ${count(shown[at].n)} of ${count(all)}`)]);
  }

  Object.assign(cashtag, { ring });
})();
