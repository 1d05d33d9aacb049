/* A grid of coloured cells that a keyboard can walk: ticker by session, ticker by hour. */
"use strict";

(() => {
  const { el, fill, byId } = cashtag;

  /**
   * Draw a grid.
   *
   * spec: {label, rows: [{label, title}], columns: [{label}], cell(r, c), tip(r, c), open(r, c),
   *   selected: [r, c], sequential, height: of all rows where they are few, from: the column that a narrow page begins with}
   * cell() gives {level, text, partial}: level −1 to 1 (0 to 1 when sequential), null for nothing
   * known; text is what a screen reader says.
   */
  function grid(node, spec) {
    const [rows, columns] = [spec.rows.length, spec.columns.length];
    const cells = [];
    const board = el("div", {
      cls: "grid" + (columns > 130 ? " dense" : columns > 70 ? " close" : ""),
      role: "grid", "aria-label": spec.label, "aria-rowcount": rows, "aria-colcount": columns,
      "--columns": String(columns), "--row": spec.height ? `max(var(--row-least), ${Math.min(34, spec.height / rows).toFixed(1)}px)` : null,
    });
    const labels = axis();
    board.append(el("div", { cls: "grid-row over", "aria-hidden": "true" }, el("div", { cls: "grid-name" }), labels));
    for (let r = 0; r < rows; r++) {
      const line = el("div", { cls: "grid-row", role: "row" });
      line.append(el("div", { cls: "grid-name", role: "rowheader", title: spec.rows[r].title }, spec.rows[r].label));
      for (let c = 0; c < columns; c++) {
        const cell = paint(spec.cell(r, c), spec.sequential);
        cell.place = [r, c];
        line.append(cell);
        cells.push(cell);
      }
      board.append(line);
    }
    const below = axis();
    board.append(el("div", { cls: "grid-row", "aria-hidden": "true" }, el("div", { cls: "grid-name" }), below));
    const frame = el("div", { cls: "grid-scroll" }, board);
    fill(node, frame);

    /** The labels of the columns; a narrow page shows them above the grid too. */
    function axis() {
      return spec.columns.map((column) => el("div", { cls: "grid-label" }, el("span", {}, column.label)));
    }

    let [atRow, atColumn] = [0, 0];
    const at = (r, c) => cells[r * columns + c];

    function focus(r, c, move) {
      at(atRow, atColumn)?.setAttribute("tabindex", "-1");
      [atRow, atColumn] = [Math.max(0, Math.min(rows - 1, r)), Math.max(0, Math.min(columns - 1, c))];
      const cell = at(atRow, atColumn);
      cell?.setAttribute("tabindex", "0");
      if (move && cell) {
        cell.focus({ preventScroll: false });
        reveal(frame, cell);
        show(cell);
      }
    }

    function show(cell) {
      const content = spec.tip?.(...cell.place);
      if (content) point(cell, content);
    }

    board.addEventListener("click", (event) => {
      const cell = event.target.closest(".cell");
      if (!cell) return;
      focus(...cell.place, false);
      spec.open?.(...cell.place);
    });
    board.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (step) focus(atRow + step[0], atColumn + step[1], true);
      else if (event.key === "Home") focus(event.ctrlKey ? 0 : atRow, 0, true);
      else if (event.key === "End") focus(event.ctrlKey ? rows - 1 : atRow, columns - 1, true);
      else if (event.key === "Escape") hide();
      else if (event.key === "Enter" || event.key === " ") spec.open?.(atRow, atColumn);
      else return;
      event.preventDefault();
    });
    board.addEventListener("pointerover", (event) => {
      const cell = event.target.closest(".cell");
      if (cell && event.pointerType !== "touch") show(cell);
      else hide();
    });
    board.addEventListener("pointerleave", hide);
    board.addEventListener("focusout", hide);

    /** Mark the chosen cell and its row and column. */
    function select(r, c) {
      board.querySelectorAll('[aria-selected="true"]').forEach((cell) => cell.removeAttribute("aria-selected"));
      board.querySelectorAll(".on").forEach((name) => name.classList.remove("on"));
      at(r, c)?.setAttribute("aria-selected", "true");
      board.querySelectorAll("[role=rowheader]")[r]?.classList.add("on");
      for (const label of [labels[c], below[c]]) label?.classList.add("on");
      if (r >= 0 && c >= 0) focus(r, c, false);
      thin();
    }

    /** Show only as many labels as have room; the chosen column's always. */
    function thin() {
      const width = (board.clientWidth - 64) / columns;
      const step = Math.max(1, Math.ceil((spec.columns[0]?.label.length * 7 + 8) / Math.max(1, width)));
      const chosen = labels.findIndex((label) => label.classList.contains("on"));
      for (let c = 0; c < columns; c++) {
        const near = chosen >= 0 && c !== chosen && Math.abs(c - chosen) < step;
        const off = c !== chosen && ((columns - 1 - c) % step !== 0 || near);
        for (const label of [labels[c], below[c]]) label.classList.toggle("off", off);
      }
    }

    const [r, c] = spec.selected ?? [-1, -1];
    focus(r < 0 ? 0 : r, c < 0 ? columns - 1 : c, false); // one cell is always reachable by Tab
    select(r, c);
    new ResizeObserver(thin).observe(frame);
    frame.scrollLeft = spec.from ? at(0, spec.from).offsetLeft - at(0, 0).offsetLeft : frame.scrollWidth;
    return { select };
  }

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-5, 0], PageDown: [5, 0] };

  function paint({ level, text, partial }, sequential) {
    const given = { role: "gridcell", tabindex: "-1", "aria-label": text };
    const kinds = ["cell"];
    if (!cashtag.known(level)) kinds.push("missing");
    else {
      kinds.push(sequential ? "seq" : level > 0 ? "up" : level < 0 ? "down" : "zero");
      given["--p"] = (100 * Math.abs(level)).toFixed(1) + "%";
    }
    if (partial) kinds.push("partial");
    return el("div", { ...given, cls: kinds.join(" ") });
  }

  /** Scroll a cell out from under the names, which stay in place. */
  function reveal(frame, cell) {
    const room = frame.querySelector(".grid-name").offsetWidth + 4;
    const [box, view] = [cell.getBoundingClientRect(), frame.getBoundingClientRect()];
    if (box.left < view.left + room) frame.scrollLeft -= view.left + room - box.left;
  }

  /** Show the tip beside an element, inside the window. */
  function point(node, content) {
    const tip = byId("tip");
    fill(tip, content);
    tip.hidden = false;
    const box = node.getBoundingClientRect();
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    const left = Math.max(8, Math.min(innerWidth - width - 8, box.left + box.width / 2 - width / 2));
    const above = box.top - height - 8;
    tip.style.left = left + "px";
    tip.style.top = (above > 8 ? above : box.bottom + 8) + "px";
  }

  function hide() {
    byId("tip").hidden = true;
  }

  addEventListener("scroll", hide, { passive: true });

  Object.assign(cashtag, { grid, point, hide });
})();
