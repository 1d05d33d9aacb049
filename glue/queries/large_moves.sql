-- Price moves beyond the anomaly threshold (5 percent unless set otherwise). One row per (ticker, last_session).
-- Reads daily_features and daily_sentiment of the sessions :first to :last.
WITH bars AS (
  SELECT
    ticker,
    session,
    last_session,
    change_percent,
    volume_ratio,
    anomaly,
    row_number() OVER (PARTITION BY ticker, last_session ORDER BY session) AS sighting
  FROM daily_features
  WHERE session BETWEEN :first AND :last
)

SELECT
  CAST(bars.ticker AS varchar) AS ticker,
  CAST(bars.last_session AS date) AS last_session,
  CAST(bars.change_percent AS double) AS change_percent,
  CAST(bars.volume_ratio AS double) AS volume_ratio,
  -- What people said on the day of the move, before it.
  CAST(said.n_tweets AS bigint) AS n_tweets,
  CAST(said.polarity AS double) AS polarity
FROM bars
LEFT JOIN daily_sentiment AS said
  ON
    said.session = bars.last_session
    AND said.ticker = bars.ticker
    AND said.session BETWEEN :first AND :last
WHERE bars.sighting = 1 AND bars.anomaly
ORDER BY abs(bars.change_percent) DESC, bars.last_session DESC, bars.ticker
