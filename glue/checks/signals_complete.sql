-- fail: whoever has sentiment or features has two signals and a rank, and nobody else. One row per (ticker) that breaks this.
-- Reads daily_sentiment, daily_features, daily_signals and ranking of :session.
WITH seen AS (
  SELECT ticker, 1 AS known, 0 AS signals, 0 AS ranks
  FROM daily_sentiment
  WHERE session = :session
  UNION ALL
  SELECT ticker, 1 AS known, 0 AS signals, 0 AS ranks
  FROM daily_features
  WHERE session = :session
  UNION ALL
  SELECT ticker, 0 AS known, 1 AS signals, 0 AS ranks
  FROM daily_signals
  WHERE session = :session AND kind IN ('STOCK', 'OPTION')
  UNION ALL
  SELECT ticker, 0 AS known, 0 AS signals, 1 AS ranks
  FROM ranking
  WHERE session = :session
)

SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(sum(known) AS bigint) AS n_known,
  CAST(sum(signals) AS bigint) AS n_signals,
  CAST(sum(ranks) AS bigint) AS n_ranks
FROM seen
GROUP BY ticker
HAVING sum(known) = 0 OR sum(signals) <> 2 OR sum(ranks) <> 1
