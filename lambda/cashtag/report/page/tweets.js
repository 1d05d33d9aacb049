/* The tweets behind a cell. They are hostile text: they become text nodes, and only X's own addresses links. */
"use strict";

(() => {
  const { el, fill, byId, known, count, brief, day, figure } = cashtag;
  const LONG = 420; // characters; longer posts are folded
  const ORDERS = { weight: "heaviest first", time: "newest first", likes: "most liked" };
  let label = "all";
  let order = "weight";
  let found = [];
  let total = 0;

  /** Turn a cell's columns into rows. */
  function rows(columns) {
    if (!columns) return [];
    const names = Object.keys(columns);
    return columns.id.map((_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
  }

  /** An address that may be a link: X's or Twitter's, over https. */
  function trusted(url) {
    return typeof url === "string" && /^https:\/\/(x|twitter)\.com\/[\w/?=&.-]*$/.test(url) ? url : null;
  }

  function shown() {
    const kept = found.filter((post) => label === "all" || post.label === label);
    if (order === "time") return [...kept].sort((a, b) => b.at - a.at);
    if (order === "likes") return [...kept].sort((a, b) => (b.likes ?? -1) - (a.likes ?? -1));
    return kept;
  }

  function post(row) {
    const text = el("p", { cls: "text" + (row.text.length > LONG ? " folded" : ""), dir: "auto" }, row.text);
    const link = trusted(row.url);
    const counts = [["♥", row.likes, "likes"], ["⟲", row.retweets, "retweets"], ["↩", row.replies, "replies"]]
      .filter(([, n]) => known(n))
      .map(([sign, n, word]) => el("span", { title: word, "aria-label": `${count(n)} ${word}` }, `${sign} ${brief(n)}`));
    const marks = [
      row.heavy ? el("span", { cls: "mark strong", title: "among the posts with the largest weight in the score" }, "top weight") : null,
      row.key ? el("span", { cls: "mark strong" }, "key influencer") : null,
      ...(row.flags ? row.flags.split(",") : []).map((flag) => el("span", { cls: "mark" }, flag)),
      row.lang && row.lang !== "en" ? el("span", { cls: "mark" }, row.lang) : null,
    ];
    return el("article", { cls: "post" },
      el("div", { cls: "post-head" }, el("div", {},
        el("bdi", { cls: "author", title: row.name }, "@" + row.author),
        el("span", { cls: "quiet" }, cashtag.moment(row.at)),
        el("span", { cls: "quiet counts" }, counts)),
        el("span", { cls: "chip " + (row.polarity > 0.05 ? "pos" : row.polarity < -0.05 ? "neg" : "flat"), title: row.label }, figure(row.polarity))),
      text,
      row.text.length > LONG ? el("button", { type: "button", cls: "plain", "aria-expanded": "false", onclick: unfold }, "show all of it") : null,
      el("div", { cls: "post-foot" }, marks,
        link ? el("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, "open on X") : null));
  }

  function unfold(event) {
    const folded = event.target.previousElementSibling.classList.toggle("folded");
    event.target.setAttribute("aria-expanded", String(!folded));
    event.target.textContent = folded ? "show all of it" : "show less";
  }

  function draw() {
    const of = (name) => found.filter((row) => row.label === name).length;
    fill(byId("tweets-bar"),
      cashtag.segments("Sentiment of the tweets", [["all", `all ${found.length}`], ["positive", `+ ${of("positive")}`], ["neutral", `○ ${of("neutral")}`], ["negative", `− ${of("negative")}`]], label, (value) => { label = value; draw(); again("tweets-bar", value); }),
      el("label", { cls: "aside" }, el("span", { cls: "hidden" }, "Order of the tweets"), el("select", { id: "tweets-order", onchange: (event) => { order = event.target.value; draw(); byId("tweets-order").focus(); } },
        Object.entries(ORDERS).map(([value, text]) => el("option", { value, selected: value === order }, text)))));
    byId("tweets-bar").hidden = !found.length;
    byId("tweets-export").disabled = !found.length;
    const posts = shown();
    const rest = total > found.length ? el("p", { cls: "empty" }, `${count(total - found.length)} more were scored; the page carries the first ${found.length}.`) : null;
    fill(byId("tweets"), posts.length ? posts.map(post) : cashtag.empty(found.length ? "None with this sentiment." : "No tweets of this ticker were scored for this session."), posts.length ? rest : null);
  }

  /** Give the focus back to the pressed button that was just drawn again. */
  const again = (id) => byId(id).querySelector('[aria-pressed="true"]')?.focus();

  async function refresh() {
    const { facts, state } = cashtag;
    const { ticker, session } = state;
    const date = facts.sessions[session];
    byId("tweets-hint").textContent = ticker ? `${ticker} · ${day(date)}` : "";
    const stamp = `${ticker} ${session}`;
    byId("tweets-card").dataset.wanted = stamp;
    const [posts, facts_of_day] = await Promise.all([
      cashtag.shard("tweets/" + date, facts.files.tweets[session]),
      cashtag.shard("days/" + date, facts.files.days[session]),
    ]);
    if (byId("tweets-card").dataset.wanted !== stamp) return;
    found = rows(posts?.cells[ticker]);
    total = facts.get("n", facts.ofTicker.get(ticker) ?? -1, session) ?? 0;
    label = "all";
    const news = facts_of_day?.news[ticker];
    byId("headline").hidden = !news?.title;
    if (news?.title) fill(byId("headline"), el("strong", {}, "News "), el("span", { dir: "auto" }, news.title), " ", figure(news.polarity));
    byId("tweets").scrollTop = 0;
    draw();
    byId("tweets-card").dataset.shown = stamp;
  }

  function save() {
    const { facts, state } = cashtag;
    cashtag.csv(`tweets-${state.ticker}-${facts.sessions[state.session]}.csv`,
      ["tweet_id", "created_at_utc", "author", "followers", "text", "sentiment", "polarity", "likes", "retweets", "replies", "flags", "top_weight", "url"],
      shown().map((row) => [`${row.id}`, new Date(row.at * 1000).toISOString(), row.author, row.followers, row.text, row.label, row.polarity, row.likes, row.retweets, row.replies, row.flags, row.heavy ? "yes" : "", row.url]));
  }

  /** Bring the panel into view: on a narrow page it lies below what was pressed. */
  function show() {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const box = byId("tweets-card").getBoundingClientRect();
    if (box.top > innerHeight - 200 || box.bottom < 120) byId("tweets-card").scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
    byId("tweets-title").focus({ preventScroll: true });
  }

  function start() {
    byId("tweets-export").addEventListener("click", save);
    cashtag.follow(["ticker", "session"], () => refresh().catch(cashtag.trouble), "overview");
  }

  Object.assign(cashtag, { rowsOf: rows, post, startTweets: start, showTweets: show });
})();
