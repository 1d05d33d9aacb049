/* Who speaks, about what, and when: totals, tickers, hours and users of the range. */
"use strict";

(() => {
  const { el, fill, byId, known, ink, count, brief } = cashtag;
  const OPENING = 8; // the hour before the bell, New York
  const users = {};
  let crowd = null;

  /** Sums per ticker over the range, the most discussed first. */
  function sums() {
    const { facts } = cashtag;
    const span = cashtag.span();
    return facts.talked.map((t) => {
      const row = { t, ticker: facts.tickers[t], n: 0, engagement: 0, positive: 0, negative: 0, likes: 0, retweets: 0, replies: 0, counted: false };
      for (const s of span) {
        const cell = cashtag.cell(t, s);
        if (!cell?.n) continue;
        row.n += cell.n;
        row.positive += Math.round(cell.n * (cell.positive ?? 0));
        row.negative += Math.round(cell.n * (cell.negative ?? 0));
        row.counted ||= known(cell.likes);
        for (const name of ["engagement", "likes", "retweets", "replies"]) row[name] += cell[name] ?? 0;
      }
      row.neutral = Math.max(0, row.n - row.positive - row.negative);
      return row;
    }).filter((row) => row.n > 0).sort((a, b) => b.n - a.n || (a.ticker < b.ticker ? -1 : 1));
  }

  const add = (rows, name) => rows.reduce((total, row) => total + row[name], 0);
  const choose = (ticker) => cashtag.facts.ofTicker.has(ticker) && cashtag.choose({ ticker });

  function totals(rows) {
    const counted = rows.some((row) => row.counted);
    const figure = (title, value, note) => cashtag.card(title, value, note);
    const none = counted ? "in range" : "this source does not count them";
    fill(byId("totals"), figure("Tweets", count(add(rows, "n")), `${rows.length} tickers, in range`),
      ...["Likes", "Retweets", "Replies"].map((title) => figure(title, counted ? count(add(rows, title.toLowerCase())) : cashtag.NONE, none)));
  }

  function treemap(rows) {
    if (!rows.length) return { message: "No tweets in this range." };
    const sizes = rows.map((row) => row.engagement);
    return {
      traces: [{
        type: "treemap", labels: rows.map((row) => cashtag.plain("$" + row.ticker)), parents: rows.map(() => ""), values: rows.map((row) => row.n),
        text: rows.map((row) => brief(row.n)), customdata: rows.map((row) => row.ticker), textinfo: "label+text", textfont: { size: 12 },
        hovertext: rows.map((row) => cashtag.plain(`$${row.ticker}: ${count(row.n)} tweets, engagement ${row.counted ? count(row.engagement) : "not counted"}`)), hoverinfo: "text",
        marker: { colors: sizes, colorscale: [[0, ink("seq-low")], [1, ink("seq-high")]], cmin: Math.min(...sizes), cmax: Math.max(...sizes, 1), line: { width: 2, color: ink("card") }, pad: { t: 0, l: 0, r: 0, b: 0 } },
        pathbar: { visible: false }, tiling: { pad: 2 }, root: { color: "rgba(0,0,0,0)" },
      }],
      layout: { margin: { l: 0, r: 0, t: 0, b: 0 } },
      onclick: (event) => {
        choose(event.points[0]?.customdata);
        return false;
      },
    };
  }

  function mix(rows) {
    if (!rows.length) return { message: "No tweets in this range." };
    const narrow = byId("mix").clientWidth < 18 * rows.length;
    const bar = (name, color, label) => ({
      type: "bar", name: label, x: rows.map((row) => cashtag.plain(row.ticker)), y: rows.map((row) => row[name]), marker: { color }, hovertemplate: `%{y:,} ${label}<extra></extra>`,
    });
    return {
      traces: [bar("negative", ink("neg"), "negative"), bar("neutral", ink("flat"), "neutral"), bar("positive", ink("pos"), "positive")],
      layout: {
        barmode: "stack", hovermode: "x unified", showlegend: true, bargap: 0.2, margin: { l: 44, r: 6, t: 26, b: 50 },
        legend: { orientation: "h", x: 1, xanchor: "right", y: 1.02, yanchor: "bottom", traceorder: "normal", font: { size: 11, color: ink("quiet") } },
        xaxis: cashtag.axis({ type: "category", tickangle: narrow ? -90 : -60, tickfont: { size: narrow ? 9 : 11, color: ink("quiet") }, showgrid: false, tickmode: "linear", fixedrange: true }), yaxis: cashtag.axis({ nticks: 5, fixedrange: true }),
      },
      onclick: (event) => choose(event.points[0]?.x),
    };
  }

  function donut(rows) {
    const all = add(rows, "n");
    if (!all) return { message: "No tweets in this range." };
    return {
      traces: [{
        type: "pie", hole: 0.66, sort: false, direction: "clockwise", labels: ["positive", "neutral", "negative"], values: ["positive", "neutral", "negative"].map((name) => add(rows, name)),
        marker: { colors: [ink("pos"), ink("flat"), ink("neg")], line: { color: ink("card"), width: 2 } }, textinfo: "percent", textposition: "outside", textfont: { color: ink("text"), size: 12 },
        hovertemplate: "%{label}: %{value:,}<extra></extra>", automargin: true,
      }],
      layout: {
        showlegend: true, margin: { l: 20, r: 20, t: 18, b: 18 }, legend: { orientation: "v", x: 1.02, y: 0.5, font: { size: 12, color: ink("quiet") } },
        annotations: [{ text: brief(all), showarrow: false, x: 0.5, y: 0.5, font: { size: 24, color: ink("text") } }],
      },
    };
  }

  function hours(found) {
    const names = Object.keys(found).sort();
    if (!names.length) return fill(byId("hours"), cashtag.empty("No tweets in this range."));
    const most = Math.max(...names.flatMap((name) => found[name]));
    const two = (hour) => String(hour).padStart(2, "0");
    const text = (name, hour) => `${name}, ${two(hour)}:00 to ${two(hour)}:59 New York: ${count(found[name][hour])} tweets`;
    return cashtag.grid(byId("hours"), {
      label: "Tweets by ticker and hour", sequential: true, from: OPENING, height: 640,
      rows: names.map((name) => ({ label: name, title: cashtag.facts.names[name] })),
      columns: Array.from({ length: 24 }, (_, hour) => ({ label: two(hour) })),
      cell: (r, c) => {
        const n = found[names[r]][c];
        return { level: n ? (n / most) ** 0.75 : null, text: text(names[r], c) };
      },
      tip: (r, c) => [el("p", {}, text(names[r], c))],
      open: (r) => choose(names[r]),
    });
  }

  /** Bars of users. Names are anybody's text, so these are elements and no chart. */
  function authors(found) {
    const counted = found.some(([, engagement]) => engagement > 0);
    const size = ([, engagement, n]) => (counted ? engagement : n);
    const most = Math.max(...found.map(size), 1);
    byId("authors-hint").textContent = counted ? `top ${found.length}` : `top ${found.length}, by tweets: this source counts no engagement`;
    fill(byId("authors"), found.length ? el("ol", { cls: "bars" }, found.map((row) => el("li", {},
      el("bdi", { cls: "who", title: row[0] }, row[0]),
      el("span", { cls: "track", "aria-hidden": "true" }, el("i", { "--w": ((100 * size(row)) / most).toFixed(1) + "%" })),
      el("span", { cls: "num" }, brief(size(row)))))) : cashtag.empty("No tweets in this range."));
  }

  const USERS = [
    { key: "ticker", label: "Ticker", value: (r) => r[0], cell: (r) => el("button", { type: "button", cls: "plain ticker", onclick: () => choose(r[0]) }, r[0]) },
    { key: "author", label: "User", value: (r) => r[1], cell: (r) => el("bdi", { cls: "who", title: r[1] }, r[1]) },
    { key: "engagement", label: "Engagement", num: true, value: (r) => r[2], cell: (r) => brief(r[2]) },
    { key: "n", label: "Tweets", num: true, value: (r) => r[3], cell: (r) => count(r[3]) },
  ];

  function draw() {
    const rows = sums();
    const { facts, state } = cashtag;
    byId("crowd-hint").textContent = `last ${state.range === "all" ? facts.sessions.length : state.range} sessions, to ${cashtag.day(facts.sessions.at(-1))}`;
    totals(rows);
    cashtag.plot("treemap", () => treemap(rows));
    cashtag.plot("mix", () => mix(rows));
    cashtag.plot("donut", () => donut(rows));
    const found = crowd?.[state.range] ?? crowd?.all;
    if (!found) return;
    hours(found.hours);
    authors(found.authors);
    cashtag.table(byId("top-users"), USERS, { label: "Most engaged user per ticker", rows: found.tickerAuthors, state: users, sort: ["engagement", -1] });
  }

  function start() {
    cashtag.follow(["range"], draw);
    cashtag.shard("crowd", cashtag.facts.files.crowd).then((found) => {
      crowd = found;
      draw();
    }).catch(cashtag.trouble);
  }

  cashtag.startCrowd = start;
})();
