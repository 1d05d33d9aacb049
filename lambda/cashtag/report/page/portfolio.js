/* Equity against SPY, what was held, and every order. */
"use strict";

(() => {
  const { el, byId, known, ink, fixed, dollars, percent, figure, chip, SIGNAL } = cashtag;
  const DASHES = ["solid", "dash", "dot", "dashdot"];
  const WAYS = { BUY: 1, SELL: -1 };
  const state = { positions: {}, trades: {} };
  let benchmark = null;

  /** Each account's growth since the range began, in percent; SPY's beside it. */
  function spec() {
    const { facts } = cashtag;
    const span = cashtag.span();
    const x = span.map((s) => facts.sessions[s]);
    const accounts = Object.entries(facts.equity);
    if (!accounts.length) return { message: "No account has traded yet." };
    const lines = accounts.map(([name, line], i) => {
      const at = new Map(line.map(([s, now]) => [s, now]));
      const base = line.find(([s]) => s >= span[0]);
      const start = base?.[2] ?? base?.[1];
      return {
        type: "scatter", mode: "lines", name: cashtag.plain(name), x, connectgaps: true,
        y: span.map((s) => (at.has(s) && start ? 100 * (at.get(s) / start - 1) : null)),
        text: span.map((s) => dollars(at.get(s))), hovertemplate: `${cashtag.plain(name)} %{y:+.2f}% · %{text}<extra></extra>`,
        line: { color: i ? ink("sma5") : ink("accent"), width: 2.4, dash: DASHES[i % DASHES.length] },
      };
    });
    const spy = against(span);
    if (spy) lines.push(spy);
    return {
      traces: lines,
      layout: {
        hovermode: "x unified", showlegend: true, margin: { l: 48, r: 10, t: 26, b: 26 },
        legend: { orientation: "h", x: 1, xanchor: "right", y: 1.02, yanchor: "bottom", font: { size: 11, color: ink("quiet") } },
        xaxis: cashtag.axis({ ...cashtag.ticks(x, byId("equity").clientWidth < 420 ? 4 : 8), showgrid: false, range: [-0.5, x.length - 0.5] }),
        yaxis: cashtag.axis({ ticksuffix: "%", zeroline: true, nticks: 5 }),
      },
    };
  }

  function against(span) {
    if (!benchmark) return null;
    const { sessions } = cashtag.facts;
    const at = new Map(benchmark.session.map((session, i) => [session, benchmark.close[i]]));
    const y = span.map((s) => at.get(sessions[s]) ?? null);
    const start = y.find(known);
    if (!start) return null;
    return {
      type: "scatter", mode: "lines", name: "SPY", x: span.map((s) => sessions[s]), y: y.map((v) => (known(v) ? 100 * (v / start - 1) : null)),
      line: { color: ink("quiet"), width: 1.4, dash: "dot" }, hovertemplate: "SPY %{y:+.2f}%<extra></extra>",
    };
  }

  const open = (ticker) => el("button", { type: "button", cls: "plain ticker", onclick: () => cashtag.facts.ofTicker.has(ticker) && cashtag.choose({ ticker }) }, ticker);

  const POSITIONS = [
    { key: "symbol", label: "Symbol", value: (r) => r.symbol, cell: (r) => (r.ticker ? open(r.symbol) : r.symbol.toLowerCase()) },
    { key: "account", label: "Account", value: (r) => r.account },
    { key: "quantity", label: "Quantity", num: true, value: (r) => r.quantity, cell: (r) => (r.symbol === "CASH" ? "" : fixed(r.quantity, 0)) },
    { key: "average", label: "Cost", num: true, value: (r) => r.average_price, cell: (r) => fixed(r.average_price) },
    { key: "mark", label: "Close", num: true, value: (r) => r.mark, cell: (r) => fixed(r.mark) },
    { key: "worth", label: "Value", num: true, value: (r) => r.market_value, cell: (r) => dollars(r.market_value, 0) },
    { key: "open", label: "Unrealised", num: true, value: (r) => r.unrealised, cell: (r) => figure(r.unrealised) },
    { key: "since", label: "Since", value: (r) => r.opened, cell: (r) => (r.opened ?? "").slice(5) },
    { key: "stop", label: "Stop", num: true, value: (r) => r.stop, cell: (r) => fixed(r.stop) },
    { key: "target", label: "Target", num: true, value: (r) => r.target, cell: (r) => fixed(r.target) },
  ];

  const TRADES = [
    { key: "session", label: "Session", value: (r) => r.session },
    { key: "side", label: "Side", value: (r) => r.direction, cell: (r) => chip(SIGNAL[WAYS[r.direction]] ?? ["", r.direction]) },
    { key: "symbol", label: "Symbol", value: (r) => r.symbol, cell: (r) => open(r.ticker) },
    { key: "quantity", label: "Quantity", num: true, value: (r) => r.filled_quantity, cell: (r) => (r.filled_quantity < r.quantity ? `${fixed(r.filled_quantity, 0)} of ${fixed(r.quantity, 0)}` : fixed(r.quantity, 0)) },
    { key: "price", label: "Fill", num: true, value: (r) => r.filled_price, cell: (r) => fixed(r.filled_price) },
    { key: "realised", label: "Realised", num: true, value: (r) => r.realised, cell: (r) => (known(r.realised) ? figure(r.realised) : "") },
    { key: "confidence", label: "Conf.", num: true, value: (r) => r.confidence, cell: (r) => percent(r.confidence) },
    { key: "why", label: "Why", value: (r) => r.reason, cell: (r) => `${r.leg} · ${r.reason ?? r.status}` },
    { key: "status", label: "Status", value: (r) => r.status },
    { key: "account", label: "Account", value: (r) => r.account },
    { key: "mode", label: "Mode", value: (r) => r.mode },
  ];

  async function positions() {
    const wanted = cashtag.state.session;
    const { facts, state: view } = cashtag;
    // A session's books are closed by the run after it: until then the newest closed ones stand.
    const closed = Object.values(facts.equity).flatMap((line) => line.map(([s]) => s)).filter((s) => s <= view.session);
    const s = Math.max(...closed, 0);
    const date = facts.sessions[s];
    const day = await cashtag.shard("days/" + date, facts.files.days[s]);
    if (wanted !== view.session) return;
    byId("positions-hint").textContent = `after the close of ${cashtag.day(date)}`;
    cashtag.table(byId("positions"), POSITIONS, { label: "Positions", rows: day?.positions ?? [], state: state.positions, sort: ["worth", -1], empty: "Nothing was held." });
  }

  function trades() {
    const { facts } = cashtag;
    const span = cashtag.span();
    const first = facts.sessions[span[0]];
    const rows = facts.trades.filter((trade) => trade.session >= first).reverse();
    const realised = rows.reduce((total, r) => total + (r.realised ?? 0), 0);
    byId("trades-hint").textContent = rows.length ? `${rows.length} in range, realised ${dollars(realised, 0)}` : "";
    byId("trades-export").disabled = !rows.length;
    cashtag.table(byId("trades"), TRADES, { label: "Trades", rows, state: state.trades, empty: "No orders in this range.", selected: (r) => r.ticker === cashtag.state.ticker });
  }

  function start() {
    const { facts } = cashtag;
    byId("equity-hint").textContent = `${facts.mode} accounts, growth in the range`;
    byId("trades-export").addEventListener("click", () => cashtag.exportTable("trades.csv", TRADES, state.trades));
    cashtag.follow(["range", "session"], () => cashtag.plot("equity", spec), "overview");
    cashtag.follow(["session"], () => positions().catch(cashtag.trouble), "overview");
    cashtag.follow(["range", "session", "ticker"], trades, "overview");
    if (Object.keys(facts.equity).length && facts.files.tickers.SPY) {
      cashtag.shard("tickers/SPY", facts.files.tickers.SPY).then((found) => {
        benchmark = found;
        cashtag.plot("equity", spec);
      }).catch(cashtag.trouble);
    }
  }

  cashtag.startPortfolio = start;
})();
