/* Theme and palette: both are sets of CSS variables; charts read the same variables. */
"use strict";

(() => {
  const PALETTES = [
    ["blue-orange", "blue–orange, safe"],
    ["green-purple", "green–purple, safe"],
    ["green-red", "green–red"],
  ];
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const listeners = [];
  let wish = "auto";

  /** Return the value of a CSS variable of the page: `ink("pos")` is what --pos says now. */
  const ink = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();

  /** Call `draw` after theme or palette changed. */
  const onColors = (draw) => listeners.push(draw);

  function apply() {
    root.dataset.theme = wish === "auto" ? (dark.matches ? "dark" : "light") : wish;
    for (const draw of listeners) draw();
  }

  function setTheme(name) {
    wish = ["auto", "light", "dark"].includes(name) ? name : "auto";
    apply();
  }

  function setPalette(name) {
    root.dataset.palette = PALETTES.some(([key]) => key === name) ? name : PALETTES[0][0];
    for (const draw of listeners) draw();
  }

  dark.addEventListener("change", () => wish === "auto" && apply());

  /**
   * The largest level of a diverging scale: a round figure that nearly all values stay within, so
   * that a quiet year still shows its shades.
   */
  function domain(values) {
    const sizes = values.filter(cashtag.known).map(Math.abs).sort((a, b) => a - b);
    if (!sizes.length) return 1;
    const most = sizes[Math.floor(0.97 * (sizes.length - 1))];
    return [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1].find((step) => step >= most) ?? 1;
  }

  /** Share of the full colour, 0 to 1, that a value gets; small values keep a visible tint. */
  const strength = (value, full) => Math.min(1, Math.abs(value) / full) ** 0.8;

  Object.assign(cashtag, { PALETTES, ink, onColors, setTheme, setPalette, domain, strength });
})();
