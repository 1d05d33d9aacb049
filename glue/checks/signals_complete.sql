-- fail: whoever has sentiment or features has two signals and a rank, and nobody else. One row per (ticker) that breaks this.
-- Reads daily_sentiment, daily_features, daily_signals and ranking of :session.
WITH known AS (
  SELECT ticker
  FROM daily_sentiment
  WHERE session = :session
  UNION
  SELECT ticker
  FROM daily_features
  WHERE session = :session
),

signalled AS (
  SELECT
    ticker,
    count(DISTINCT kind) AS n_kinds
  FROM daily_signals
  WHERE session = :session
  GROUP BY ticker
),

ranked AS (
  SELECT ticker
  FROM ranking
  WHERE session = :session
)

SELECT
  CAST(COALESCE(known.ticker, signalled.ticker, ranked.ticker) AS varchar) AS ticker,
  CAST(known.ticker IS NOT NULL AS boolean) AS is_known,
  CAST(COALESCE(signalled.n_kinds, 0) AS bigint) AS n_signals,
  CAST(ranked.ticker IS NOT NULL AS boolean) AS has_rank
FROM known
FULL OUTER JOIN signalled ON signalled.ticker = known.ticker
FULL OUTER JOIN ranked ON ranked.ticker = COALESCE(known.ticker, signalled.ticker)
WHERE known.ticker IS NULL OR ranked.ticker IS NULL OR COALESCE(signalled.n_kinds, 0) <> 2
