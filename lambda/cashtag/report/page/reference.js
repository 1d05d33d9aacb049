/* The second tab: seven visuals of who speaks about what, and when, under filters of days, ticker and sentiment. */
"use strict";

(() => {
  const { el, fill, byId, count, brief, day } = cashtag;
  const table = {};
  let held = []; // the months that are drawn
  let sums = null;

  const named = (ticker) => "$" + ticker;
  const tweets = (n) => `${count(n)} tweet${n === 1 ? "" : "s"}`;
  const open = (chosen) => cashtag.drill(held, chosen);

  function treemap() {
    cashtag.tiles("treemap", {
      label: "Tweets and engagement per ticker",
      rows: sums.tickers.map((row) => ({
        label: named(row.ticker), size: row.n, heat: row.engagement, ticker: row.ticker,
        text: `${named(row.ticker)}: ${tweets(row.n)}, engagement ${sums.counted ? count(row.engagement) : "not counted"}`,
      })),
      open: (row) => open({ only: row.ticker }),
    });
  }

  function mix() {
    const [positive, neutral, negative, unscored] = [0, 1, 2, 3];
    cashtag.stacks("mix", {
      label: "Tweets by ticker and sentiment",
      kinds: ["negative", "neutral", "positive", "unscored"],
      rows: sums.tickers.map((row) => ({
        label: named(row.ticker), ticker: row.ticker,
        parts: [negative, neutral, positive, unscored].map((l) => row.labels[l]),
        text: `${named(row.ticker)}: ${tweets(row.n)}, ${[positive, neutral, negative, unscored].filter((l) => l < 3 || row.labels[l]).map((l) => `${count(row.labels[l])} ${cashtag.LABELS[l]}`).join(", ")}`,
      })),
      open: (row, kind) => open({ only: row.ticker, label: kind }),
    });
  }

  const two = (hour) => String(hour).padStart(2, "0");

  function hours() {
    const rows = [...sums.tickers].sort((a, b) => (a.ticker < b.ticker ? -1 : 1));
    if (!rows.length) return fill(byId("hours"), cashtag.empty("No tweets pass these filters."));
    const most = Math.max(...rows.flatMap((row) => row.hours));
    const text = (r, c) => `${named(rows[r].ticker)}, ${two(c)}:00 to ${two(c)}:59 New York: ${tweets(rows[r].hours[c])}`;
    const room = byId("hours").clientHeight;
    return cashtag.grid(byId("hours"), {
      label: "Tweets by ticker and hour", sequential: true, from: OPENING, height: room - 34 - rows.length,
      rows: rows.map((row) => ({ label: named(row.ticker), title: cashtag.facts.names[row.ticker] })),
      columns: Array.from({ length: 24 }, (_, hour) => ({ label: String(hour) })),
      // One tweet is told from none: the scale begins a step above nothing.
      cell: (r, c) => ({ level: rows[r].hours[c] ? 0.15 + (0.85 * rows[r].hours[c]) / most : 0, text: text(r, c) }),
      tip: (r, c) => [el("p", {}, text(r, c))],
      open: (r, c) => open({ only: rows[r].ticker, hour: c }),
    });
  }
  const OPENING = 8; // the hour before the bell, New York: a narrow page begins here

  const USERS = [
    { key: "ticker", label: "ticker", value: (r) => r.ticker, cell: (r) => named(r.ticker) },
    { key: "author", label: "username", value: (r) => r.top.author, cell: (r) => el("button", { type: "button", cls: "plain", onclick: () => open({ only: r.ticker, author: r.top.author }) }, el("bdi", { cls: "who", title: r.top.author }, r.top.author)) },
    { key: "engagement", label: "engagement", num: true, value: (r) => r.top.engagement, cell: (r) => count(r.top.engagement) },
  ];

  function users() {
    cashtag.table(byId("top-users"), USERS, { label: "Most engaged user per ticker", rows: sums.tickers, state: table, sort: ["engagement", -1], empty: "No tweets pass these filters." });
  }

  /** Each total is a button; a source without counts has none. */
  function totals() {
    for (const name of ["likes", "retweets", "replies"]) {
      const value = sums.counted ? count(sums.total[name]) : cashtag.NONE;
      fill(byId("total-" + name), sums.counted && sums.total.n
        ? el("button", { type: "button", cls: "total", "aria-label": `${value} ${name}: show the tweets with the most`, onclick: () => open({ by: name }) }, value)
        : el("p", { cls: "total", title: "this source does not count them" }, value));
    }
  }

  function donut() {
    cashtag.ring("donut", {
      label: "Tweets by sentiment", title: "Sentiment", sum: sums.total.n,
      parts: cashtag.LABELS.map((name, l) => ({ name, n: sums.total.labels[l] })),
      open: (name) => open({ label: name }),
    });
  }

  function authors() {
    const { topUsers } = cashtag.facts.limits;
    const by = sums.counted ? "engagement" : "n";
    const shown = [...sums.users].sort((a, b) => b[by] - a[by]).slice(0, topUsers);
    const unit = sums.counted ? "engagement" : "tweets";
    byId("authors-hint").textContent = `Showing top ${shown.length} users${sums.counted ? "" : ", by tweets: this source counts no engagement"}`;
    cashtag.lying("authors", {
      label: "Engagement by user",
      rows: shown.map((user) => ({ label: user.author, size: user[by], unit, author: user.author, text: `${user.author}: ${count(user[by])} ${unit}` })),
      open: (row) => open({ author: row.author }),
    });
  }

  function draw() {
    const [from, to] = cashtag.period();
    byId("reference-hint").textContent = `${day(from)} to ${day(to)} · ${tweets(sums.total.n)}, ${sums.tickers.length} ticker${sums.tickers.length === 1 ? "" : "s"}, ${count(sums.users.length)} users`;
    for (const part of [treemap, mix, hours, users, totals, donut, authors]) part();
    byId("view-reference").dataset.shown = location.hash;
  }

  async function refresh() {
    const wanted = String(cashtag.period());
    byId("view-reference").setAttribute("aria-busy", "true");
    const found = await cashtag.months();
    if (wanted !== String(cashtag.period())) return;
    held = found;
    sums = cashtag.tally(held);
    byId("view-reference").removeAttribute("aria-busy");
    draw();
  }

  /** Save what is counted per ticker, as the filters leave it. */
  function save() {
    const header = ["ticker", "tweets", "positive", "neutral", "negative", "unscored", "likes", "retweets", "replies", "engagement", "most_engaged_user", "their_engagement"];
    cashtag.csv(`cashtag-reference-${cashtag.period().join("-to-")}.csv`, header,
      sums.tickers.map((row) => [row.ticker, row.n, ...row.labels, row.likes, row.retweets, row.replies, row.engagement, row.top.author, row.top.engagement]));
  }

  function start() {
    cashtag.follow(["range", "from", "to", "only", "label"], () => refresh().catch(cashtag.trouble), "reference");
    cashtag.onColors(() => sums && cashtag.state.view === "reference" && treemap());
    let width = 0;
    new ResizeObserver(([entry]) => {
      const now = Math.round(entry.contentRect.width);
      if (width && now !== width && now && sums) draw();
      width = now || width;
    }).observe(byId("view-reference"));
    cashtag.startDrill();
  }

  Object.assign(cashtag, { startReference: start, saveReference: save });
})();
