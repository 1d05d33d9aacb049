/* The page's ground: shards by script tag, elements from text only, and how figures are written. */
"use strict";

const cashtag = (() => {
  const loaded = new Map();
  const waiting = new Map();

  /** Take a shard's facts; every shard is one call of this. */
  function load(name, facts) {
    loaded.set(name, facts);
  }

  /** Promise the facts of a shard, loading its script when it is not there yet. */
  function shard(name, file) {
    if (loaded.has(name)) return Promise.resolve(loaded.get(name));
    if (!file) return Promise.resolve(null);
    if (!waiting.has(name)) {
      waiting.set(name, script(address(file)).then(() => loaded.get(name) ?? null));
    }
    return waiting.get(name);
  }

  /** Promise that a script beside the page has run. */
  function script(source) {
    return new Promise((resolve, reject) => {
      const tag = document.createElement("script");
      tag.src = source;
      tag.onload = () => resolve();
      tag.onerror = () => reject(new Error(`${source} is missing: the page was built again; reload it`));
      document.head.append(tag);
    });
  }

  const address = (file) => file.split("/").map(encodeURIComponent).join("/");

  /** Make an element. Text is text: nothing here reads markup. */
  function el(tag, given, ...children) {
    const svg = ["svg", "path", "line", "circle"].includes(tag);
    const node = svg
      ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    for (const [name, value] of Object.entries(given ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name.startsWith("--")) node.style.setProperty(name, value);
      else node.setAttribute(name === "cls" ? "class" : name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  }

  const byId = (id) => document.getElementById(id);

  /** Replace what an element holds. */
  function fill(node, ...children) {
    node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  }

  const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);
  const MINUS = "\u2212";
  const NONE = "\u2013";

  /** Write a number with its sign: +0.42, −0.07, 0.00; – when there is none. */
  function signed(value, digits = 2) {
    if (!known(value)) return NONE;
    const text = Math.abs(value).toFixed(digits);
    if (Number(text) === 0) return text;
    return (value > 0 ? "+" : MINUS) + text;
  }

  function count(value) {
    return known(value) ? Math.round(value).toLocaleString("en-US") : NONE;
  }

  function fixed(value, digits = 2) {
    if (!known(value)) return NONE;
    const text = Math.abs(value).toLocaleString("en-US", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    return value < 0 ? MINUS + text : text;
  }

  const dollars = (value, digits = 2) =>
    known(value) ? (value < 0 ? MINUS : "") + "$" + fixed(Math.abs(value), digits) : NONE;
  const percent = (share, digits = 0) => (known(share) ? (100 * share).toFixed(digits) + "%" : NONE);

  /** 12,400 as 12.4K; for tight places. */
  function brief(value) {
    if (!known(value)) return NONE;
    if (Math.abs(value) < 1e4) return count(value);
    const [size, unit] = Math.abs(value) < 1e6 ? [1e3, "K"] : [1e6, "M"];
    return (value / size).toFixed(Math.abs(value) < 10 * size ? 1 : 0) + unit;
  }

  const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

  /** 2026-07-02 as Thu 2 Jul 2026. */
  function day(iso) {
    const at = new Date(iso + "T00:00:00Z");
    return `${DAYS[at.getUTCDay()]} ${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
  }

  /** Seconds since 1970 as 2 Jul 09:31, UTC. */
  function moment(seconds) {
    const at = new Date(seconds * 1000).toISOString();
    return `${Number(at.slice(8, 10))} ${MONTHS[Number(at.slice(5, 7)) - 1]} ${at.slice(11, 16)}`;
  }

  /** The class that colours a figure by its sign. */
  const tone = (value) => (!known(value) || Math.abs(value) < 0.005 ? "" : value > 0 ? "pos" : "neg");

  const figure = (value, digits = 2, unit = "") =>
    el("span", { cls: "num " + tone(value) }, known(value) ? signed(value, digits) + unit : NONE);

  const empty = (...text) => el("p", { cls: "empty" }, ...text);

  return {
    load, shard, script, loaded, el, byId, fill, known, signed, count, fixed, dollars, percent,
    brief, day, moment, tone, figure, empty, NONE,
  };
})();
