# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Explore the lake
#
# Three queries, sentiment against price, tickers by hour, and who moves what. Run
# `cashtag run --source sample` first. **If the lake holds the bundled sample, everything below is
# SYNTHETIC**: invented tweets and prices, in which no edge is planted.

# %%
import os

import plotly.express as px
import plotly.graph_objects as go
from plotly.subplots import make_subplots

import cashtag

lake = cashtag.open(os.environ.get("CASHTAG_LAKE", "lake"))
lake.tables()[["table", "grain", "zone", "partition"]]

# %% [markdown]
# ## Three queries
#
# SQL is Athena's dialect; `:name` is bound, never pasted. The newest session first.

# %%
sessions = lake.sql("SELECT min(session) AS first, max(session) AS last FROM daily_sentiment")
first, last = sessions.loc[0, "first"], sessions.loc[0, "last"]
lake.sql(
    """
    SELECT ticker, n_tweets, n_effective, polarity, se, polarity_change, z
    FROM daily_sentiment
    WHERE session = :last
    ORDER BY polarity DESC, ticker
    """,
    {"last": last},
)

# %% [markdown]
# What fired, and why in words.

# %%
lake.sql(
    """
    SELECT session, ticker, direction, confidence, reasons
    FROM daily_signals
    WHERE session BETWEEN :first AND :last AND kind = 'STOCK' AND direction <> 'HOLD'
    ORDER BY session DESC, confidence DESC, ticker
    LIMIT 15
    """,
    {"first": first, "last": last},
)

# %% [markdown]
# Which gates said no.

# %%
lake.sql(
    """
    SELECT gate, count(*) AS spoke, count(CASE WHEN verdict <> 'pass' THEN 1 END) AS blocked
    FROM decisions
    WHERE session BETWEEN :first AND :last
    GROUP BY gate
    ORDER BY blocked DESC, gate
    """,
    {"first": first, "last": last},
)

# %% [markdown]
# ## Sentiment against price
#
# One ticker: the close known before each session, and the polarity of what was said since.

# %%
sentiment = lake.table("daily_sentiment")
features = lake.table("daily_features")
synthetic = (
    lake.sql("SELECT source FROM tweets WHERE dt = :dt LIMIT 1", {"dt": last})["source"]
    == "synthetic"
).any()
label = " · SYNTHETIC" if synthetic else ""
ticker = sentiment.groupby("ticker")["n_tweets"].sum().idxmax()
one = sentiment[sentiment.ticker == ticker].merge(
    features[["session", "ticker", "adjusted_close"]], on=["session", "ticker"], how="left"
)
figure = make_subplots(specs=[[{"secondary_y": True}]])
figure.add_trace(go.Bar(x=one.session, y=one.polarity, name="polarity"))
figure.add_trace(go.Scatter(x=one.session, y=one.adjusted_close, name="close"), secondary_y=True)
figure.update_layout(title=f"{ticker}: polarity and close{label}")
figure

# %% [markdown]
# Does polarity know the past, or the future? Rank correlation over all tickers and sessions with
# its sample size. Over about a hundred such variants |t| near 2 is noise.

# %%
joined = sentiment.merge(
    features[["session", "ticker", "change_percent"]], on=["session", "ticker"]
)
joined = joined.sort_values(["ticker", "session"])
joined["next_change"] = joined.groupby("ticker")["change_percent"].shift(-1)
pairs = {
    "the session before (what happened)": joined[["polarity", "change_percent"]].dropna(),
    "the session itself (what nobody knew)": joined[["polarity", "next_change"]].dropna(),
}
for name, pair in pairs.items():
    ranks = pair.rank()
    rho = ranks.iloc[:, 0].corr(ranks.iloc[:, 1])
    print(f"{name}: rho {rho:+.3f}, n {len(pair)}, about ± {1.96 / max(1, len(pair)) ** 0.5:.3f}")

# %% [markdown]
# ## Tickers by hour
#
# When people speak, in New York's hours.

# %%
hours = lake.sql(
    """
    SELECT ticker, hour_ny, count(*) AS tweets
    FROM tweets
    WHERE dt BETWEEN :first AND :last
    GROUP BY ticker, hour_ny
    ORDER BY ticker, hour_ny
    """,
    {"first": first, "last": last},
)
px.density_heatmap(
    hours, x="hour_ny", y="ticker", z="tweets", nbinsx=24, title=f"Tweets by ticker and hour{label}"
)

# %% [markdown]
# ## Who moves what
#
# The accounts with the largest echo, per ticker.

# %%
lake.sql(
    """
    WITH by_author AS (
      SELECT ticker, author, count(*) AS tweets, sum(engagement) AS engagement,
             avg(polarity) AS polarity
      FROM tweets
      WHERE dt BETWEEN :first AND :last
      GROUP BY ticker, author
    ),
    placed AS (
      SELECT *, row_number() OVER (PARTITION BY ticker ORDER BY engagement DESC, author) AS place
      FROM by_author
    )
    SELECT ticker, author, tweets, engagement, polarity
    FROM placed
    WHERE place = 1
    ORDER BY engagement DESC, ticker
    """,
    {"first": first, "last": last},
)
