-- What the dashboard shows of a ticker in a session. One row per (session, ticker).
-- Reads daily_sentiment, daily_features, ranking, daily_news of the sessions :first to :last.
WITH sentiment AS (
  SELECT
    session, ticker, n_tweets, n_effective, n_authors, polarity, polarity_change, change_se, z,
    share_positive, share_neutral, share_negative, duplicate_share, flagged_share, engagement,
    coverage, partial, top_tweet_ids, model, run_id
  FROM daily_sentiment
  WHERE session BETWEEN :first AND :last
),
features AS (
  SELECT session, ticker, last_session, change_percent, volume_ratio, "cross", anomaly
  FROM daily_features
  WHERE session BETWEEN :first AND :last
),
ranks AS (
  SELECT session, ticker, score, rank
  FROM ranking
  WHERE session BETWEEN :first AND :last
),
headlines AS (
  SELECT session, ticker, n_news, polarity
  FROM daily_news
  WHERE session BETWEEN :first AND :last
),
cells AS (
  SELECT session, ticker FROM sentiment
  UNION
  SELECT session, ticker FROM features
)
SELECT
  CAST(c.session AS date) AS session,
  CAST(c.ticker AS varchar) AS ticker,
  CAST(s.n_tweets AS bigint) AS n_tweets,
  CAST(s.n_effective AS double) AS n_effective,
  CAST(s.n_authors AS bigint) AS n_authors,
  CAST(s.polarity AS double) AS polarity,
  CAST(s.polarity_change AS double) AS polarity_change,
  CAST(s.change_se AS double) AS change_se,
  CAST(s.z AS double) AS z,
  CAST(s.share_positive AS double) AS share_positive,
  CAST(s.share_neutral AS double) AS share_neutral,
  CAST(s.share_negative AS double) AS share_negative,
  CAST(s.duplicate_share AS double) AS duplicate_share,
  CAST(s.flagged_share AS double) AS flagged_share,
  CAST(s.engagement AS bigint) AS engagement,
  CAST(s.coverage AS double) AS coverage,
  CAST(s.partial AS boolean) AS partial,
  CAST(s.top_tweet_ids AS varchar) AS top_tweet_ids,
  CAST(s.model AS varchar) AS model,
  CAST(s.run_id AS varchar) AS run_id,
  CAST(f.last_session AS date) AS last_session,
  CAST(f.change_percent AS double) AS change_percent,
  CAST(f.volume_ratio AS double) AS volume_ratio,
  CAST(f."cross" AS varchar) AS "cross",
  CAST(f.anomaly AS boolean) AS anomaly,
  CAST(r.score AS double) AS score,
  CAST(r.rank AS bigint) AS rank,
  CAST(h.n_news AS bigint) AS n_news,
  CAST(h.polarity AS double) AS news_polarity
FROM cells AS c
LEFT JOIN sentiment AS s ON s.session = c.session AND s.ticker = c.ticker
LEFT JOIN features AS f ON f.session = c.session AND f.ticker = c.ticker
LEFT JOIN ranks AS r ON r.session = c.session AND r.ticker = c.ticker
LEFT JOIN headlines AS h ON h.session = c.session AND h.ticker = c.ticker
ORDER BY c.session, c.ticker
