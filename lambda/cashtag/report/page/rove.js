/* One stop for Tab among many things that arrows walk: the tiles, bars and rows of a chart. */
"use strict";

(() => {
  const STEPS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -5, PageDown: 5, Home: -1e9, End: 1e9 };

  /**
   * Let arrows move among the buttons of a chart, in their order, and show a tip at each.
   *
   * node: element whose `[data-at]` children are the stops; tip(at) gives what the tip says, or
   * null. The stop that had the focus before the chart was drawn again keeps it.
   */
  function rove(node, tip) {
    const stops = [...node.querySelectorAll("[data-at]")];
    const go = (at, move) => {
      const next = stops[Math.max(0, Math.min(stops.length - 1, at))];
      for (const stop of stops) stop.tabIndex = stop === next ? 0 : -1;
      if (move && next) next.focus();
    };
    const show = (stop) => {
      const content = stop && tip?.(Number(stop.dataset.at));
      if (content) cashtag.point(stop, content);
      else cashtag.hide();
    };
    stops.forEach((stop, at) => {
      stop.addEventListener("focus", () => {
        go(at, false);
        if (stop.matches(":focus-visible")) show(stop);
      });
      stop.addEventListener("keydown", (event) => {
        if (event.key === "Escape") return cashtag.hide();
        if (!STEPS[event.key]) return undefined;
        event.preventDefault();
        return go(at + STEPS[event.key], true);
      });
    });
    node.onpointerover = (event) => event.pointerType !== "touch" && show(event.target.closest("[data-at]"));
    node.onpointerleave = cashtag.hide;
    node.onfocusout = cashtag.hide;
    go(0, false);
  }

  /** Fill a chart with new stops; one that had the focus gives it to its successor in the same place. */
  function refill(node, children, tip) {
    const held = node.contains(document.activeElement) ? document.activeElement.dataset.at : null;
    cashtag.fill(node, children);
    rove(node, tip);
    if (held !== null && held !== undefined) (node.querySelector(`[data-at="${held}"]`) ?? node.querySelector("[data-at]"))?.focus({ preventScroll: true });
  }

  Object.assign(cashtag, { refill });
})();
