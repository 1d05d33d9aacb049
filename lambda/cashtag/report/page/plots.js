/* Charts by plotly, whose script is loaded after the first view stands, and drawn when they come in sight. */
"use strict";

(() => {
  const { byId, ink } = cashtag;
  const charts = new Map(); // id -> function that gives {traces, layout}
  const seen = new Set();
  let ready = null;

  /** Promise plotly; the page is usable before. */
  function plotly() {
    ready ??= cashtag.script("plotly.min.js");
    return ready;
  }

  /** Draw a chart into an element once it is in sight, and again whenever `spec` changes. */
  function plot(id, spec) {
    charts.set(id, spec);
    if (seen.has(id)) render(id);
    else watcher.observe(byId(id));
  }

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      watcher.unobserve(entry.target);
      seen.add(entry.target.id);
      render(entry.target.id);
    }
  }, { rootMargin: "300px" });

  async function render(id) {
    const node = byId(id);
    const made = charts.get(id)();
    if (!made) return undefined;
    if (made.message) {
      if (node.data) window.Plotly.purge(node);
      cashtag.fill(node, cashtag.empty(made.message));
      node.removeAttribute("role");
      return undefined;
    }
    await plotly();
    if (!node.data) cashtag.fill(node);
    const { traces, layout, onclick } = made;
    await window.Plotly.react(node, traces, frame(layout), {
      displayModeBar: false, responsive: true, doubleClick: "reset", scrollZoom: false,
    });
    node.removeAllListeners?.("plotly_click");
    if (onclick) node.on("plotly_click", onclick);
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", node.closest("section").querySelector("h2").textContent);
    node.dataset.drawn = "yes";
    return undefined;
  }

  /** What all charts share: the page's colours and type, no background of their own. */
  function frame(layout) {
    const text = { family: getComputedStyle(document.body).fontFamily, size: 12, color: ink("quiet") };
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: text,
      margin: { l: 48, r: 12, t: 8, b: 28 }, autosize: true, showlegend: false,
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      hoverlabel: { bgcolor: ink("raised"), bordercolor: ink("line"), font: { ...text, color: ink("text") } },
      ...layout,
    };
  }

  /** An axis in the page's colours. */
  const axis = (given) => ({
    gridcolor: ink("line"), zerolinecolor: ink("line-strong"), linecolor: ink("line"), zeroline: false,
    tickfont: { color: ink("quiet"), size: 11 }, automargin: true, ...given,
  });

  /** Escape text for plotly, which reads some markup in labels. */
  const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

  /** About `most` session labels, counted back from the newest. */
  function ticks(sessions, most) {
    const step = Math.max(1, Math.ceil(sessions.length / most));
    const values = sessions.filter((_, i) => (sessions.length - 1 - i) % step === 0);
    return { type: "category", categoryorder: "array", categoryarray: sessions, tickmode: "array", tickvals: values, ticktext: values.map((s) => s.slice(5)) };
  }

  /** Draw again what is in sight; what another view hides has no size, and waits until it is shown. */
  function redraw() {
    for (const id of [...seen]) {
      if (byId(id).offsetParent) render(id);
      else {
        seen.delete(id);
        watcher.observe(byId(id));
      }
    }
  }

  Object.assign(cashtag, { plot, plotly, axis, plain, ticks, redrawPlots: redraw });
})();
