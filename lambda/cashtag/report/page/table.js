/* Tables that sort, and CSV files of what they show. */
"use strict";

(() => {
  const { el, fill } = cashtag;

  /**
   * Draw a table.
   *
   * columns: {key, label, title, value(row) for sorting and CSV, cell(row) for showing, num, rank}.
   * spec: {label, rows, sort: [key, direction], open(row), selected(row), empty, state}; `state`
   * keeps the sort order between drawings.
   */
  function table(node, columns, spec) {
    const state = spec.state ?? {};
    state.sort ??= spec.sort ?? null;
    if (!spec.rows.length) return fill(node, cashtag.empty(spec.empty ?? "Nothing to show."));
    const kept = focused(node);
    const body = el("tbody");
    const heads = columns.map((column) => {
      if (!column.value) return el("th", { scope: "col" }, column.label);
      const button = el("button", { type: "button", title: column.title, onclick: () => turn(column) },
        el("span", {}, column.label), el("span", { cls: "arrow", "aria-hidden": "true" }));
      return el("th", { scope: "col", cls: column.num ? "num" : "" }, button);
    });

    function turn(column) {
      const [key, way] = state.sort ?? [];
      const first = column.num && !column.rank ? -1 : 1;
      state.sort = key === column.key ? [key, -way] : [column.key, first];
      draw();
    }

    function draw() {
      const [key, way] = state.sort ?? [];
      columns.forEach((column, i) => {
        const on = column.key === key;
        if (column.value) heads[i].setAttribute("aria-sort", on ? (way > 0 ? "ascending" : "descending") : "none");
        const arrow = heads[i].querySelector(".arrow");
        if (arrow) arrow.textContent = on ? (way > 0 ? "↑" : "↓") : "";
      });
      state.shown = sorted(spec.rows, columns.find((column) => column.key === key), way);
      fill(body, state.shown.map((row) => line(row)));
    }

    function line(row) {
      const chosen = spec.selected?.(row);
      const cells = columns.map((column, i) =>
        el(i ? "td" : "th", { scope: i ? null : "row", cls: column.num ? "num" : column.cls }, column.cell ? column.cell(row) : String(column.value(row) ?? cashtag.NONE)));
      return el("tr", { cls: chosen ? "chosen" : "", onclick: spec.open ? () => spec.open(row) : null }, cells);
    }

    draw();
    fill(node, el("div", { cls: "scroll", role: "region", "aria-label": spec.label, tabindex: "0" },
      el("table", { cls: spec.open ? "open" : "" }, el("thead", {}, el("tr", {}, heads)), body)));
    refocus(node, kept);
    return null;
  }

  /** What had the focus, and how far the table was scrolled, before it is drawn again. */
  function focused(node) {
    const scroll = node.querySelector(".scroll");
    const active = node.contains(document.activeElement) ? document.activeElement : null;
    return { top: scroll?.scrollTop ?? 0, left: scroll?.scrollLeft ?? 0, tag: active?.tagName, text: active?.textContent };
  }

  function refocus(node, { top, left, tag, text }) {
    const scroll = node.querySelector(".scroll");
    [scroll.scrollTop, scroll.scrollLeft] = [top, left];
    if (tag === "BUTTON") [...node.querySelectorAll("button")].find((b) => b.textContent === text)?.focus({ preventScroll: true });
  }

  /** Sort rows by a column; what is not known stands last either way. */
  function sorted(rows, column, way) {
    if (!column) return [...rows];
    const rank = (row) => column.value(row);
    return [...rows].sort((a, b) => {
      const [x, y] = [rank(a), rank(b)];
      if (!cashtag.known(x) || !cashtag.known(y)) return Number(cashtag.known(y)) - Number(cashtag.known(x));
      return way * (typeof x === "string" ? (x < y ? -1 : x > y ? 1 : 0) : x - y);
    });
  }

  /** A CSV field. Text that a spreadsheet would run as a formula gets a quote before it. */
  function field(value) {
    if (!cashtag.known(value)) return "";
    if (typeof value === "number") return String(value);
    let text = String(value);
    if (/^\s*[=+\-@\t\r＝＋－＠]/.test(text)) text = "'" + text;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  /** Hand the reader a CSV file: UTF-8 with a mark, so that spreadsheets read emoji. */
  function csv(name, header, rows) {
    const lines = [header, ...rows].map((row) => row.map(field).join(","));
    const file = new Blob(["\ufeff" + lines.join("\r\n") + "\r\n"], { type: "text/csv;charset=utf-8" });
    const link = el("a", { href: URL.createObjectURL(file), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  /** Export a drawn table as it stands: its columns, its order. */
  function exportTable(name, columns, state) {
    const kept = columns.filter((column) => column.value);
    csv(name, kept.map((column) => column.csv ?? column.label),
      (state.shown ?? []).map((row) => kept.map((column) => column.value(row))));
  }

  /** A choice of one among few, as pressed buttons. */
  function segments(label, options, chosen, choose) {
    return el("div", { cls: "segments", role: "group", "aria-label": label },
      options.map(([value, text]) => el("button", {
        type: "button", "aria-pressed": String(value === chosen), onclick: () => choose(value),
      }, text)));
  }

  Object.assign(cashtag, { table, csv, exportTable, segments });
})();
