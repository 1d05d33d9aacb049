/* The tweets behind a figure of the reference dashboard, in a panel over it. */
"use strict";

(() => {
  const { el, fill, byId, known, count, brief, day } = cashtag;
  const PAGE = 20; // posts at a time; their texts lie in as many shards at most
  const HOURS = new Intl.DateTimeFormat("en-US", { timeZone: "America/New_York", hour: "numeric", hourCycle: "h23" });
  let given = null;
  let found = [];
  let shown = 0;
  let opened = 0; // counts openings, so that a slow one does not write into a later one

  const two = (hour) => String(hour).padStart(2, "0");
  const sign = (post) => [post.author, post.label, post.hour, post.likes, post.retweets, post.replies].join("\u0000");

  /** What the panel shows, in words. */
  function words() {
    const parts = [
      given.only ? "$" + given.only : "all tickers",
      given.author === undefined ? null : el("bdi", {}, "@" + given.author),
      given.label,
      given.hour === undefined ? null : `${two(given.hour)}:00–${two(given.hour)}:59 New York`,
    ].filter(Boolean);
    return parts.flatMap((part, i) => (i ? [" · ", part] : [part]));
  }

  /** Promise the texts of some posts; null for one that the page does not carry. */
  async function texts(posts) {
    const { facts } = cashtag;
    const days = [...new Set(posts.map((post) => post.session))];
    const shards = new Map(await Promise.all(days.map(async (session) => [session, await cashtag.shard("tweets/" + session, facts.files.tweets[facts.sessions.indexOf(session)])])));
    const held = new Map();
    const rows = (session, ticker) => {
      const key = session + " " + ticker;
      if (!held.has(key)) {
        held.set(key, cashtag.rowsOf(shards.get(session)?.cells[ticker]).map((row) => ({ ...row, hour: Number(HOURS.format(row.at * 1000)) })));
      }
      return held.get(key);
    };
    return posts.map((post) => {
      const there = rows(post.session, post.ticker);
      const at = there.findIndex((row) => sign({ ...row, label: row.label ?? "unscored" }) === sign(post));
      return at < 0 ? null : there.splice(at, 1)[0];
    });
  }

  /** A post whose text the page does not carry: what is counted of it. */
  function bare(post) {
    const counts = [["♥", post.likes, "likes"], ["⟲", post.retweets, "retweets"], ["↩", post.replies, "replies"]].filter(([, n]) => known(n));
    return el("article", { cls: "post" },
      el("div", { cls: "post-head" }, el("div", {}, el("bdi", { cls: "author" }, "@" + post.author), el("span", { cls: "quiet" }, `${day(post.session)}, ${two(post.hour)}:00`),
        el("span", { cls: "quiet counts" }, counts.map(([mark, n, word]) => el("span", { title: word, "aria-label": `${count(n)} ${word}` }, `${mark} ${brief(n)}`)))),
      el("span", { cls: "chip flat" }, post.label)),
      el("p", { cls: "text quiet" }, `The page carries the first ${cashtag.facts.limits.tweetsPerCell} posts of a ticker and session; this one is counted only.`));
  }

  async function more(list, button, stamp) {
    const posts = found.slice(shown, shown + PAGE);
    shown += posts.length;
    button.disabled = true;
    const rows = await texts(posts);
    if (stamp !== opened) return;
    list.append(...rows.map((row, i) => {
      const made = row ? cashtag.post(row) : bare(posts[i]);
      made.prepend(el("p", { cls: "post-where quiet" }, el("strong", {}, "$" + posts[i].ticker), ` · ${day(posts[i].session)}`));
      return made;
    }));
    button.disabled = false;
    button.hidden = shown >= found.length;
    button.textContent = `Show ${Math.min(PAGE, found.length - shown)} more of ${count(found.length - shown)}`;
    byId("drill").dataset.shown = String(Math.min(shown, found.length));
  }

  function draw(months) {
    opened += 1;
    found = cashtag.behind(months, given);
    shown = 0;
    const by = given.by ?? "engagement";
    const list = el("div", {});
    const button = el("button", { type: "button", cls: "small", onclick: () => more(list, button, opened).catch(cashtag.trouble) });
    const first = cashtag.period();
    const labels = ["positive", "neutral", "negative"];
    const only = cashtag.state.label;
    fill(byId("drill-title"), words());
    byId("drill-hint").textContent = `${count(found.length)} tweet${found.length === 1 ? "" : "s"}, ${day(first[0])} to ${day(first[1])}, most ${by === "engagement" ? "engaged" : by} first`;
    fill(byId("drill-bar"),
      only ? null : cashtag.segments("Sentiment of the tweets", [[null, "all"], ...labels.map((name) => [name, name])], given.label ?? null, (value) => {
        given = { ...given, label: value };
        draw(months);
        byId("drill-bar").querySelector('[aria-pressed="true"]')?.focus();
      }),
      given.only && !cashtag.state.only ? el("button", { type: "button", cls: "small", onclick: () => { byId("drill").close(); cashtag.choose({ only: given.only }); } }, `Filter by $${given.only}`) : null,
      given.only ? el("button", { type: "button", cls: "small", onclick: () => { byId("drill").close(); cashtag.choose({ view: "overview", ticker: given.only }); } }, "Open on the overview") : null);
    fill(byId("drill-posts"), found.length ? [list, button] : cashtag.empty("No tweets pass these filters."));
    byId("drill-posts").scrollTop = 0;
    delete byId("drill").dataset.shown;
    if (found.length) more(list, button, opened).catch(cashtag.trouble);
  }

  /** Open the panel on what a click chose, within the page's filters. */
  function drill(months, chosen) {
    const { only, label } = cashtag.state;
    given = { ...chosen, only: chosen.only ?? only, label: chosen.label ?? label };
    cashtag.hide();
    draw(months);
    if (!byId("drill").open) byId("drill").showModal();
    byId("drill-title").focus();
  }

  function start() {
    byId("drill-close").addEventListener("click", () => byId("drill").close());
    byId("drill").addEventListener("click", (event) => event.target === byId("drill") && byId("drill").close());
  }

  Object.assign(cashtag, { drill, startDrill: start });
})();
