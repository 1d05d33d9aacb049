/* What the reference dashboard counts: the posts that its filters leave, added up per ticker, hour and user. */
"use strict";

(() => {
  const FIGURES = ["likes", "retweets", "replies", "engagement"];

  /** First and last day that the filters leave, as dates; the range of sessions unless days were chosen. */
  function period() {
    const { sessions } = cashtag.facts;
    const { range, from, to } = cashtag.state;
    const usual = range === "all" ? 0 : Math.max(0, sessions.length - Number(range));
    return [from ?? sessions[usual], to ?? sessions.at(-1)];
  }

  /** Promise the months of the period, ascending; each is loaded once. */
  function months() {
    const { files } = cashtag.facts;
    const [from, to] = period().map((day) => day.slice(0, 7));
    const wanted = Object.keys(files.posts).filter((month) => month >= from && month <= to).sort();
    return Promise.all(wanted.map((month) => cashtag.shard("posts/" + month, files.posts[month])));
  }

  /**
   * Call `see(month, row, session, fresh)` for each row that the filters leave; a row is a post and
   * a ticker, and `fresh` says that it is the first of its post.
   */
  function each(found, given, see) {
    const [from, to] = period();
    const wanted = given.label ? cashtag.LABELS.indexOf(given.label) : null;
    for (const month of found) {
      const only = given.only ? month.tickers.indexOf(given.only) : null;
      const user = given.author === undefined ? null : month.authors.indexOf(given.author);
      const again = new Set(month.again);
      let row = 0;
      month.sessions.forEach((session, i) => {
        const end = row + month.sizes[i];
        const inside = session >= from && session <= to;
        let seen = false; // a row of this post was seen already
        for (; row < end; row++) {
          if (!inside) continue;
          if (!again.has(row)) seen = false;
          if (only !== null && month.t[row] !== only) continue;
          if (wanted !== null && month.l[row] !== wanted) continue;
          if (user !== null && month.a[row] !== user) continue;
          if (given.hour !== undefined && month.h[row] !== given.hour) continue;
          see(month, row, session, !seen);
          seen = true;
        }
      });
    }
  }

  const at = (map, key, make) => {
    let found = map.get(key);
    if (found === undefined) map.set(key, (found = make()));
    return found;
  };
  const blank = () => ({ n: 0, likes: 0, retweets: 0, replies: 0, engagement: 0 });

  /**
   * Add up the posts that the filters leave.
   *
   * tickers: the most discussed first, each with its posts, counts, labels, hours and most engaged
   * user; a post about two tickers stands in both. posts, labels and users count it once. counted
   * says whether the source gives any counts.
   */
  function tally(found) {
    const { only, label } = cashtag.state;
    const tickers = new Map();
    const users = new Map();
    const total = { ...blank(), labels: [0, 0, 0, 0] };
    let counted = false;
    let open = null; // the post at hand: its largest counts and the labels of its rows

    const close = () => {
      if (!open) return;
      const user = at(users, open.author, blank);
      for (const sum of [total, user]) {
        sum.n += 1;
        for (const name of FIGURES) sum[name] += open[name];
      }
      open.labels.forEach((has, l) => { total.labels[l] += has; });
    };

    each(found, { only, label }, (month, row, _, fresh) => {
      const ticker = at(tickers, month.tickers[month.t[row]], () => ({ ...blank(), labels: [0, 0, 0, 0], hours: new Array(24).fill(0), users: new Map() }));
      const author = month.authors[month.a[row]];
      const user = at(ticker.users, author, blank);
      if (fresh) {
        close();
        open = { author, likes: 0, retweets: 0, replies: 0, engagement: 0, labels: [0, 0, 0, 0] };
      }
      ticker.n += 1;
      user.n += 1;
      ticker.labels[month.l[row]] += 1;
      ticker.hours[month.h[row]] += 1;
      open.labels[month.l[row]] = 1;
      for (const name of FIGURES) {
        const value = month[name]?.[row] ?? null;
        if (value === null) continue;
        counted = true;
        ticker[name] += value;
        user[name] += value;
        open[name] = Math.max(open[name], value);
      }
    });
    close();
    const rows = [...tickers].map(([ticker, sum]) => ({ ticker, ...sum, top: first(sum.users)[0] }));
    return { tickers: rows.sort((a, b) => b.n - a.n || order(a.ticker, b.ticker)), total, users: first(users), counted };
  }

  const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

  /** Users by engagement, then by posts, then by name, as the SQL of the same question says. */
  const first = (users) => [...users].map(([author, sum]) => ({ author, ...sum }))
    .sort((a, b) => b.engagement - a.engagement || b.n - a.n || order(a.author, b.author));

  /** The posts behind a figure, the most engaged first, then the newest; each once. */
  function behind(found, given) {
    const posts = [];
    each(found, given, (month, row, session, fresh) => {
      if (!fresh) return;
      const post = { session, ticker: month.tickers[month.t[row]], author: month.authors[month.a[row]], hour: month.h[row], label: cashtag.LABELS[month.l[row]] };
      for (const name of FIGURES) post[name] = month[name]?.[row] ?? null;
      posts.push(post);
    });
    const by = given.by ?? "engagement";
    return posts.sort((a, b) => (b[by] ?? -1) - (a[by] ?? -1) || order(b.session, a.session));
  }

  Object.assign(cashtag, { period, months, tally, behind });
})();
