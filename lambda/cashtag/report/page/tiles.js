/* A treemap of buttons: area one figure, colour another. */
"use strict";

(() => {
  const { el, byId, ink, count, brief } = cashtag;

  /**
   * Squarified layout (Bruls, Huizing, van Wijk 2000): rows along the shorter side, closed as soon
   * as another tile would make the worst ratio worse. Sizes descend; gives [x, y, width, height].
   */
  function squarify(sizes, width, height) {
    const all = sizes.reduce((a, b) => a + b, 0);
    const areas = sizes.map((size) => (size * width * height) / all);
    const boxes = [];
    let [x, y, w, h] = [0, 0, width, height];
    let row = [];
    const worst = (found, side) => {
      const sum = found.reduce((a, b) => a + b, 0);
      return Math.max(...found.map((area) => Math.max((side * side * area) / (sum * sum), (sum * sum) / (side * side * area))));
    };
    const close = () => {
      const sum = row.reduce((a, b) => a + b, 0);
      const tall = h <= w; // tiles stand on each other along the height
      const thick = sum / (tall ? h : w);
      let along = 0;
      for (const area of row) {
        const long = area / thick;
        boxes.push(tall ? [x, y + along, thick, long] : [x + along, y, long, thick]);
        along += long;
      }
      if (tall) [x, w] = [x + thick, w - thick];
      else [y, h] = [y + thick, h - thick];
      row = [];
    };
    for (const area of areas) {
      const side = Math.min(w, h);
      if (row.length && worst([...row, area], side) > worst(row, side)) close();
      row.push(area);
    }
    close();
    return boxes;
  }

  const parts = (color) => color.match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));

  /** A colour between two, as [red, green, blue]. */
  const between = (low, high, share) => low.map((part, i) => Math.round(part + (high[i] - part) * share));

  /** Black or white, whichever is read better on a colour (WCAG 2.2, relative luminance). */
  function readable(color) {
    const [r, g, b] = color.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
  }

  // Pixels of a line, and of what reference.css puts beside and around a word. A word that does not
  // fit whole is left out: half a ticker reads as another one.
  const [LINE, BESIDE, AROUND] = [16, 12, 16];
  const pen = document.createElement("canvas").getContext("2d");

  /** rows: {label, size, heat, text}; open(row). Small tiles leave their words to the tip. */
  function tiles(id, { rows, label, open }) {
    const node = byId(id);
    if (!rows.length) return cashtag.fill(node, cashtag.empty("No tweets pass these filters."));
    const [width, height] = [node.clientWidth, node.clientHeight];
    pen.font = `550 12px ${getComputedStyle(node).fontFamily}`; // as .tile has it
    const boxes = squarify(rows.map((row) => row.size), width, height);
    const most = Math.max(...rows.map((row) => row.heat), 1);
    const [low, high] = [parts(ink("seq-low")), parts(ink("seq-high"))];
    node.setAttribute("role", "group");
    node.setAttribute("aria-label", label);
    return cashtag.refill(node, rows.map((row, at) => {
      const [x, y, w, h] = boxes[at];
      const color = between(low, high, Math.sqrt(row.heat / most));
      const wide = w > pen.measureText(row.label).width + BESIDE;
      const words = wide && h > 2 * LINE + AROUND;
      const name = !words && wide && h > LINE + AROUND;
      return el("button", {
        type: "button", cls: "tile", "data-at": String(at), "aria-label": row.text, onclick: () => open(row),
        style: `left:${(100 * x) / width}%;top:${(100 * y) / height}%;width:${(100 * w) / width}%;height:${(100 * h) / height}%;background:rgb(${color});color:${readable(color)}`,
      }, words || name ? el("span", {}, row.label) : null, words ? el("span", { cls: "num" }, w > 60 ? count(row.size) : brief(row.size)) : null);
    }), (at) => [el("p", {}, rows[at].text)]);
  }

  Object.assign(cashtag, { tiles, squarify });
})();
