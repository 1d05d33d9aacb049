/* Price with its averages, crosses and our trades; sentiment and tweets of the same sessions below. */
"use strict";

(() => {
  const { byId, known, ink, signed, count, dollars, plain } = cashtag;
  let bars = null;

  /** The ticker's closes by session of the page, with what hangs on them. */
  function course(span) {
    const { sessions } = cashtag.facts;
    const at = new Map(bars.session.map((session, i) => [session, i]));
    const pick = (name) => span.map((s) => bars[name][at.get(sessions[s])] ?? null);
    return { at, x: span.map((s) => sessions[s]), close: pick("close"), traded: pick("traded"), sma5: pick("sma5"), sma20: pick("sma20"), cross: pick("cross") };
  }

  function line(name, x, y, color, width, given) {
    return { type: "scatter", mode: "lines", name, x, y, line: { color, width }, connectgaps: false, hovertemplate: `${name} %{y:.2f}<extra></extra>`, ...given };
  }

  function marks(name, points, symbol, color, given) {
    return {
      type: "scatter", mode: "markers", name, x: points.map((p) => p.x), y: points.map((p) => p.y),
      text: points.map((p) => p.text), hovertemplate: "%{text}<extra></extra>",
      marker: { symbol, size: 13, color, line: { color: ink("card"), width: 1.5 }, ...given },
    };
  }

  function crosses(found, way) {
    const word = way > 0 ? "golden cross: SMA-5 rose above SMA-20" : "death cross: SMA-5 fell below SMA-20";
    return found.x.map((x, i) => ({ x, y: found.sma20[i], text: word, on: found.cross[i] === way })).filter((p) => p.on && known(p.y));
  }

  /** Our fills, put on the scale of the chart when a split or dividend came later. */
  function fills(found, direction) {
    const { trades } = cashtag.facts;
    return trades
      .filter((trade) => trade.ticker === cashtag.state.ticker && trade.direction === direction && known(trade.filled_price) && found.x.includes(trade.session))
      .map((trade) => {
        const i = found.x.indexOf(trade.session);
        const scale = found.traded[i] ? found.close[i] / found.traded[i] : 1;
        const gain = known(trade.realised) ? `, ${signed(trade.realised, 0)} $` : "";
        return {
          x: trade.session, y: trade.filled_price * scale,
          text: [
            `${trade.mode} ${direction} ${count(trade.filled_quantity)} at ${dollars(trade.filled_price)}${gain}`,
            [trade.account, trade.reason].filter(Boolean).join(" · "),
          ].map(plain).join("<br>"),
        };
      });
  }

  function spec() {
    const { facts, state } = cashtag;
    const span = cashtag.span();
    const t = facts.ofTicker.get(state.ticker);
    if (!bars && t === undefined) return { message: "No ticker to show." };
    const x = span.map((s) => facts.sessions[s]);
    const polarity = span.map((s) => facts.polarity(t, s));
    const n = span.map((s) => facts.get("n", t, s));
    const traces = [];
    const found = bars ? course(span) : null;
    const priced = Boolean(found?.close.some(known));
    if (priced) {
      traces.push(
        line("SMA-20", x, found.sma20, ink("sma20"), 1.8, { line: { color: ink("sma20"), width: 1.8, dash: "dot" } }),
        line("SMA-5", x, found.sma5, ink("sma5"), 1.6), line("Close", x, found.close, ink("text"), 2.2),
        marks("Golden cross", crosses(found, 1), "star-diamond-open", ink("pos-ink"), { size: 11, line: { width: 2 } }),
        marks("Death cross", crosses(found, -1), "x-thin-open", ink("neg-ink"), { size: 9, line: { width: 2.5 } }),
        marks("Our buy", fills(found, "BUY"), "triangle-up", ink("pos")),
        marks("Our sell", fills(found, "SELL"), "triangle-down", ink("neg")));
    }
    traces.push({
      type: "bar", name: "Sentiment", x, y: polarity, yaxis: "y2", showlegend: false, hovertemplate: "sentiment %{y:+.2f}<extra></extra>",
      marker: { color: polarity.map((p) => (p > 0 ? ink("pos") : ink("neg"))) },
    }, {
      type: "bar", name: "Tweets", x, y: n, yaxis: "y3", showlegend: false, hovertemplate: "%{y} tweets<extra></extra>", marker: { color: ink("volume") },
    });
    const narrow = byId("price").clientWidth < 560;
    const full = cashtag.domain(polarity);
    const most = Math.max(...polarity.filter(known).map(Math.abs), full);
    const caption = (text, y) => ({ text, x: 0, y, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 11, color: ink("quiet") } });
    return {
      traces,
      layout: {
        margin: { l: narrow ? 40 : 52, r: 10, t: narrow ? 58 : 30, b: 28 }, hovermode: "x unified", showlegend: priced, bargap: span.length > 90 ? 0.05 : 0.25,
        legend: { orientation: "h", x: narrow ? 0 : 1, xanchor: narrow ? "left" : "right", y: 1.01, yanchor: "bottom", font: { size: 11, color: ink("quiet") } },
        xaxis: cashtag.axis({ ...cashtag.ticks(x, narrow ? 5 : 14), anchor: "y3", showgrid: false, range: [-0.6, x.length - 0.4] }),
        yaxis: cashtag.axis({ domain: [0.43, 1], tickprefix: "$", nticks: 6, visible: priced }),
        yaxis2: cashtag.axis({ domain: [0.2, 0.36], range: [-most * 1.1, most * 1.1], zeroline: true, tickvals: [-full, 0, full], tickformat: ".1f", fixedrange: true }),
        yaxis3: cashtag.axis({ domain: [0, 0.13], nticks: 3, rangemode: "tozero", fixedrange: true }),
        annotations: [caption("sentiment", 0.36), caption("tweets", 0.13), ...(priced ? [] : [caption("no close of these sessions is known yet", 0.7)])],
        shapes: x.includes(facts.sessions[state.session]) ? [{
          type: "rect", xref: "x", yref: "paper", x0: span.indexOf(state.session) - 0.5, x1: span.indexOf(state.session) + 0.5, y0: 0, y1: 1, line: { width: 0 }, fillcolor: ink("select"), layer: "below",
        }] : [],
      },
      onclick: (event) => {
        const s = facts.sessions.indexOf(event.points[0]?.x);
        if (s >= 0) cashtag.choose({ session: s });
      },
    };
  }

  async function draw() {
    const { facts, state } = cashtag;
    const { ticker } = state;
    byId("price-title").textContent = ticker ?? "Price";
    byId("price-hint").textContent = [facts.names[ticker], "adjusted close, averages, our trades; each session's sentiment and tweets"].filter(Boolean).join(" · ");
    const found = await cashtag.shard("tickers/" + ticker, facts.files.tickers[ticker]);
    if (state.ticker !== ticker) return;
    bars = found;
    cashtag.plot("price", spec);
  }

  cashtag.startPrice = () => cashtag.follow(["ticker", "session", "range"], draw, "overview");
})();
